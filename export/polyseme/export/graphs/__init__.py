"""Writes graphs and weights, in onnxruntime's operators."""
