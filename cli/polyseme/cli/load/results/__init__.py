"""What a run measured, as tables, JSON and a picture."""
