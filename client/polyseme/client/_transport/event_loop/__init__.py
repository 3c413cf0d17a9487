"""Plans driven on an event loop, over a grpc.aio channel."""
