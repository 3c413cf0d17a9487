/* libcuda.so.1: what polyseme asks the driver for (polyseme.runtime.gpus), and what the provider links to. */
#include <stdlib.h>
#include <string.h>

enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 }; /* CUdevice_attribute */

static int number_in(const char *variable, int otherwise) {
  const char *value = getenv(variable);
  return value ? atoi(value) : otherwise;
}

int cuInit(unsigned flags) { return 0; }

int cuDeviceGetCount(int *count) {
  *count = number_in("FAKE_DEVICES", 1);
  return 0;
}

int cuDeviceGet(int *device, int number) {
  *device = number;
  return 0;
}

int cuDeviceGetName(char *name, int size, int device) {
  strncpy(name, "NVIDIA H100 of paper", size);
  return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  int architecture = number_in("FAKE_SM", 90);
  *value = attribute == CAPABILITY_MAJOR ? architecture / 10 : attribute == CAPABILITY_MINOR ? architecture % 10 : 0;
  return 0;
}

int cuDriverGetVersion(int *version) {
  *version = 13000;
  return 0;
}

int cuTensorMapEncodeTiled(void) { return 0; }
