/* Elements that are moved as they are: Gather, Concat. */
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
