/* The steps of attentions that are not fused, and those before CUTLASS's: heads are parted, biases added, scores made
 * weights.
 *
 * A block is a token, its threads are heads and their elements: sizes are those of the launch. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a thread takes at once, by the type that stands for it. */
static const struct {
  const char *name;
  enum type type;
  int width;
} vectors[] = {{"5Half4", HALF, 4},   {"7__half2", HALF, 2}, {"I6__half", HALF, 1},
               {"6float4", FLOAT, 4}, {"6float2", FLOAT, 2}, {"If", FLOAT, 1}};

struct parted {
  const void *input, *bias;
  void *to;
};

/* [B, S, M, N, H] to [M, B, S, N, H], or to [M, B, N, S, H]; M is for query, key and value. */
static void part(const struct call *call, struct parted is, int is_transposed) {
  size_t kind = 0;
  while (!strstr(call->name, vectors[kind].name))
    if (++kind == sizeof vectors / sizeof *vectors) __builtin_trap();
  enum type type = vectors[kind].type;
  int64_t size = (int64_t)call->block.x * vectors[kind].width, heads = call->block.y, longest = call->grid.x;
  int64_t texts = call->grid.y, matrices = call->grid.z;
  for (int64_t row = 0; row < texts * longest * matrices * heads; row++) {
    int64_t head = row % heads, matrix = row / heads % matrices, token = row / heads / matrices;
    int64_t text = token / longest, place = token % longest;
    int64_t in_matrix = is_transposed ? (text * heads + head) * longest + place : token * heads + head;
    int64_t to = (matrix * texts * longest * heads + in_matrix) * size;
    for (int64_t i = 0; i < size; i++) {
      double bias = is.bias ? get(is.bias, type, (matrix * heads + head) * size + i) : 0;
      put(is.to, type, to + i, get(is.input, type, row * size + i) + bias);
    }
  }
}

struct joined {
  int matrices;
  struct parted parted;
};

void add_bias_and_part(const struct call *call) { part(call, ((const struct joined *)call->arguments)->parted, 0); }
void add_bias_and_transpose(const struct call *call) { part(call, ((const struct joined *)call->arguments)->parted, 1); }
void add_bias_and_transpose_one(const struct call *call) { part(call, *(const struct parted *)call->arguments, 1); }

/* Of [B, N, S, K], over the keys before each text's end. A bias may be one for all texts, or for all heads. */
void softmax_of_lengths(const struct call *call) {
  const struct {
    int keys, longest;
    const int *ends, *begins;
    const void *bias;
    uint8_t one_bias_for_texts, one_bias_for_heads;
    const void *from;
    void *to;
    uint8_t is_causal;
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  double *scores = malloc(sizeof *scores * is->keys);
  for (int64_t row = 0; row < (int64_t)call->grid.y * call->grid.x; row++) {
    int64_t text = row / call->grid.x, of_text = row % call->grid.x, query = of_text % is->longest;
    int64_t begin = is->begins ? is->begins[text] : 0, end = is->ends[text];
    int64_t rows_of_bias = is->one_bias_for_heads ? is->longest : (int)call->grid.x;
    int64_t bias = (is->one_bias_for_texts ? 0 : text * rows_of_bias) + (is->one_bias_for_heads ? query : of_text);
    double most = -INFINITY, sum = 0;
    for (int64_t i = begin; i < end; i++) {
      scores[i] = get(is->from, type, row * is->keys + i) + (is->bias ? get(is->bias, type, bias * is->keys + i) : 0);
      most = fmax(most, scores[i]);
    }
    for (int64_t i = begin; i < end; i++) sum += scores[i] = exp(scores[i] - most);
    for (int64_t i = 0; i < is->keys; i++)
      put(is->to, type, row * is->keys + i, i >= begin && i < end ? scores[i] / sum : 0);
  }
  free(scores);
}

/* [B, N, S, H] to [B, S, N, H]. */
void join_heads(const struct call *call) {
  const struct {
    int size;
    uint8_t is_by_token;
    const void *from;
    void *to;
  } *is = (const void *)call->arguments;
  size_t head_bytes = call->block.x * (strstr(call->name, "6float4") ? 16 : strstr(call->name, "6float2") ? 8 : 4);
  int64_t heads = call->block.y, longest = call->grid.x;
  for (int64_t text = 0; text < call->grid.y; text++)
    for (int64_t head = 0; head < heads; head++)
      for (int64_t place = 0; place < longest; place++)
        memcpy((char *)is->to + ((text * longest + place) * heads + head) * head_bytes,
               (const char *)is->from + ((text * heads + head) * longest + place) * head_bytes, head_bytes);
}
