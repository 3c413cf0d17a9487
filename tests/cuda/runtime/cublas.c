/* cuBLAS: products are noted, what they read and write must be device memory, and computed where that is asked for. */
#include "computed/product.h"

#include <library_types.h> /* cudaDataType */

#include <stdlib.h>

typedef struct {
  cudaStream_t stream;
  int math_mode;
} *handle;

enum { SUCCESS = 0, EXECUTION_FAILED = 13 }; /* cublasStatus_t */
enum { TRANSPOSED = 1 };                     /* cublasOperation_t */
enum { TF32_MATH = 3 };                      /* cublasMath_t */
enum { COMPUTE_16F = 64 };                   /* cublasComputeType_t */

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

/* Whether what a call reads and writes is device memory; how many elements there are between its first and its last. */
static struct span span_of(const struct matrix *is, int rows, int columns, int count) {
  size_t elements = (size_t)is->leading * (columns - 1) + rows + (size_t)is->stride * (count - 1);
  return (struct span){is->begin, is->by_pointers ? count * sizeof(void *) : elements * (is->type == HALF ? 2 : 4)};
}

static int run(handle is, const char *what, const struct product *product) {
  if (fake_check_stream(is->stream, what)) return EXECUTION_FAILED;
  fake_count(PRODUCTS);
  const struct matrix *a = &product->a, *b = &product->b;
  int m = product->m, n = product->n, k = product->k;
  struct work work = {.what = "product",
                      .places = {span_of(a, a->is_transposed ? k : m, a->is_transposed ? m : k, product->count),
                                 span_of(b, b->is_transposed ? n : k, b->is_transposed ? k : n, product->count),
                                 span_of(&product->c, m, n, product->count)},
                      .compute = multiply};
  *(struct product *)work.call.arguments = *product;
  for (int i = 0; i < MOST_PLACES; i++) {
    if (!fake_is_inside_a_block(work.places[i])) fake_note("NOT DEVICE MEMORY: %s, matrix %d", what, i);
    if (is->stream && fake_device_of(work.places[i].begin) != is->stream->device) fake_note("WRONG DEVICE: %s", what);
  }
  if (fake_kept()) return EXECUTION_FAILED;
  fake_do(is->stream, &work);
  return SUCCESS;
}

/* alpha and beta lie on the host, in the type that is computed in. */
static double scalar(const void *at, int compute) { return get(at, compute == COMPUTE_16F ? HALF : FLOAT, 0); }

static struct matrix matrix(const void *begin, int type, int operation, int leading, long long stride) {
  return (struct matrix){begin, type == CUDA_R_16F ? HALF : FLOAT, operation == TRANSPOSED, leading, stride, 0};
}

int cublasGemmStridedBatchedEx(handle is, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a,
                               int type_a, int lda, long long stride_a, const void *b, int type_b, int ldb,
                               long long stride_b, const void *beta, void *c, int type_c, int ldc, long long stride_c,
                               int count, int compute, int algorithm) {
  fake_note("product m %d n %d k %d count %d types %d %d %d compute %d math %d", m, n, k, count, type_a, type_b, type_c,
            compute, is->math_mode);
  return run(is, "product",
             &(struct product){m, n, k, count, scalar(alpha, compute), scalar(beta, compute),
                               type_a == CUDA_R_32F && (is->math_mode & TF32_MATH) == TF32_MATH,
                               matrix(a, type_a, op_a, lda, stride_a), matrix(b, type_b, op_b, ldb, stride_b),
                               matrix(c, type_c, 0, ldc, stride_c)});
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
  return cublasGemmStridedBatchedEx(is, op_a, op_b, m, n, k, alpha, a, 0, lda, stride_a, b, 0, ldb, stride_b, beta, c,
                                    0, ldc, stride_c, count, 0, 0);
}

/* The addresses of the matrices lie on the device. */
int cublasGemmBatchedEx(handle is, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *const *a,
                        int type_a, int lda, const void *const *b, int type_b, int ldb, const void *beta,
                        void *const *c, int type_c, int ldc, int count, int compute, int algorithm) {
  fake_note("product by pointers m %d n %d k %d count %d", m, n, k, count);
  struct product product = {m, n, k, count, scalar(alpha, compute), scalar(beta, compute),
                            type_a == CUDA_R_32F && (is->math_mode & TF32_MATH) == TF32_MATH,
                            matrix(a, type_a, op_a, lda, 0), matrix(b, type_b, op_b, ldb, 0),
                            matrix(c, type_c, 0, ldc, 0)};
  product.a.by_pointers = product.b.by_pointers = product.c.by_pointers = 1;
  return run(is, "product by pointers", &product);
}

int cublasSgemmBatched(handle is, int op_a, int op_b, int m, int n, int k, const float *alpha, const float *const *a,
                       int lda, const float *const *b, int ldb, const float *beta, float *const *c, int ldc,
                       int count) {
  return cublasGemmBatchedEx(is, op_a, op_b, m, n, k, alpha, (const void *const *)a, 0, lda, (const void *const *)b, 0,
                             ldb, beta, (void *const *)c, 0, ldc, count, 0, 0);
}

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
