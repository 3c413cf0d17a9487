/* Products of matrices, as BLAS lays them out: columns one after another, `leading` elements apart. */
#ifndef PRODUCT_H
#define PRODUCT_H

#include "../fake.h"

struct matrix {
  const void *begin;
  enum type type;
  int is_transposed, leading;
  long long stride; /* from one matrix to the next, in elements */
  int by_pointers;  /* `begin` has the address of each matrix instead */
};
struct product { /* C = alpha * A * B + beta * C: [m, n] of [m, k] and [k, n]; so many, one after another */
  int m, n, k, count;
  double alpha, beta;
  int is_tf32; /* of the factors, which are float: 10 bits are kept */
  struct matrix a, b, c;
};
void multiply(const struct call *call);

#endif
