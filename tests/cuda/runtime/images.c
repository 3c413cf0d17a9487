/* Kernels as nvcc registers them when a library is loaded: their names, and for which architectures there is code.
 *
 * A fat binary holds entries of machine code for one architecture each, or of PTX, which the driver compiles for the
 * same or a later one. Machine code runs on its own architecture and on later ones of the same major number.
 * Source: CUDA Binary Utilities; the layout is that of fatbinary.h in cuda-crt. */
#include "images.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST_ARCHITECTURES = 256, MACHINE_CODE = 2, PTX = 1 };

struct image {
  unsigned char has_code[MOST_ARCHITECTURES];
  int oldest_ptx; /* 0: none */
};

struct wrapper { /* what the compiler hands over */
  int magic, version;
  const char *data;
};

struct header {
  unsigned magic;
  unsigned short version, size;
  unsigned long long payload;
};

struct entry {
  unsigned short kind, version;
  unsigned header_size;
  unsigned long long size;
  unsigned unused[3];
  unsigned architecture;
};

static struct kernel *kernels;
static long n_kernels, capacity, sorted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void **__cudaRegisterFatBinary(void *handed_over) {
  struct image *image = calloc(1, sizeof *image);
  const struct header *header = (const void *)((const struct wrapper *)handed_over)->data;
  const char *at = (const char *)header + header->size, *end = at + header->payload;
  while (at < end) {
    const struct entry *entry = (const void *)at;
    if (entry->header_size < sizeof *entry) break;
    int architecture = (int)entry->architecture;
    if (entry->kind == MACHINE_CODE && architecture < MOST_ARCHITECTURES) image->has_code[architecture] = 1;
    if (entry->kind == PTX && (!image->oldest_ptx || architecture < image->oldest_ptx)) image->oldest_ptx = architecture;
    at += entry->header_size + entry->size;
  }
  return (void **)image;
}

int fake_runs_here(const struct image *image) {
  int here = fake_architecture();
  for (int architecture = here / 10 * 10; architecture <= here; architecture++)
    if (image->has_code[architecture]) return 1;
  return image->oldest_ptx && image->oldest_ptx <= here;
}

void __cudaRegisterFunction(void **image, const char *host, char *device_function, const char *name, int limit,
                            void *thread, void *block, void *block_size, void *grid_size, int *warp_size) {
  pthread_mutex_lock(&lock);
  if (n_kernels == capacity) {
    capacity = capacity ? 2 * capacity : 65536;
    kernels = realloc(kernels, capacity * sizeof *kernels);
  }
  kernels[n_kernels++] = (struct kernel){host, name, (const struct image *)image};
  pthread_mutex_unlock(&lock);
}

void __cudaRegisterFatBinaryEnd(void **image) {}
void __cudaUnregisterFatBinary(void **image) {}
void __cudaRegisterVar(void **image, char *host, char *address, const char *name, int external, size_t size,
                       int is_constant, int is_global) {}

static int by_host(const void *one, const void *other) {
  const char *a = ((const struct kernel *)one)->host, *b = ((const struct kernel *)other)->host;
  return a < b ? -1 : a > b;
}

struct kernel fake_kernel_of(const void *host) {
  static const struct kernel unknown = {NULL, "?", NULL};
  pthread_mutex_lock(&lock);
  if (sorted != n_kernels) {
    qsort(kernels, n_kernels, sizeof *kernels, by_host);
    sorted = n_kernels;
  }
  const struct kernel wanted = {host, NULL, NULL};
  const struct kernel *found = bsearch(&wanted, kernels, n_kernels, sizeof *kernels, by_host);
  struct kernel kernel = found ? *found : unknown;
  pthread_mutex_unlock(&lock);
  return kernel;
}

long fake_kernels(void) { return n_kernels; }

long fake_kernels_without_code(void) {
  long without = 0;
  for (long i = 0; i < n_kernels; i++) without += !fake_runs_here(kernels[i].image);
  return without;
}
