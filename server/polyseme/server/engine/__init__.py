"""Run batches on the engine of a model, and watch that it still runs."""
