/* Kernels that are computed: from the arguments of a launch, on the host, in double. */
#ifndef KERNELS_H
#define KERNELS_H

#include "../fake.h"

/* table.c: what computes a kernel; keeps what it was launched with. NULL: it is not known, or not for its types. */
typedef void computation(const struct call *call);
computation *fake_computation(const char *name, dim3 grid, dim3 block, void **arguments, struct call *kept);

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
struct sizes {
  int32_t size;
  int64_t of[32];
};
struct places {
  int32_t size;
  const void *of[32];
};
struct few_sizes {
  int32_t size;
  int64_t of[4];
};
struct few_places {
  int32_t size;
  void *of[4];
};

enum { FLASH_ARGUMENTS = 248, CUTLASS_ARGUMENTS = 208 }; /* as much as is read */

computation embed_layer_norm, skip_layer_norm, apply_layer_norm, bias_gelu;
computation flash_attention, cutlass_attention;
computation add_bias_and_part, add_bias_and_transpose, add_bias_and_transpose_one, softmax_of_lengths, join_heads, rotate;
computation unary, binary, binary_simple, binary_by_channel, binary_by_channel_in_batch, where, range;
computation gather, slice, concatenate, concatenate_sizes, split, copy_key_starts, sum_rows, add_rows, scale_rows;

#endif
