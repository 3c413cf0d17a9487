/* Errors: the last one of each thread, one that stays as on a broken device, and a device that hangs.
 *
 * FAKE_BREAK=700:launches:50 gives error 700 from the 50th launch on, for ever, to whatever is called.
 * FAKE_HANG=replays:50 lets whoever waits for a stream wait for ever, from the 50th replay of a graph on. */
#include "fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread cudaError_t last = cudaSuccess;

/* After so many more of a counter. */
struct fuse {
  enum counter which;
  long left; /* 0: not lit */
};
static struct fuse breaking, hanging;
static cudaError_t breaks_with, kept;
static int hangs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static const struct {
  cudaError_t error;
  const char *name, *text;
} known[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};

static int index_of(cudaError_t error) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].error == error) return (int)i;
  return -1;
}

const char *cudaGetErrorName(cudaError_t error) {
  int i = index_of(error);
  return i < 0 ? "cudaErrorWithoutAName" : known[i].name;
}

const char *cudaGetErrorString(cudaError_t error) {
  int i = index_of(error);
  return i < 0 ? "an error without a name" : known[i].text;
}

cudaError_t cudaGetLastError(void) {
  cudaError_t error = kept ? kept : last;
  last = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError(void) { return kept ? kept : last; }

cudaError_t fake_failed(cudaError_t error) { return last = error; }

cudaError_t fake_kept(void) { return kept; }

void fake_break(int error, int which, long after) {
  breaks_with = (cudaError_t)error;
  kept = cudaSuccess;
  breaking = (struct fuse){(enum counter)which, after};
}

void fake_hang(int which, long after) {
  pthread_mutex_lock(&lock);
  hangs = 0;
  hanging = (struct fuse){(enum counter)which, after};
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static int burns_down(struct fuse *fuse, enum counter which) {
  return fuse->left && fuse->which == which && __sync_sub_and_fetch(&fuse->left, 1) == 0;
}

void fake_trigger(enum counter which) {
  if (burns_down(&breaking, which)) {
    kept = breaks_with;
    fake_note("BROKEN: %s", cudaGetErrorName(kept));
  }
  if (burns_down(&hanging, which)) hangs = 1;
}

void fake_stay_while_hanging(void) {
  pthread_mutex_lock(&lock);
  while (hangs) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static enum counter counter_named(const char *name) {
  return strcmp(name, "launches") == 0 ? LAUNCHES : strcmp(name, "copies") == 0 ? COPIES : REPLAYS;
}

__attribute__((constructor)) static void read_environment(void) {
  char name[32];
  int error;
  long after;
  const char *value = getenv("FAKE_BREAK");
  if (value && sscanf(value, "%d:%31[a-z]:%ld", &error, name, &after) == 3) fake_break(error, counter_named(name), after);
  value = getenv("FAKE_HANG");
  if (value && sscanf(value, "%31[a-z]:%ld", name, &after) == 2) fake_hang(counter_named(name), after);
}
