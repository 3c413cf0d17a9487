/* Arguments of a launch: a letter for each says what it is. */
#include "kernels.h"

#include <string.h>

/* Its size, and what its address is a multiple of. */
static struct kind {
  size_t size, alignment;
} kind_of(char letter) {
  switch (letter) {
  case 'b': return (struct kind){1, 1}; /* bool; or an operation that holds nothing */
  case 'i': return (struct kind){4, 4};
  case 'f': return (struct kind){4, 4};
  case 'l': return (struct kind){8, 8};
  case 'p': return (struct kind){8, 8};
  case 'd': return (struct kind){sizeof(struct division), 4};
  case 'D': return (struct kind){sizeof(struct divisions), 4};
  case 's': return (struct kind){sizeof(struct strides), 8};
  case 'P': return (struct kind){sizeof(struct places), 8};
  case 'S': return (struct kind){sizeof(struct sizes), 8};
  case '4': return (struct kind){sizeof(struct few_sizes), 8}; /* or of few_places */
  case 'v': return (struct kind){16, 16};                      /* int4: four numbers */
  case 'F': return (struct kind){FLASH_ARGUMENTS, 8};
  case 'C': return (struct kind){CUTLASS_ARGUMENTS, 8};
  }
  __builtin_trap();
}

/* One after another as in a struct with these members. */
void fake_keep_arguments(struct call *call, const char *letters, void **arguments) {
  size_t at = 0;
  for (int i = 0; letters[i]; i++) {
    struct kind kind = kind_of(letters[i]);
    at = (at + kind.alignment - 1) / kind.alignment * kind.alignment;
    if (at + kind.size > sizeof call->arguments) __builtin_trap();
    memcpy(call->arguments + at, arguments[i], kind.size);
    at += kind.size;
  }
}
