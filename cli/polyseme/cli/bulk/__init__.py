"""Texts of a file become vectors in a file: any number of them, in constant memory, resumed after a crash.

`run.py` is the order of things. `inputs/` reads, `rows.py` asks the server, `formats.py` turns rows into bytes, with
the columns that `kept.py` carries over, `output_file.py` keeps them safe by a `journal.py`.
"""
