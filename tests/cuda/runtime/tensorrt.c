/* As much of TensorRT as lets its provider be loaded: onnxruntime tells its kernels only where all providers can be. */
void *createInferBuilder_INTERNAL(void) { return 0; }
void *createInferRefitter_INTERNAL(void) { return 0; }
void *createInferRuntime_INTERNAL(void) { return 0; }
int getInferLibVersion(void) { return 101300; }
void *getPluginRegistry(void) { return 0; }
void *createNvOnnxParser_INTERNAL(void) { return 0; }
void *createNvOnnxParserRefitter_INTERNAL(void) { return 0; }
