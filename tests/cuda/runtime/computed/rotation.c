/* RotaryEmbedding: pairs of elements of each head are turned by their token's place. */
#include "kernels.h"

void rotate(const struct call *call) {
  const struct {
    void *to;
    const void *from, *cosines, *sines;
    const int64_t *positions;
    const int *past;
    int longest, heads, size, turned, most_positions, has_positions;
    uint8_t is_interleaved;
    _Alignas(16) int from_steps[4], to_steps[4]; /* to the next text, head, token, element */
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  int half = is->turned / 2;
  for (int64_t token = 0; token < call->grid.x; token++)
    for (int64_t text = 0; text < call->grid.y; text++)
      for (int64_t head = 0; head < call->grid.z; head++) {
        int64_t from = text * is->from_steps[0] + head * is->from_steps[1] + token * is->from_steps[2];
        int64_t to = text * is->to_steps[0] + head * is->to_steps[1] + token * is->to_steps[2];
        int64_t place = is->has_positions ? is->positions[text * is->longest + token] : is->positions[0] + token;
        for (int i = 0; i < is->size; i++) {
          double value = get(is->from, type, from + i * is->from_steps[3]);
          if (i < is->turned) {
            int pair = is->is_interleaved ? i / 2 : i % half;
            int is_first = is->is_interleaved ? i % 2 == 0 : i < half;
            int other = is->is_interleaved ? i ^ 1 : (i + half) % is->turned;
            double across = get(is->from, type, from + other * is->from_steps[3]);
            across *= get(is->sines, type, place * half + pair);
            value *= get(is->cosines, type, place * half + pair);
            value += is_first ? -across : across;
          }
          put(is->to, type, to + i * is->to_steps[3], value);
        }
      }
}
