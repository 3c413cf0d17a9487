"""The engines of onnxruntime: the only owner of the library."""
