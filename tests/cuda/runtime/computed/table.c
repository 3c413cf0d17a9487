/* Which kernels are computed. Names and arguments are those of onnxruntime's sources, as its library registers them. */
#include "kernels.h"

#include <string.h>

/* A kernel is found by parts of its mangled name: up to the types its template begins with, and something later. */
static const struct entry {
  const char *begin, *later;
  int types;
  const char *arguments; /* see arguments.c */
  computation *compute;
} table[] = {
    {"20EmbedLayerNormKernelI", "", 1, "ipppppppfpppb", embed_layer_norm},
    {"19SkipLayerNormKernelI", "Lb0EEEv", 1, "pppppppfii", skip_layer_norm}, /* with a mean */
    {"24SkipLayerNormKernelSmallI", "Lb0EEEv", 1, "pppppppfii", skip_layer_norm},
    {"16cuApplyLayerNormI", "Lb0EEEv", 1, "ppppiifppippp", apply_layer_norm},
    {"14BiasGeluKernelI", "", 1, "lppp", bias_gelu},
    {"24VectorizedBiasGeluKernelI", "", 1, "lppp", bias_gelu},
    {"16flash_fwd_kernelI", "6half_t", 0, "F", flash_attention},
    {"29attention_kernel_batched_implI", "6half_t", 0, "C", cutlass_attention},
    {"23AddBiasTransposeCutlassI", "Evi", 0, "ippp", add_bias_and_part},
    {"19AddBiasTransposeQKVI", "Evi", 0, "ipppp", add_bias_and_transpose},
    {"16AddBiasTransposeI", "", 0, "ppp", add_bias_and_transpose_one},
    {"24MaskedSoftmaxKernelSmallI", "", 1, "iipppbbppb", softmax_of_lengths},
    {"12TransposeCtxI", "", 0, "ibpp", join_heads},
    {"19RotaryEmbeddingBSNHI", "Lb0EEEv", 1, "ppppppiiiiiibvv", rotate},
    {"17_UnaryElementWiseI", "OP_", 2, "ppbl", unary},
    {"18_BinaryElementWiseI", "EiEEv", 3, "ispspDppi", binary}, /* of less than 2^31 elements, as those that follow */
    {"24_BinaryElementWiseSimpleILb1ELb1E", "EiEEv", 3, "ppppi", binary_simple},
    {"24_BinaryElementWiseSimpleILb1ELb0E", "EiEEv", 3, "ppppi", binary_simple},
    {"24_BinaryElementWiseSimpleILb0ELb1E", "EiEEv", 3, "ppppi", binary_simple},
    {"37_BinaryElementWiseRhsPerChannelBatch1I", "EiEEv", 3, "ppdpbi", binary_by_channel},
    {"37_BinaryElementWiseRhsPerChannelBatchNI", "EiEEv", 3, "ppddpbi", binary_by_channel_in_batch},
    {"24_TenaryElementWiseSimpleI", "", 1, "ppppi", where},
    {"11RangeKernelI", "", 1, "lllp", range},
    {"13_GatherKernelI", "", 0, "llddplppi", gather},
    {"12_SliceKernelILb0ELi2E", "", 0, "sssDppi", slice}, /* of a matrix */
    {"26_ConcatKernelSameConcatDimI", "6TArrayIPKvLi32E", 0, "dddpPi", concatenate},
    {"24_ConcatKernelOutputMajorI", "", 0, "ddSpPi", concatenate_sizes},
    {"22_SplitSmallInnerKernelI", "", 0, "4p4li", split},
    {"34SanitizeMask1DKeySeqLenStartValues", "", 0, "ppiii", copy_key_starts},
    {"28reduce_matrix_columns_kernelI", "8IdentityES3_Lb0EEEv", 2, "iipppp", sum_rows},
    {"25reduce_matrix_rows_kernelI", "", 2, "ppii", add_rows},
    {"12LpNormKernelI", "Li2E", 2, "pplll", scale_rows},
};

/* Itanium C++ ABI: types are letters, 6__half is a name, and S2_ one that came before: always that one, here. */
static int read_types(const char *at, enum type *types, int wanted) {
  for (int i = 0; i < wanted; i++) {
    if (strncmp(at, "6__half", 7) == 0) types[i] = HALF, at += 7;
    else if (at[0] == 'S' && at[1] != '_' && at[2] == '_') types[i] = HALF, at += 3;
    else if (*at == 'f') types[i] = FLOAT, at++;
    else if (*at == 'd') types[i] = DOUBLE, at++;
    else if (*at == 'i') types[i] = INT, at++;
    else if (*at == 'l') types[i] = LONG, at++;
    else if (*at == 'b') types[i] = BOOL, at++;
    else return 0;
  }
  return 1;
}

computation *fake_computation(const char *name, dim3 grid, dim3 block, void **arguments, struct call *kept) {
  if (strstr(name, "OP_") && !fake_operation(name)) return NULL;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    const struct entry *entry = &table[i];
    const char *begin = strstr(name, entry->begin);
    if (!begin || !strstr(begin, entry->later)) continue;
    if (!read_types(begin + strlen(entry->begin), kept->types, entry->types)) return NULL;
    kept->name = name;
    kept->grid = grid;
    kept->block = block;
    fake_keep_arguments(kept, entry->arguments, arguments);
    return entry->compute;
  }
  return NULL;
}
