"""The two ways from a checkpoint to graphs: native, and through optimum."""
