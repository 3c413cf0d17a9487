"""Texts as they come: in lines, JSON, CSV, TSV or Parquet, from a file, gzip of one, or stdin.

`content.py` opens the bytes and refuses what is no text, `lines.py`, `delimited.py`, `objects.py` and `parquet.py` make
records of them, `input_file.py` chooses between these.
"""
