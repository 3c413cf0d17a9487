/* Kernels that are computed: from the arguments of a launch, on the host, in double. */
#ifndef KERNELS_H
#define KERNELS_H

#include "../fake.h"

/* table.c: what computes a kernel; keeps what it was launched with. NULL: it is not known, or not for its types. */
typedef void computation(const struct call *call);
computation *fake_computation(const char *name, dim3 grid, void **arguments, struct call *kept);

/* arguments.c: copied, as the caller's are gone when a captured graph is replayed. */
void fake_keep_arguments(struct call *call, const char *letters, void **arguments);

/* elementwise.c: what a kernel does with one element, or with two; NULL: not known. */
typedef double operation(double x, double y);
operation *fake_operation(const char *name);

/* What arguments are made of, in onnxruntime's sources DivMod<int> and TArray. */
struct division { /* by a number that is known beforehand */
  uint32_t by, multiplier, shift;
};
struct strides {
  int32_t size;
  int64_t of[8];
};
struct divisions {
  int32_t size;
  struct division of[8];
};
struct places {
  int32_t size;
  const void *of[32];
};

enum { ATTENTION_ARGUMENTS = 248 }; /* as much as is read */

computation embed_layer_norm, skip_layer_norm, bias_gelu, flash_attention, unary, binary, binary_simple;
computation binary_by_channel, binary_by_channel_in_batch, gather, concatenate, sum_rows;

#endif
