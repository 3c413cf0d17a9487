"""The gRPC server: validation, scheduling across calls, one session per model."""

import os

# Set before grpc is imported: gRPC would log a line of its own for each handshake that fails, whoever connects.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
