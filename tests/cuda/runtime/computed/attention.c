/* Fused attentions: onnxruntime's FlashAttention-2 over several lengths, and CUTLASS's.
 *
 * Their structs are Flash_fwd_params and AttentionKernel::Params, as far as they are read: what follows, windows and
 * caches, no graph here uses. Steps are in elements. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

enum { WIDEST_HEAD = 256 }; /* that there is a kernel for */

/* One head of one text: queries from `begin` to `end`, and its keys. */
struct head {
  const void *query, *key, *value, *bias;
  void *to;
  int64_t begin, end, first_key, keys;
  int64_t query_row, key_row, value_row, bias_row, to_row;
  int64_t query_at, key_at, value_at, bias_at, to_at; /* where the head begins in a row, or its bias */
  int size;
  double scale;
};

/* Rows as doubles, one after another. */
static double *rows(const void *from, int64_t begin, int64_t count, int64_t step, int64_t at, int size) {
  double *to = malloc(sizeof *to * count * size);
  for (int64_t row = 0; row < count; row++)
    for (int i = 0; i < size; i++) to[row * size + i] = get(from, HALF, (begin + row) * step + at + i);
  return to;
}

/* One query over all keys: `scores`, which have the bias; to `sums`. */
static void attend_one(const double *query, const double *keys, const double *values, int64_t length, int size,
                       double scale, double *scores, double *sums) {
  double most = -INFINITY, total = 0;
  for (int64_t seen = 0; seen < length; seen++) {
    double score = 0;
    for (int i = 0; i < size; i++) score += query[i] * keys[seen * size + i];
    scores[seen] += score * scale;
    most = fmax(most, scores[seen]);
  }
  for (int i = 0; i < size; i++) sums[i] = 0;
  for (int64_t seen = 0; seen < length; seen++) {
    double weight = exp(scores[seen] - most);
    total += weight;
    for (int i = 0; i < size; i++) sums[i] += weight * values[seen * size + i];
  }
  for (int i = 0; i < size; i++) sums[i] /= total;
}

static void attend(const struct head *is) {
  double *queries = rows(is->query, is->begin, is->end - is->begin, is->query_row, is->query_at, is->size);
  double *keys = rows(is->key, is->first_key, is->keys, is->key_row, is->key_at, is->size);
  double *values = rows(is->value, is->first_key, is->keys, is->value_row, is->value_at, is->size);
  double *scores = malloc(sizeof *scores * is->keys), sums[WIDEST_HEAD];
  for (int64_t query = 0; query < is->end - is->begin; query++) {
    for (int64_t seen = 0; seen < is->keys; seen++)
      scores[seen] = is->bias ? get(is->bias, HALF, is->bias_at + query * is->bias_row + seen) : 0;
    attend_one(queries + query * is->size, keys, values, is->keys, is->size, is->scale, scores, sums);
    for (int i = 0; i < is->size; i++) put(is->to, HALF, (is->begin + query) * is->to_row + is->to_at + i, sums[i]);
  }
  free(scores);
  free(values);
  free(keys);
  free(queries);
}

struct flash {
  const void *query, *key, *value;
  int64_t query_batch, key_batch, value_batch;
  int64_t query_row, key_row, value_row;
  int64_t query_head, key_head, value_head;
  int heads, key_heads, heads_per_key_head;
  void *to, *to_parts;
  int64_t to_batch, to_row, to_head;
  void *scores, *sums, *sums_of_parts;
  int texts, longest, longest_keys, new_keys, size, rounded[3], rotated, tokens;
  float scale, scale_of_log2, soft_limit;
  const int *begins, *key_begins; /* where each text begins; one more at the end */
};
_Static_assert(sizeof(struct flash) == FLASH_ARGUMENTS, "as much of an argument is kept");

void flash_attention(const struct call *call) {
  const struct flash *is = (const void *)call->arguments;
  for (int text = 0; text < is->texts; text++)
    for (int head = 0; head < is->heads; head++) {
      int of_key = head / is->heads_per_key_head;
      attend(&(struct head){
          .query = is->query, .key = is->key, .value = is->value, .to = is->to,
          .begin = is->begins[text], .end = is->begins[text + 1],
          .first_key = is->key_begins[text], .keys = is->key_begins[text + 1] - is->key_begins[text],
          .query_row = is->query_row, .key_row = is->key_row, .value_row = is->value_row, .to_row = is->to_row,
          .query_at = head * is->query_head, .key_at = of_key * is->key_head,
          .value_at = of_key * is->value_head, .to_at = head * is->to_head,
          .size = is->size, .scale = is->scale,
      });
    }
}

struct cutlass {
  const void *query, *key, *value, *bias;
  const int *begins, *key_begins, *lengths; /* of texts; and how many of a text's keys there are, none: all */
  unsigned causal_offset;
  void *to, *to_parts, *sums;
  int window;
  float scale, soft_limit;
  int size, value_size, longest, longest_keys, all_keys;
  uint8_t mask;
  int query_row, key_row, value_row, bias_row, to_row;
  int query_head, key_head, value_head;
  int64_t bias_head, query_batch, key_batch, value_batch, bias_batch;
  int texts, heads;
};
_Static_assert(sizeof(struct cutlass) == CUTLASS_ARGUMENTS, "as much of an argument is kept");

void cutlass_attention(const struct call *call) {
  const struct cutlass *is = (const void *)call->arguments;
  for (int text = 0; text < is->texts; text++)
    for (int head = 0; head < is->heads; head++)
      attend(&(struct head){
          .query = is->query, .key = is->key, .value = is->value, .to = is->to, .bias = is->bias,
          .begin = is->begins[text], .end = is->begins[text + 1],
          .first_key = is->key_begins[text],
          .keys = is->lengths ? is->lengths[text] : is->key_begins[text + 1] - is->key_begins[text],
          .query_row = is->query_row, .key_row = is->key_row, .value_row = is->value_row, .to_row = is->to_row,
          .bias_row = is->bias_row, .bias_at = text * is->bias_batch + head * is->bias_head,
          .query_at = head * is->query_head, .key_at = head * is->key_head,
          .value_at = head * is->value_head, .to_at = head * is->value_size,
          .size = is->size, .scale = is->scale,
      });
}
