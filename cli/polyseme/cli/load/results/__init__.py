"""The results of a run, as tables, JSON and a picture."""
