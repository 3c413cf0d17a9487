"""Texts of a file become vectors in a file: any number of them, in constant memory, resumed after a crash.

`run.py` is the order of things. `source.py` and `records.py` read, `rows.py` asks the server, `formats.py` says what
rows are as bytes, `target.py` keeps them safe by a `journal.py`; `parquet.py` alone knows pyarrow.
"""
