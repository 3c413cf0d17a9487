/* CUDA graphs. A capture is in mode `global`: what CUDA forbids meanwhile fails in every thread, and spoils it.
 *
 * A graph keeps the work that was put on its stream, in order. When it is launched, each place that this work reads or
 * writes must still be device memory; then it is done: a capture itself does nothing. */
#include "fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct CUgraph_st {
  struct work *work;
  long size, capacity;
};

static struct {
  int active, spoiled;
  cudaStream_t stream;
  pthread_t thread;
  cudaGraph_t graph;
} capture;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int fake_is_any_capturing(void) { return capture.active; }
int fake_is_capturing(cudaStream_t stream) { return capture.active && stream == capture.stream; }

cudaError_t fake_forbid_in_capture(const char *what) {
  if (fake_kept()) return fake_failed(fake_kept());
  if (!capture.active) return cudaSuccess;
  int by_another = !pthread_equal(pthread_self(), capture.thread);
  fake_note("FORBIDDEN: %s%s", what, by_another ? ", by another thread" : "");
  capture.spoiled = 1;
  return fake_failed(cudaErrorStreamCaptureUnsupported);
}

void fake_add_work(const struct work *work) {
  cudaGraph_t graph = capture.graph;
  if (graph->size == graph->capacity) {
    graph->capacity = graph->capacity ? 2 * graph->capacity : 256;
    graph->work = realloc(graph->work, graph->capacity * sizeof *graph->work);
  }
  graph->work[graph->size++] = *work;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
  TRY(fake_check_stream(stream, "cudaStreamBeginCapture"));
  pthread_mutex_lock(&lock);
  int is_first = !capture.active;
  if (is_first) {
    capture.stream = stream;
    capture.thread = pthread_self();
    capture.spoiled = 0;
    capture.graph = calloc(1, sizeof *capture.graph);
    capture.active = 1;
  }
  pthread_mutex_unlock(&lock);
  if (!is_first) return fake_forbid_in_capture("cudaStreamBeginCapture");
  fake_note("begin capture, mode %s", mode == cudaStreamCaptureModeGlobal ? "global" : "other");
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  capture.active = 0;
  fake_note("end capture%s, %ld pieces of work", capture.spoiled ? " SPOILED" : "", capture.graph->size);
  *graph = capture.spoiled ? NULL : capture.graph;
  return capture.spoiled ? fake_failed(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  *status = fake_is_capturing(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) {
  TRY(fake_forbid_in_capture("cudaGraphInstantiate"));
  struct CUgraph_st *copy = malloc(sizeof *copy);
  *copy = *graph;
  copy->work = malloc(graph->size * sizeof *graph->work);
  memcpy(copy->work, graph->work, graph->size * sizeof *graph->work);
  *executable = (cudaGraphExec_t)copy;
  return cudaSuccess;
}

static void do_again(const struct work *work) {
  fake_note("[replay] %s", work->what);
  for (int i = 0; i < MOST_PLACES; i++)
    if (work->places[i].begin && !fake_is_inside_a_block(work->places[i])) fake_note("STALE ADDRESS: %s", work->what);
  fake_perform(work);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  TRY(fake_check_stream(stream, "cudaGraphLaunch"));
  const struct CUgraph_st *graph = (const struct CUgraph_st *)executable;
  fake_note("cudaGraphLaunch, %ld pieces of work", graph->size);
  fake_count(REPLAYS);
  TRY(fake_kept());
  for (long i = 0; i < graph->size; i++) do_again(&graph->work[i]);
  return cudaSuccess;
}

static void forget(struct CUgraph_st *graph) {
  free(graph->work);
  free(graph);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  forget(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  TRY(fake_forbid_in_capture("cudaGraphExecDestroy"));
  forget((struct CUgraph_st *)executable);
  return cudaSuccess;
}
