/* Device memory: blocks of the host's, each of one device. Copies are checked against them, and done. */
#include "fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEVICES = 8 };

static struct block {
  char *begin;
  size_t size;
  int device;
} *blocks;
static int n_blocks, capacity;
static size_t used[MOST_DEVICES], most = (size_t)80 << 30;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

size_t fake_used(int device) { return used[device]; }
void fake_most(size_t bytes) { most = bytes; } /* memory of each device */

static cudaError_t take(void **pointer, size_t size) {
  int device = fake_current_device();
  size = size ? size : 1;
  *pointer = NULL;
  pthread_mutex_lock(&lock);
  int fits = used[device] + size <= most && posix_memalign(pointer, 512, size) == 0;
  if (fits) {
    if (n_blocks == capacity) {
      capacity = capacity ? 2 * capacity : 1024;
      blocks = realloc(blocks, capacity * sizeof *blocks);
    }
    blocks[n_blocks++] = (struct block){*pointer, size, device};
    used[device] += size;
  }
  pthread_mutex_unlock(&lock);
  if (!fits) return fake_failed(cudaErrorMemoryAllocation);
  memset(*pointer, 0, size);
  fake_count(ALLOCATIONS);
  return cudaSuccess;
}

static void give_back(void *pointer) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < n_blocks; i++) {
    if (blocks[i].begin != pointer) continue;
    used[blocks[i].device] -= blocks[i].size;
    blocks[i] = blocks[--n_blocks];
    free(pointer);
    break;
  }
  pthread_mutex_unlock(&lock);
}

static int find(struct span place, struct block *found) {
  int is_inside = 0;
  const char *begin = place.begin;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < n_blocks && !is_inside; i++) {
    *found = blocks[i];
    is_inside = begin >= found->begin && begin + place.size <= found->begin + found->size;
  }
  pthread_mutex_unlock(&lock);
  return is_inside;
}

int fake_is_inside_a_block(struct span place) {
  struct block block;
  return find(place, &block);
}

int fake_device_of(const void *pointer) {
  struct block block;
  return find((struct span){pointer, 1}, &block) ? block.device : -1;
}

cudaError_t cudaMalloc(void **pointer, size_t size) {
  TRY(fake_forbid_in_capture("cudaMalloc"));
  fake_note("cudaMalloc %zu", size);
  return take(pointer, size);
}

cudaError_t cudaFree(void *pointer) {
  TRY(fake_forbid_in_capture("cudaFree"));
  fake_note("cudaFree");
  give_back(pointer);
  return cudaSuccess;
}

cudaError_t cudaMallocFromPoolAsync(void **pointer, size_t size, cudaMemPool_t pool, cudaStream_t stream) {
  TRY(fake_check_stream(stream, "cudaMallocFromPoolAsync"));
  fake_note("cudaMallocFromPoolAsync %zu", size);
  return take(pointer, size);
}

cudaError_t cudaFreeAsync(void *pointer, cudaStream_t stream) {
  TRY(fake_check_stream(stream, "cudaFreeAsync"));
  fake_note("cudaFreeAsync");
  give_back(pointer);
  return cudaSuccess;
}

/* Pinned memory is memory like any other here. */
cudaError_t cudaHostAlloc(void **pointer, size_t size, unsigned flags) {
  TRY(fake_forbid_in_capture("cudaHostAlloc"));
  fake_note("cudaHostAlloc %zu", size);
  fake_count(ALLOCATIONS);
  return posix_memalign(pointer, 4096, size ? size : 1) ? fake_failed(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaMallocHost(void **pointer, size_t size) { return cudaHostAlloc(pointer, size, 0); }

cudaError_t cudaFreeHost(void *pointer) {
  TRY(fake_forbid_in_capture("cudaFreeHost"));
  fake_note("cudaFreeHost");
  free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total) {
  *total = most;
  *unused = most - used[fake_current_device()];
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *pointer) {
  int device = fake_device_of(pointer);
  memset(attributes, 0, sizeof *attributes);
  attributes->type = device < 0 ? cudaMemoryTypeUnregistered : cudaMemoryTypeDevice;
  attributes->device = device < 0 ? 0 : device;
  attributes->devicePointer = (void *)pointer;
  return cudaSuccess;
}

/* Copies. */

static const char *direction(enum cudaMemcpyKind kind) {
  static const char *names[] = {"H2H", "H2D", "D2H", "D2D", "default"};
  return names[kind];
}

static cudaError_t check_copy(const char *what, const void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  int to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  int from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (size && ((to_device && !fake_is_inside_a_block((struct span){to, size})) ||
               (from_device && !fake_is_inside_a_block((struct span){from, size})))) {
    fake_note("NOT DEVICE MEMORY: %s %s %zu", what, direction(kind), size);
    return fake_failed(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  TRY(fake_forbid_in_capture("cudaMemcpy"));
  TRY(check_copy("cudaMemcpy", to, from, size, kind));
  fake_note("cudaMemcpy %s %zu to %p from %p", direction(kind), size, to, from);
  fake_count(COPIES);
  TRY(fake_kept());
  memcpy(to, from, size);
  return cudaSuccess;
}

struct copy {
  void *to;
  const void *from;
  size_t size;
};

static void copy(const struct call *call) {
  const struct copy *is = (const void *)call->arguments;
  memcpy(is->to, is->from, is->size);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t stream) {
  TRY(fake_check_stream(stream, "cudaMemcpyAsync"));
  TRY(check_copy("cudaMemcpyAsync", to, from, size, kind));
  fake_note("cudaMemcpyAsync %s %zu to %p from %p", direction(kind), size, to, from);
  fake_count(COPIES);
  TRY(fake_kept());
  struct work work = {.what = "copy", .compute = copy, .is_memory = 1};
  *(struct copy *)work.call.arguments = (struct copy){to, from, size};
  fake_do(stream, &work);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  for (size_t row = 0; row < height; row++)
    TRY(cudaMemcpyAsync((char *)to + row * to_pitch, (const char *)from + row * from_pitch, width, kind, stream));
  return cudaSuccess;
}

cudaError_t cudaMemcpyFromSymbol(void *to, const void *symbol, size_t size, size_t offset, enum cudaMemcpyKind kind) {
  memset(to, 0, size);
  return cudaSuccess;
}

cudaError_t cudaMemset(void *pointer, int value, size_t size) {
  TRY(fake_forbid_in_capture("cudaMemset"));
  fake_note("cudaMemset %zu", size);
  memset(pointer, value, size);
  return cudaSuccess;
}

struct set {
  void *begin;
  int value;
  size_t size;
};

static void set(const struct call *call) {
  const struct set *is = (const void *)call->arguments;
  memset(is->begin, is->value, is->size);
}

cudaError_t cudaMemsetAsync(void *pointer, int value, size_t size, cudaStream_t stream) {
  TRY(fake_check_stream(stream, "cudaMemsetAsync"));
  fake_note("cudaMemsetAsync %zu", size);
  struct work work = {.what = "memset", .places = {{pointer, size}}, .compute = set, .is_memory = 1};
  *(struct set *)work.call.arguments = (struct set){pointer, value, size};
  fake_do(stream, &work);
  return cudaSuccess;
}

/* Memory pools: none is ever used, and they must be there. */
cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const struct cudaMemPoolProps *properties) {
  *pool = malloc(1);
  return cudaSuccess;
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) { return cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value) {
  *(unsigned long long *)value = 0;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value) {
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t size) { return cudaSuccess; }
