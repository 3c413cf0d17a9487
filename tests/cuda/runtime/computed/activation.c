/* BiasGelu: exact, by erf. A block of the grid is a token. */
#include "kernels.h"

#include <math.h>

void bias_gelu(const struct call *call) {
  const struct {
    int64_t size;
    const void *input, *bias;
    void *to;
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  for (int64_t token = 0; token < call->grid.x; token++)
    for (int64_t i = 0; i < is->size; i++) {
      double x = get(is->input, type, token * is->size + i) + get(is->bias, type, i);
      put(is->to, type, token * is->size + i, x * 0.5 * (1 + erf(x * M_SQRT1_2)));
    }
}
