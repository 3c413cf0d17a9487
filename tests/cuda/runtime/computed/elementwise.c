/* One element after another: of one operand, or of two with broadcasting. */
#include "kernels.h"

#include <math.h>
#include <string.h>

static double same(double x, double y) { return x; } /* a cast */
static double root(double x, double y) { return sqrt(x); }
static double tangent(double x, double y) { return tanh(x); }
static double gelu(double x, double y) { return x * 0.5 * (1 + erf(x * M_SQRT1_2)); }
static double rectified(double x, double y) { return x > 0 ? x : 0; }
static double logistic(double x, double y) { return 1 / (1 + exp(-x)); }
static double sum(double x, double y) { return x + y; }
static double difference(double x, double y) { return x - y; }
static double product(double x, double y) { return x * y; }
static double quotient(double x, double y) { return x / y; }
static double magnitude(double x, double y) { return fabs(x); }
static double is_equal(double x, double y) { return x == y; }
static double is_less(double x, double y) { return x < y; }
static double is_greater(double x, double y) { return x > y; }

/* What is done is a type of its own in a kernel's name. */
static const struct {
  const char *part;
  operation *is;
} operations[] = {
    {"7OP_CastI", same},      {"7OP_SqrtI", root},         {"7OP_TanhI", tangent}, {"7OP_GeluI", gelu},
    {"7OP_ReluI", rectified}, {"10OP_SigmoidI", logistic}, {"6OP_AddI", sum},      {"6OP_SubI", difference},
    {"6OP_MulI", product},    {"6OP_DivI", quotient},      {"8OP_EqualI", is_equal},
    {"6OP_AbsI", magnitude},  {"7OP_LessI", is_less},      {"10OP_GreaterI", is_greater},
};

operation *fake_operation(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
    if (strstr(name, operations[i].part)) return operations[i].is;
  return NULL;
}

/* Types of unary kernels, and of binary ones. */
enum { OPERAND, TO };
enum { RESULT, LEFT, RIGHT };

void unary(const struct call *call) {
  const struct {
    const void *from;
    void *to;
    uint8_t operation;
    int64_t size;
  } *is = (const void *)call->arguments;
  operation *done = fake_operation(call->name);
  for (int64_t i = 0; i < is->size; i++)
    put(is->to, call->types[TO], i, done(get(is->from, call->types[OPERAND], i), 0));
}

void binary_simple(const struct call *call) {
  const struct {
    const void *left, *right;
    void *to;
    const void *operation;
    int size;
  } *is = (const void *)call->arguments;
  operation *done = fake_operation(call->name);
  int left = !strstr(call->name, "SimpleILb0E"); /* 0: the same element throughout */
  int right = !strstr(call->name, "SimpleILb1ELb0E");
  for (int64_t i = 0; i < is->size; i++)
    put(is->to, call->types[RESULT], i,
        done(get(is->left, call->types[LEFT], left * i), get(is->right, call->types[RIGHT], right * i)));
}

void binary_by_channel(const struct call *call) {
  const struct {
    const void *left, *right;
    struct division height;
    void *to;
    uint8_t operation;
    int size;
  } *is = (const void *)call->arguments;
  operation *done = fake_operation(call->name);
  for (int64_t i = 0; i < is->size; i++)
    put(is->to, call->types[RESULT], i,
        done(get(is->left, call->types[LEFT], i), get(is->right, call->types[RIGHT], i / is->height.by)));
}

void binary_by_channel_in_batch(const struct call *call) {
  const struct {
    const void *left, *right;
    struct division height, channels;
    void *to;
    uint8_t operation;
    int size;
  } *is = (const void *)call->arguments;
  operation *done = fake_operation(call->name);
  for (int64_t i = 0; i < is->size; i++)
    put(is->to, call->types[RESULT], i,
        done(get(is->left, call->types[LEFT], i),
             get(is->right, call->types[RIGHT], i / is->height.by % is->channels.by)));
}

void binary(const struct call *call) {
  const struct {
    int rank;
    struct strides left_strides;
    const void *left;
    struct strides right_strides;
    const void *right;
    struct divisions result_strides;
    void *to;
    const void *operation;
    int size;
  } *is = (const void *)call->arguments;
  operation *done = fake_operation(call->name);
  const char *broadcast = strstr(call->name, "EELb") + strlen("EELb"); /* of the left: its index is computed */
  int left = broadcast[0] == '1', right = broadcast[strlen("0ELb")] == '1';
  for (int64_t i = 0; i < is->size; i++) {
    int64_t at_left = left ? 0 : i, at_right = right ? 0 : i, rest = i;
    for (int axis = 0; axis < is->rank; axis++) {
      int64_t place = rest / is->result_strides.of[axis].by;
      rest %= is->result_strides.of[axis].by;
      if (left) at_left += is->left_strides.of[axis] * place;
      if (right) at_right += is->right_strides.of[axis] * place;
    }
    put(is->to, call->types[RESULT], i,
        done(get(is->left, call->types[LEFT], at_left), get(is->right, call->types[RIGHT], at_right)));
  }
}

/* Where: one of two numbers, or of the elements of two arrays. A 1 in the name stands for a number. */
void where(const struct call *call) {
  const struct {
    const uint8_t *condition;
    const void *yes, *no;
    void *to;
    int size;
  } *is = (const void *)call->arguments;
  int yes = !strstr(call->name, "ELS2_1ELS2_"), no = !strstr(call->name, "ELS2_1ELi256");
  enum type type = call->types[0];
  for (int64_t i = 0; i < is->size; i++)
    put(is->to, type, i, is->condition[i] ? get(is->yes, type, yes * i) : get(is->no, type, no * i));
}

void range(const struct call *call) {
  const struct {
    int64_t begin, step, size;
    int64_t *to;
  } *is = (const void *)call->arguments;
  for (int64_t i = 0; i < is->size; i++) is->to[i] = is->begin + i * is->step;
}
