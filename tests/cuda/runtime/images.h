/* Kernels by the function of the host that stands for them. */
#ifndef IMAGES_H
#define IMAGES_H

#include "fake.h"

struct image;
struct kernel {
  const char *host;
  const char *name; /* mangled; "?" where it was never registered */
  const struct image *image;
};
struct kernel fake_kernel_of(const void *host);
int fake_runs_here(const struct image *image);

#endif
