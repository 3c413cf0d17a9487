/* Launches: noted by name, refused where a device would refuse them, and computed where that is asked for. */
#include "computed/kernels.h"
#include "images.h"

#include <stdlib.h>

static cudaError_t launch(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                          cudaStream_t stream) {
  struct kernel kernel = fake_kernel_of(function);
  TRY(fake_check_stream(stream, kernel.name));
  fake_count(LAUNCHES);
  if (fake_kept()) return fake_failed(fake_kept());
  if (kernel.image && !fake_runs_here(kernel.image)) {
    fake_note("NO CODE: %s", kernel.name);
    return fake_failed(cudaErrorNoKernelImageForDevice);
  }
  unsigned threads = block.x * block.y * block.z;
  if (!grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535 || !threads || threads > 1024) {
    fake_note("INVALID CONFIGURATION: %s", kernel.name);
    return fake_failed(cudaErrorInvalidConfiguration);
  }
  fake_note("launch %s on device %d grid %u,%u,%u block %u,%u,%u", kernel.name, fake_current_device(), grid.x, grid.y,
            grid.z, block.x, block.y, block.z);
  struct work work = {.what = kernel.name};
  work.compute = fake_computation(kernel.name, grid, block, arguments, &work.call);
  fake_do(stream, &work);
  return cudaSuccess;
}

/* kernel<<<grid, block, shared, stream>>>(...) pushes its configuration, and the stub of the kernel pops it. */
static __thread struct configuration {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
} stack[16];
static __thread int depth;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream) {
  stack[depth++] = (struct configuration){grid, block, shared, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
  const struct configuration top = stack[--depth];
  *grid = top.grid;
  *block = top.block;
  *shared = top.shared;
  *(cudaStream_t *)stream = top.stream;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
  *kernel = (cudaKernel_t)function;
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                               cudaStream_t stream) {
  return launch((const void *)kernel, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t stream) {
  return launch(function, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchCooperativeKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                                        cudaStream_t stream) {
  return launch(function, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *is, const void *function, void **arguments) {
  return launch(function, is->gridDim, is->blockDim, arguments, is->dynamicSmemBytes, is->stream);
}

/* What kernels are asked before they are launched. */

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
  *attributes = (struct cudaFuncAttributes){.maxThreadsPerBlock = 1024,
                                            .numRegs = 64,
                                            .binaryVersion = fake_architecture(),
                                            .ptxVersion = fake_architecture(),
                                            .maxDynamicSharedSizeBytes = 232448};
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
  int is_too_much = attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && value > 232448;
  return is_too_much ? fake_failed(cudaErrorInvalidValue) : cudaSuccess;
}

cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t kernel, enum cudaFuncAttribute attribute, int value,
                                            int device) {
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int threads,
                                                                   size_t shared, unsigned flags) {
  *blocks = 2;
  return cudaSuccess;
}

/* Kernels from libraries that are loaded at run time: cuDNN's and those that are compiled as they are needed. */
cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *jit, void **jit_values,
                                unsigned n_jit, enum cudaLibraryOption *options, void **values, unsigned n_options) {
  fake_note("cudaLibraryLoadData");
  *library = malloc(1);
  return cudaSuccess;
}
cudaError_t cudaLibraryUnload(cudaLibrary_t library) { return cudaSuccess; }
cudaError_t cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t library, const char *name) {
  *kernel = malloc(1);
  return cudaSuccess;
}
