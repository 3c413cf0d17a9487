/* cuBLAS: products are noted, and what they read and write must be device memory; nothing is computed. */
#include "fake.h"

#include <stdlib.h>

typedef struct {
  cudaStream_t stream;
  int math_mode;
} *handle;

enum { SUCCESS = 0, EXECUTION_FAILED = 13, HALF = 2, TRANSPOSED = 1 }; /* cublasStatus_t, cudaDataType, cublasOperation_t */

int cublasCreate_v2(handle *made) {
  if (fake_forbid_in_capture("cublasCreate")) return EXECUTION_FAILED;
  fake_note("cublasCreate");
  *made = calloc(1, sizeof **made);
  return SUCCESS;
}

int cublasDestroy_v2(handle is) {
  free(is);
  return SUCCESS;
}

int cublasSetStream_v2(handle is, cudaStream_t stream) {
  is->stream = stream;
  return SUCCESS;
}

int cublasSetMathMode(handle is, int mode) {
  is->math_mode = mode;
  return SUCCESS;
}

int cublasGetMathMode(handle is, int *mode) {
  *mode = is->math_mode;
  return SUCCESS;
}

const char *cublasGetStatusName(int status) { return status ? "CUBLAS_STATUS_EXECUTION_FAILED" : "CUBLAS_STATUS_SUCCESS"; }
const char *cublasGetStatusString(int status) { return cublasGetStatusName(status); }

/* A matrix as BLAS lays it out: columns one after another, `leading` elements apart; several, `stride` apart. */
static struct span matrix(const void *begin, int type, int rows, int columns, int leading, long long stride, int count) {
  size_t elements = (size_t)leading * (columns - 1) + rows + (size_t)stride * (count - 1);
  return (struct span){begin, elements * (type == HALF ? 2 : 4)};
}

static int product(handle is, const char *what, struct work work) {
  if (fake_check_stream(is->stream, what)) return EXECUTION_FAILED;
  fake_count(PRODUCTS);
  for (int i = 0; i < MOST_PLACES; i++) {
    if (!work.places[i].begin) continue;
    if (!fake_is_inside_a_block(work.places[i])) fake_note("NOT DEVICE MEMORY: %s, matrix %d", what, i);
    if (is->stream && fake_device_of(work.places[i].begin) != is->stream->device) fake_note("WRONG DEVICE: %s", what);
  }
  fake_add_work(is->stream, work);
  return fake_kept() ? EXECUTION_FAILED : SUCCESS;
}

int cublasGemmStridedBatchedEx(handle is, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a,
                               int type_a, int lda, long long stride_a, const void *b, int type_b, int ldb,
                               long long stride_b, const void *beta, void *c, int type_c, int ldc, long long stride_c,
                               int count, int compute, int algorithm) {
  fake_note("product m %d n %d k %d count %d types %d %d %d compute %d math %d", m, n, k, count, type_a, type_b, type_c,
            compute, is->math_mode);
  return product(is, "product",
                 (struct work){.what = "product",
                               .places = {matrix(a, type_a, op_a == TRANSPOSED ? k : m, op_a == TRANSPOSED ? m : k, lda,
                                                 stride_a, count),
                                          matrix(b, type_b, op_b == TRANSPOSED ? n : k, op_b == TRANSPOSED ? k : n, ldb,
                                                 stride_b, count),
                                          matrix(c, type_c, m, n, ldc, stride_c, count)}});
}

int cublasGemmEx(handle is, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a, int type_a,
                 int lda, const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc,
                 int compute, int algorithm) {
  return cublasGemmStridedBatchedEx(is, op_a, op_b, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c,
                                    type_c, ldc, 0, 1, compute, algorithm);
}

int cublasSgemm_v2(handle is, int op_a, int op_b, int m, int n, int k, const float *alpha, const float *a, int lda,
                   const float *b, int ldb, const float *beta, float *c, int ldc) {
  return cublasGemmEx(is, op_a, op_b, m, n, k, alpha, a, 0, lda, b, 0, ldb, beta, c, 0, ldc, 0, 0);
}

int cublasSgemmStridedBatched(handle is, int op_a, int op_b, int m, int n, int k, const float *alpha, const float *a,
                              int lda, long long stride_a, const float *b, int ldb, long long stride_b,
                              const float *beta, float *c, int ldc, long long stride_c, int count) {
  return cublasGemmStridedBatchedEx(is, op_a, op_b, m, n, k, alpha, a, 0, lda, stride_a, b, 0, ldb, stride_b, beta, c, 0,
                                    ldc, stride_c, count, 0, 0);
}

/* Batches by arrays of pointers, which lie on the device: what they point to is not looked at. */
static int by_pointers(handle is, int m, int n, int k) {
  fake_note("product by pointers m %d n %d k %d", m, n, k);
  return product(is, "product by pointers", (struct work){.what = "product"});
}
int cublasGemmBatchedEx(handle is, int op_a, int op_b, int m, int n, int k) { return by_pointers(is, m, n, k); }
int cublasSgemmBatched(handle is, int op_a, int op_b, int m, int n, int k) { return by_pointers(is, m, n, k); }

/* What the provider links to and no graph here asks for: it would be noted, and tests look for this. */
#define UNUSED(name)                                                                                                   \
  int name(void) {                                                                                                     \
    fake_note("UNEXPECTED: %s", #name);                                                                                \
    return EXECUTION_FAILED;                                                                                           \
  }
UNUSED(cublasDgemm_v2)
UNUSED(cublasDgemmBatched)
UNUSED(cublasDgemmStridedBatched)
UNUSED(cublasDgeam)
UNUSED(cublasSgeam)
UNUSED(cublasScopy_v2)
UNUSED(cublasSscal_v2)
UNUSED(cublasDgetrfBatched)
UNUSED(cublasDgetriBatched)
UNUSED(cublasSgetrfBatched)
UNUSED(cublasSgetriBatched)
