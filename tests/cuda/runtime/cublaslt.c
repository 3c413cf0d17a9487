/* cuBLASLt: it is linked to and made a handle of; no graph here has a product that goes through it. */
#include <stdlib.h>

void fake_note(const char *format, ...);

#define MAKES(name)                                                                                                    \
  int name(void **made) {                                                                                              \
    *made = malloc(64);                                                                                                \
    return 0;                                                                                                          \
  }
#define DOES_NOTHING(name)                                                                                             \
  int name(void) { return 0; }

MAKES(cublasLtCreate)
DOES_NOTHING(cublasLtDestroy)
MAKES(cublasLtMatmulDescCreate)
DOES_NOTHING(cublasLtMatmulDescDestroy)
DOES_NOTHING(cublasLtMatmulDescSetAttribute)
MAKES(cublasLtMatmulPreferenceCreate)
DOES_NOTHING(cublasLtMatmulPreferenceDestroy)
DOES_NOTHING(cublasLtMatmulPreferenceSetAttribute)
MAKES(cublasLtMatrixLayoutCreate)
DOES_NOTHING(cublasLtMatrixLayoutDestroy)
DOES_NOTHING(cublasLtMatrixLayoutSetAttribute)
MAKES(cublasLtMatrixTransformDescCreate)
DOES_NOTHING(cublasLtMatrixTransformDescDestroy)
DOES_NOTHING(cublasLtMatrixTransform)
DOES_NOTHING(cublasLtMatmulAlgoConfigSetAttribute)
DOES_NOTHING(cublasLtMatmulAlgoInit)

int cublasLtMatmulAlgoGetHeuristic(void) {
  fake_note("UNEXPECTED: cublasLtMatmulAlgoGetHeuristic");
  return 15; /* CUBLAS_STATUS_NOT_SUPPORTED */
}

int cublasLtMatmul(void) {
  fake_note("UNEXPECTED: cublasLtMatmul");
  return 15;
}
