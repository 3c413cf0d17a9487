"""The queries of callers, and how they are answered: no protobuf, no gRPC."""
