"""Make the folder that every peer loads: the checkpoint as it is, and its ONNX and OpenVINO graphs by optimum.

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
    from sentence_transformers import SentenceTransformer

    checkpoint, folder = Path(sys.argv[1]), Path(sys.argv[2])
    made = folder.with_name(f".{folder.name}")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(checkpoint, made)
    main_export(str(checkpoint), made / "onnx", task="feature-extraction", library_name="transformers")
    shutil.copy(made / "onnx" / "model.onnx", made / "model.onnx")  # where fastembed looks
    SentenceTransformer(str(checkpoint), backend="openvino", device="cpu").save_pretrained(str(made / "ov"))
    shutil.move(made / "ov" / "openvino", made / "openvino")
    shutil.rmtree(made / "ov")
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


if __name__ == "__main__":
    main()
