/* ReduceSum of the last axis: a row of numbers to one. */
#include "kernels.h"

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
