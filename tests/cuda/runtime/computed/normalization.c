/* Rows that are normalized: LayerNormalization, and of sums: EmbedLayerNormalization, SkipLayerNormalization. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

static void layer_norm(const double *row, int size, const void *gamma, const void *beta, float epsilon, enum type type,
                       void *to, int64_t at) {
  double mean = 0, variance = 0;
  for (int i = 0; i < size; i++) mean += row[i] / size;
  for (int i = 0; i < size; i++) variance += (row[i] - mean) * (row[i] - mean) / size;
  double scale = 1 / sqrt(variance + epsilon);
  for (int i = 0; i < size; i++) {
    double shift = beta ? get(beta, type, i) : 0;
    put(to, type, at + i, (row[i] - mean) * scale * get(gamma, type, i) + shift);
  }
}

void embed_layer_norm(const struct call *call) {
  const struct {
    int size;
    const int *ids, *segments;
    const void *beta, *gamma, *words, *positions, *segment_table;
    float epsilon;
    void *to, *sum;
    const int *position_ids;
    uint8_t is_one_row;
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  double *row = malloc(is->size * sizeof *row);
  int64_t columns = call->grid.x;
  for (int64_t token = 0; token < columns * call->grid.y; token++) {
    int64_t column = token % columns;
    int64_t position = !is->position_ids ? column : is->position_ids[is->is_one_row ? column : token];
    int64_t segment = is->segments ? is->segments[token] : 0;
    for (int i = 0; i < is->size; i++) {
      row[i] = get(is->words, type, (int64_t)is->ids[token] * is->size + i) +
               get(is->positions, type, position * is->size + i) +
               (is->segment_table ? get(is->segment_table, type, segment * is->size + i) : 0);
      if (is->sum) put(is->sum, type, token * is->size + i, row[i]);
    }
    layer_norm(row, is->size, is->gamma, is->beta, is->epsilon, type, is->to, token * is->size);
  }
  free(row);
}

void skip_layer_norm(const struct call *call) {
  const struct {
    void *to, *sum;
    const void *input, *skip, *bias, *gamma, *beta;
    float epsilon;
    int size, skip_size;
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  double *row = malloc(is->size * sizeof *row);
  for (int64_t token = 0; token < call->grid.x; token++) {
    for (int i = 0; i < is->size; i++) {
      int64_t at = token * is->size + i;
      row[i] = get(is->input, type, at) + get(is->skip, type, at % is->skip_size);
      if (is->bias) row[i] += get(is->bias, type, i);
      if (is->sum) put(is->sum, type, at, row[i]);
    }
    layer_norm(row, is->size, is->gamma, is->beta, is->epsilon, type, is->to, token * is->size);
  }
  free(row);
}

void apply_layer_norm(const struct call *call) {
  const struct {
    void *to, *mean, *scale;
    const void *input;
    int rows, size;
    float epsilon;
    const void *gamma, *beta;
    int skip_is_one_row;
    const void *skip, *bias;
    void *sum;
  } *is = (const void *)call->arguments;
  enum type type = call->types[0];
  double *row = malloc(is->size * sizeof *row);
  for (int64_t token = 0; token < is->rows; token++) {
    for (int i = 0; i < is->size; i++) row[i] = get(is->input, type, token * is->size + i);
    layer_norm(row, is->size, is->gamma, is->beta, is->epsilon, type, is->to, token * is->size);
  }
  free(row);
}
