/* What the parts of the fake CUDA runtime share. Names that begin with fake_ are for tests (see ../fake.py). */
#ifndef FAKE_H
#define FAKE_H

#include "computed/numbers.h"

#include <cuda_runtime_api.h>
#include <stddef.h>

/* Return what a call gave if it is an error. */
#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    cudaError_t error_ = (call);                                                                                       \
    if (error_ != cudaSuccess) return error_;                                                                          \
  } while (0)

/* journal.c: what was called, in order, and how often. */
enum counter { LAUNCHES, PRODUCTS, COPIES, ALLOCATIONS, SYNCHRONIZATIONS, REPLAYS, COUNTERS };
void fake_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fake_count(enum counter which);

/* errors.c: the last error of a thread, errors that stay, devices that hang. */
cudaError_t fake_failed(cudaError_t error); /* remembers it for cudaGetLastError, and gives it back */
cudaError_t fake_kept(void);                /* the error that stays; cudaSuccess while there is none */
void fake_trigger(enum counter which);      /* something was counted that an error or a hang may wait for */
void fake_stay_while_hanging(void);

/* device.c */
int fake_current_device(void);
int fake_architecture(void); /* 90 for 9.0; of all devices */

/* memory.c: device memory is the host's, in blocks. */
struct span {
  const void *begin;
  size_t size;
};
int fake_device_of(const void *pointer);       /* whose block it lies in; -1: none */
int fake_is_inside_a_block(struct span place); /* of any device, from its first byte to its last */

/* streams.c */
struct CUstream_st {
  int device;
  int alive;
};
cudaError_t fake_check_stream(cudaStream_t stream, const char *what); /* before work is put on it */

/* capture.c: what is forbidden while a stream is captured, and what a captured graph holds. */
enum { MOST_PLACES = 3, MOST_TYPES = 3, ARGUMENTS = 640 };
struct call { /* a launch; or other work, with arguments of its own */
  const char *name;
  enum type types[MOST_TYPES]; /* that the name begins its template's arguments with */
  dim3 grid, block;
  _Alignas(16) unsigned char arguments[ARGUMENTS];
};
struct work {
  const char *what;
  struct span places[MOST_PLACES];      /* that it reads or writes */
  void (*compute)(const struct call *); /* NULL: nothing is */
  int is_memory;                        /* a copy, or memory that is set: done even where kernels are not computed */
  struct call call;
};
cudaError_t fake_forbid_in_capture(const char *what);
int fake_is_capturing(cudaStream_t stream);
int fake_is_any_capturing(void);
void fake_add_work(const struct work *work); /* to the graph that is captured */

/* compute.c */
void fake_do(cudaStream_t stream, const struct work *work); /* now; where the stream is captured, with each replay */
void fake_perform(const struct work *work);

#endif
