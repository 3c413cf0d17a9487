"""The gRPC server: validation, scheduling across calls, one session per model."""
