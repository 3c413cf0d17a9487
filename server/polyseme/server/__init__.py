"""The gRPC server: validation, scheduling across calls, one session per model."""

import os

# Before grpc is imported: its own log has lines, in a form of its own, for each handshake that fails, whoever knocks.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
