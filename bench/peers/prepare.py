"""Make the folder that every peer loads: the checkpoint as it is, and its ONNX graph by optimum.

It runs on the Python of .venv-peers-sentence-transformers.

Usage: .venv-peers-sentence-transformers/bin/python bench/peers/prepare.py CHECKPOINT FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def main() -> None:
    """Copy, trace, write; the folder appears when all is done."""
    from optimum.exporters.onnx import main_export

    checkpoint, folder = Path(sys.argv[1]), Path(sys.argv[2])
    made = folder.with_name(f".{folder.name}")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(checkpoint, made)
    # At the top alone: fastembed looks there, and Infinity takes the last one that it finds, but not from a folder.
    main_export(str(checkpoint), made / "onnx", task="feature-extraction", library_name="transformers")
    shutil.move(made / "onnx" / "model.onnx", made / "model.onnx")
    shutil.rmtree(made / "onnx")
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


if __name__ == "__main__":
    main()
