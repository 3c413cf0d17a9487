/* Streams and events. All work is done when it is asked for, so that events have always happened. */
#include "fake.h"

#include <stdlib.h>

/* The legacy stream and each thread's own are numbers, not streams: whatever device is current. */
static int is_default(cudaStream_t stream) { return (size_t)stream <= (size_t)cudaStreamPerThread; }

static cudaError_t new_stream(cudaStream_t *stream) {
  *stream = malloc(sizeof **stream);
  **stream = (struct CUstream_st){fake_current_device(), 1};
  return cudaSuccess;
}

cudaError_t fake_check_stream(cudaStream_t stream, const char *what) {
  if (fake_kept()) return fake_failed(fake_kept());
  if (is_default(stream)) {
    if (!fake_is_any_capturing()) return cudaSuccess;
    fake_forbid_in_capture(what);
    return fake_failed(cudaErrorStreamCaptureImplicit);
  }
  if (!stream->alive || stream->device != fake_current_device()) {
    fake_note("WRONG STREAM: %s on a stream of device %d%s while device %d is current", what, stream->device,
              stream->alive ? "" : " that was destroyed", fake_current_device());
    return fake_failed(cudaErrorInvalidResourceHandle);
  }
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return new_stream(stream); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) { return new_stream(stream); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream->alive = 0; /* and kept, to tell who still uses it */
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  TRY(fake_kept());
  if (is_default(stream) || fake_is_capturing(stream)) TRY(fake_forbid_in_capture("cudaStreamSynchronize"));
  fake_note("cudaStreamSynchronize");
  fake_count(SYNCHRONIZATIONS);
  if (!is_default(stream)) fake_stay_while_hanging(); /* streams do not wait for the legacy one, nor it for them */
  return fake_kept();
}

cudaError_t cudaDeviceSynchronize(void) {
  TRY(fake_forbid_in_capture("cudaDeviceSynchronize"));
  fake_note("cudaDeviceSynchronize");
  fake_count(SYNCHRONIZATIONS);
  fake_stay_while_hanging();
  return fake_kept();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) { return cudaSuccess; }

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
  TRY(fake_check_stream(stream, "cudaLaunchHostFunc"));
  fake_note("cudaLaunchHostFunc");
  function(data);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  *event = malloc(1);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  free(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { return fake_check_stream(stream, "cudaEventRecord"); }
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  return fake_check_stream(stream, "cudaEventRecord");
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  TRY(fake_forbid_in_capture("cudaEventSynchronize"));
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = 1;
  return cudaSuccess;
}
