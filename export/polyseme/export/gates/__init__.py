"""The gates: refuse every graph that is not fused or not equal to the reference."""
