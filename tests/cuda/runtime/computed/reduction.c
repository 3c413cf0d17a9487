/* Sums over rows: ReduceSum of the last axis, LpNormalization. */
#include "kernels.h"

#include <math.h>

void sum_rows(const struct call *call) {
  const struct {
    int rows, columns;
    const void *from;
    void *to;
  } *is = (const void *)call->arguments;
  for (int64_t row = 0; row < is->rows; row++) {
    double sum = 0;
    for (int64_t i = 0; i < is->columns; i++) sum += get(is->from, call->types[0], row * is->columns + i);
    put(is->to, call->types[1], row, sum);
  }
}

/* ReduceSum of the first axis: rows are added to what is there, which was set to zero. */
void add_rows(const struct call *call) {
  const struct {
    const void *from;
    void *to;
    int rows, columns;
  } *is = (const void *)call->arguments;
  for (int64_t column = 0; column < is->columns; column++) {
    double sum = get(is->to, call->types[1], column);
    for (int64_t row = 0; row < is->rows; row++) sum += get(is->from, call->types[0], row * is->columns + column);
    put(is->to, call->types[1], column, sum);
  }
}

/* Rows of length 1, by the root of the sum of squares; zeros stay zeros. Their elements lie `step` apart. */
void scale_rows(const struct call *call) {
  const struct {
    const void *from;
    void *to;
    int64_t size, rows, step;
  } *is = (const void *)call->arguments;
  for (int64_t row = 0; row < is->rows; row++) {
    int64_t first = row / is->step * is->step * is->size + row % is->step;
    double sum = 0;
    for (int64_t i = 0; i < is->size; i++) sum += pow(get(is->from, call->types[0], first + i * is->step), 2);
    for (int64_t i = 0; i < is->size; i++) {
      double value = get(is->from, call->types[0], first + i * is->step);
      put(is->to, call->types[1], first + i * is->step, sum > 0 ? value / sqrt(sum) : 0);
    }
  }
}
