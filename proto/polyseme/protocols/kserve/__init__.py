"""inference.GRPCInferenceService, of KServe and Triton."""
