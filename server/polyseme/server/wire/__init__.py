"""gRPC and protobuf: nothing outside this folder knows them."""
