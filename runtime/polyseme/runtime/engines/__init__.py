"""Run batches of an artifact on a device."""
