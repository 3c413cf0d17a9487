/* A cuDNN that can be opened and says that it is 9.17; it has no operations. */
int cudnnCreate(void **handle) {
  *handle = handle;
  return 0;
}
int cudnnDestroy(void *handle) { return 0; }
int cudnnSetStream(void *handle, void *stream) { return 0; }
unsigned long cudnnGetVersion(void) { return 91700; }
unsigned long cudnnGetCudartVersion(void) { return 13000; }
const char *cudnnGetErrorString(int status) { return status ? "an error" : "no error"; }
void cudnnGetLastErrorString(char *message, unsigned long size) { *message = 0; }
