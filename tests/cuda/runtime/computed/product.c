/* Products, in double: rounded once, at the end. */
#include "product.h"

#include <stdlib.h>
#include <string.h>

static const void *nth(const struct matrix *is, int number) {
  if (is->by_pointers) return ((const void *const *)is->begin)[number];
  size_t size = is->type == HALF ? 2 : 4;
  return (const char *)is->begin + number * is->stride * (long long)size;
}

/* To nearest, ties away from zero, as cuBLAS converts: 10 bits of a mantissa's 23. */
static double to_tf32(double value) {
  float narrow = (float)value;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  bits = (bits + 0x1000) & ~(uint32_t)0x1fff;
  memcpy(&narrow, &bits, sizeof bits);
  return narrow;
}

/* A factor as doubles, columns one after another without a gap. */
static double *factor(const struct matrix *is, int number, int rows, int columns, int is_tf32) {
  const void *from = nth(is, number);
  double *to = malloc(sizeof *to * rows * columns);
  for (int64_t column = 0; column < columns; column++)
    for (int64_t row = 0; row < rows; row++) {
      int64_t at = is->is_transposed ? row * is->leading + column : column * is->leading + row;
      double value = get(from, is->type, at);
      to[column * rows + row] = is_tf32 ? to_tf32(value) : value;
    }
  return to;
}

static void multiply_one(const struct product *is, int number) {
  double *a = factor(&is->a, number, is->m, is->k, is->is_tf32), *b = factor(&is->b, number, is->k, is->n, is->is_tf32);
  double *sums = malloc(sizeof *sums * is->m);
  void *c = (void *)nth(&is->c, number);
  for (int64_t column = 0; column < is->n; column++) {
    memset(sums, 0, sizeof *sums * is->m);
    for (int64_t inner = 0; inner < is->k; inner++) {
      const double *from = a + inner * is->m, times = b[column * is->k + inner];
      for (int64_t row = 0; row < is->m; row++) sums[row] += from[row] * times;
    }
    for (int64_t row = 0; row < is->m; row++) {
      int64_t at = column * is->c.leading + row;
      double before = is->beta == 0 ? 0 : is->beta * get(c, is->c.type, at);
      put(c, is->c.type, at, is->alpha * sums[row] + before);
    }
  }
  free(sums);
  free(b);
  free(a);
}

void multiply(const struct call *call) {
  const struct product *is = (const void *)call->arguments;
  for (int number = 0; number < is->count; number++) multiply_one(is, number);
}
