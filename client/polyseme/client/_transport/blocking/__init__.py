"""Plans driven by the thread that calls, over a grpc channel."""
