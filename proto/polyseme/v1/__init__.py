"""Generated protobuf messages and gRPC stubs of package polyseme.v1."""
