/* Whether kernels and products are computed, and when: at once, or, where they are captured, with each replay. */
#include "computed/kernels.h"

#include <stdlib.h>

static int computing;

void fake_compute(int on) { computing = on; }

__attribute__((constructor)) static void begin(void) { computing = getenv("FAKE_COMPUTE") != NULL; }

void fake_perform(const struct work *work) {
  if (!work->is_memory && !computing) return;
  if (work->compute) work->compute(&work->call);
  else fake_note("NOT COMPUTED: %s", work->what);
}

void fake_do(cudaStream_t stream, const struct work *work) {
  if (fake_is_capturing(stream)) fake_add_work(work);
  else fake_perform(work);
}
