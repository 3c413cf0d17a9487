"""Texts of a file become vectors in a file: any number of them, in constant memory, resumed after a crash.

`run.py` is the order of things. `input_file.py` and `records.py` read, `rows.py` asks the server, `formats.py` turns
rows into bytes, `output_file.py` keeps them safe by a `journal.py`; `parquet.py` alone knows pyarrow.
"""
