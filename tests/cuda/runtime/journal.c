/* The journal: a line per call, in order, and counters. Lines are kept only while a test asks for them. */
#include "fake.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char **lines;
static long n_lines, capacity;
static int keeping;
static long counters[COUNTERS];

void fake_note(const char *format, ...) {
  if (!keeping) return;
  char text[1024];
  const char *prefix = fake_is_any_capturing() ? "[capture] " : "";
  int begun = snprintf(text, sizeof text, "%s", prefix);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + begun, sizeof text - begun, format, arguments);
  va_end(arguments);
  pthread_mutex_lock(&lock);
  if (n_lines == capacity) {
    capacity = capacity ? 2 * capacity : 4096;
    lines = realloc(lines, capacity * sizeof *lines);
  }
  lines[n_lines++] = strdup(text);
  pthread_mutex_unlock(&lock);
}

void fake_count(enum counter which) {
  __sync_fetch_and_add(&counters[which], 1);
  fake_trigger(which);
}

void fake_keep_journal(int on) { keeping = on; }
long fake_lines(void) { return n_lines; }
const char *fake_line(long number) { return lines[number]; }
long fake_counter(int which) { return counters[which]; }

void fake_clear_journal(void) {
  pthread_mutex_lock(&lock);
  for (long i = 0; i < n_lines; i++) free(lines[i]);
  n_lines = 0;
  pthread_mutex_unlock(&lock);
}
