/* FlashAttention-2 over texts of several lengths: what its first arguments say, up to where texts begin.
 *
 * The struct is onnxruntime's Flash_fwd_params, as far as it is read: what follows, windows and caches, no graph here
 * uses. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

enum { WIDEST_HEAD = 256 }; /* that there is a kernel for */

struct flash {
  const void *query, *key, *value;
  int64_t query_batch, key_batch, value_batch; /* steps, in elements */
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
_Static_assert(sizeof(struct flash) == ATTENTION_ARGUMENTS, "as much of an argument is kept");

/* Rows of one head as doubles, one after another. */
static double *rows(const void *from, int64_t begin, int64_t end, int64_t step, int64_t head, int size) {
  double *to = malloc(sizeof *to * (end - begin) * size);
  for (int64_t row = begin; row < end; row++)
    for (int i = 0; i < size; i++) to[(row - begin) * size + i] = get(from, HALF, row * step + head + i);
  return to;
}

/* One query of a text, over its keys: to `sums`. */
static void attend(const double *query, const double *keys, const double *values, int64_t length, int size, double scale,
                   double *scores, double *sums) {
  double most = -INFINITY, total = 0;
  for (int64_t seen = 0; seen < length; seen++) {
    double score = 0;
    for (int i = 0; i < size; i++) score += query[i] * keys[seen * size + i];
    scores[seen] = score * scale;
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

static void attend_in_text(const struct flash *is, int text, int head) {
  int64_t begin = is->begins[text], end = is->begins[text + 1];
  int64_t first = is->key_begins[text], length = is->key_begins[text + 1] - first;
  int of_key = head / is->heads_per_key_head, size = is->size;
  double *queries = rows(is->query, begin, end, is->query_row, head * is->query_head, size);
  double *keys = rows(is->key, first, first + length, is->key_row, of_key * is->key_head, size);
  double *values = rows(is->value, first, first + length, is->value_row, of_key * is->value_head, size);
  double *scores = malloc(sizeof *scores * length), sums[WIDEST_HEAD];
  for (int64_t token = begin; token < end; token++) {
    attend(queries + (token - begin) * size, keys, values, length, size, is->scale, scores, sums);
    for (int i = 0; i < size; i++) put(is->to, HALF, token * is->to_row + head * is->to_head + i, sums[i]);
  }
  free(scores);
  free(values);
  free(keys);
  free(queries);
}

void flash_attention(const struct call *call) {
  const struct flash *is = (const void *)call->arguments;
  for (int text = 0; text < is->texts; text++)
    for (int head = 0; head < is->heads; head++) attend_in_text(is, text, head);
}
