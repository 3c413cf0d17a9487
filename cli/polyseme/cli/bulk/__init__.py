"""Texts of a file become vectors or predictions in a file: any number, in constant memory, resumed after a crash.

`run.py` is the order of things, `work.py` the interface of `embedding.py` and `predictions.py`, which ask the server.
`inputs/` reads, `rows.py` embeds over a stream, `formats.py` turns rows into bytes, with the columns that `kept.py`
carries over, `output_file.py` keeps them safe by a `journal.py`.
"""
