/* Numbers as kernels read and write them: any type in memory, double in between. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

enum type { HALF, FLOAT, DOUBLE, INT, LONG, BOOL };

static inline double get(const void *from, enum type type, int64_t at) {
  switch (type) {
  case HALF: return ((const _Float16 *)from)[at];
  case FLOAT: return ((const float *)from)[at];
  case DOUBLE: return ((const double *)from)[at];
  case INT: return ((const int32_t *)from)[at];
  case LONG: return (double)((const int64_t *)from)[at];
  case BOOL: return ((const uint8_t *)from)[at];
  }
  __builtin_unreachable();
}

/* Rounded to the type: to nearest, halves to even. */
static inline void put(void *to, enum type type, int64_t at, double value) {
  switch (type) {
  case HALF: ((_Float16 *)to)[at] = (_Float16)value; return;
  case FLOAT: ((float *)to)[at] = (float)value; return;
  case DOUBLE: ((double *)to)[at] = value; return;
  case INT: ((int32_t *)to)[at] = (int32_t)value; return;
  case LONG: ((int64_t *)to)[at] = (int64_t)value; return;
  case BOOL: ((uint8_t *)to)[at] = value != 0; return;
  }
  __builtin_unreachable();
}

#endif
