"""What a caller may ask of a model, and how it is computed: no protobuf, no gRPC."""
