/* Elements that are moved as they are: Gather, Slice, Concat, Split. */
#include "kernels.h"

#include <string.h>

/* Bytes of an element: the last argument of a template that is made for sizes, not for types. */
static size_t size_of_element(const char *name, const char *part) {
  switch (strstr(name, part)[strlen(part)]) {
  case 'a': return 1;
  case 's': return 2;
  case 'i': return 4;
  case 'l': return 8;
  }
  __builtin_trap();
}

void gather(const struct call *call) {
  const struct {
    int64_t input_block, rows;
    struct division output_block, row;
    const void *indices;
    size_t index_size;
    const char *from;
    char *to;
    int size;
  } *is = (const void *)call->arguments;
  size_t element = size_of_element(call->name, "_GatherKernelI");
  enum type index_type = is->index_size == 8 ? LONG : INT;
  for (int64_t i = 0; i < is->size; i += is->row.by) {
    int64_t block = i / is->output_block.by, within = i % is->output_block.by;
    int64_t index = get(is->indices, index_type, within / is->row.by);
    if (index < 0) index += is->rows;
    if (index < 0 || index >= is->rows) {
      memset(is->to + i * element, 0, is->row.by * element);
      continue;
    }
    memcpy(is->to + i * element, is->from + (block * is->input_block + index * is->row.by) * element,
           is->row.by * element);
  }
}

void slice(const struct call *call) {
  const struct {
    struct strides starts, steps, input;
    struct divisions output;
    const char *from;
    char *to;
    int size;
  } *is = (const void *)call->arguments;
  size_t element = size_of_element(call->name, "_SliceKernelILb0ELi2E");
  for (int i = 0; i < is->size; i++) {
    int64_t row = i / is->output.of[0].by, column = i % is->output.of[0].by;
    int64_t at = (is->starts.of[0] + row * is->steps.of[0]) * is->input.of[0];
    at += is->starts.of[1] + column * is->steps.of[1];
    memcpy(is->to + i * element, is->from + at * element, element);
  }
}

/* Of inputs of one shape: `along` is their size along the axis. */
void concatenate(const struct call *call) {
  const struct {
    struct division output_block, row, along;
    char *to;
    struct places from;
    int size;
  } *is = (const void *)call->arguments;
  size_t element = size_of_element(call->name, "_ConcatKernelSameConcatDimI");
  for (int64_t i = 0; i < is->size; i += is->row.by) {
    int64_t block = i / is->output_block.by, at = i % is->output_block.by / is->row.by;
    const char *from = is->from.of[at / is->along.by];
    memcpy(is->to + i * element, from + (block * is->along.by + at % is->along.by) * is->row.by * element,
           is->row.by * element);
  }
}

/* Of inputs that differ in size along the axis: `ends` says where each ends. */
void concatenate_sizes(const struct call *call) {
  const struct {
    struct division output_block, row;
    struct sizes ends;
    char *to;
    struct places from;
    int size;
  } *is = (const void *)call->arguments;
  size_t row = is->row.by * size_of_element(call->name, "_ConcatKernelOutputMajorI");
  for (int64_t i = 0; i < is->size; i += is->row.by) {
    int64_t block = i / is->output_block.by, at = i % is->output_block.by / is->row.by;
    int input = 0;
    while (at >= is->ends.of[input]) input++;
    int64_t begin = input ? is->ends.of[input - 1] : 0, size = is->ends.of[input] - begin;
    memcpy(is->to + i / is->row.by * row, (const char *)is->from.of[input] + (block * size + at - begin) * row, row);
  }
}

/* Along the last axis; sizes are in bytes. */
void split(const struct call *call) {
  const struct {
    struct few_sizes sizes;
    const char *from;
    struct few_places to;
    int64_t row;
    int words; /* of 16 bytes, in all */
  } *is = (const void *)call->arguments;
  for (int64_t row = 0; row < is->words * 16 / is->row; row++) {
    const char *from = is->from + row * is->row;
    for (int i = 0; i < is->to.size; from += is->sizes.of[i++])
      memcpy((char *)is->to.of[i] + row * is->sizes.of[i], from, is->sizes.of[i]);
  }
}

/* A mask of 3 * texts + 2 numbers, that are as they should be: then it is kept as it is. */
void copy_key_starts(const struct call *call) {
  const struct {
    const int *from;
    int *to;
    int texts, longest, longest_keys;
  } *is = (const void *)call->arguments;
  memcpy(is->to, is->from, (3 * is->texts + 2) * sizeof *is->to);
}
