"""Write graphs and weights in onnxruntime's operators."""
