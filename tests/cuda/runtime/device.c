/* Devices: FAKE_DEVICES of them (1), all of architecture FAKE_SM (90). Sizes are an H100's. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

static int devices = 1, architecture = 90;
static __thread int current;

__attribute__((constructor)) static void read_environment(void) {
  const char *value = getenv("FAKE_SM");
  if (value) architecture = atoi(value);
  value = getenv("FAKE_DEVICES");
  if (value) devices = atoi(value);
}

int fake_current_device(void) { return current; }
int fake_architecture(void) { return architecture; }
int fake_device_count(void) { return devices; }

cudaError_t cudaGetDeviceCount(int *count) {
  *count = devices;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
  *device = current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= devices) return fake_failed(cudaErrorInvalidDevice);
  current = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
  switch (attribute) {
  case cudaDevAttrComputeCapabilityMajor: *value = architecture / 10; break;
  case cudaDevAttrComputeCapabilityMinor: *value = architecture % 10; break;
  case cudaDevAttrMultiProcessorCount: *value = 132; break;
  case cudaDevAttrWarpSize: *value = 32; break;
  case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
  case cudaDevAttrMaxBlockDimX: *value = 1024; break;
  case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
  case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
  case cudaDevAttrMaxGridDimY: *value = 65535; break;
  case cudaDevAttrMaxGridDimZ: *value = 65535; break;
  case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
  case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 233472; break;
  case cudaDevAttrL2CacheSize: *value = 50 << 20; break;
  default: *value = 1; /* what is left are abilities */
  }
  return device < devices ? cudaSuccess : fake_failed(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *is, int device) {
  if (device >= devices) return fake_failed(cudaErrorInvalidDevice);
  memset(is, 0, sizeof *is);
  strcpy(is->name, "NVIDIA H100 of paper");
  is->major = architecture / 10;
  is->minor = architecture % 10;
  is->totalGlobalMem = (size_t)80 << 30;
  is->multiProcessorCount = 132;
  is->warpSize = 32;
  is->maxThreadsPerBlock = is->maxThreadsDim[0] = is->maxThreadsDim[1] = 1024;
  is->maxThreadsDim[2] = 64;
  is->maxThreadsPerMultiProcessor = 2048;
  is->maxBlocksPerMultiProcessor = 32;
  is->maxGridSize[0] = 2147483647;
  is->maxGridSize[1] = is->maxGridSize[2] = 65535;
  is->sharedMemPerBlock = 49152;
  is->sharedMemPerBlockOptin = 232448;
  is->sharedMemPerMultiprocessor = 233472;
  is->reservedSharedMemPerBlock = 1024;
  is->regsPerBlock = is->regsPerMultiprocessor = 65536;
  is->totalConstMem = 65536;
  is->l2CacheSize = 50 << 20;
  is->asyncEngineCount = 3;
  is->memoryPoolsSupported = is->cooperativeLaunch = is->concurrentKernels = is->unifiedAddressing = is->clusterLaunch = 1;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned version,
                                             unsigned long long flags, enum cudaDriverEntryPointQueryResult *result) {
  *function = NULL;
  if (result) *result = cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
