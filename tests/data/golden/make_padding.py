"""Makes families/*/padding.npz: what transformers makes of texts that have the padding's id in them.

make reference
.venv-reference/bin/python tests/data/golden/make_padding.py
"""

import json
from pathlib import Path

import numpy as np

FAMILIES = Path(__file__).parent / "families"
NAMES = ("mpnet", "roberta", "xlm-roberta")  # those that count positions past it; DistilBERT and ModernBERT take any id


def ids(padding):
    """Padding in the middle, at both ends, several times, alone."""
    return [[2, 20, padding, 21, 22, 3], [padding, 2, 20, padding, padding, 21, 3, padding], [2, padding, 3], [padding]]


def main():
    import torch
    import transformers

    for name in NAMES:
        model = transformers.AutoModel.from_pretrained(FAMILIES / name, attn_implementation="eager").eval()
        padding = json.loads((FAMILIES / name / "config.json").read_text())["pad_token_id"]
        with torch.inference_mode():
            states = [
                torch.stack(
                    model(
                        torch.tensor([text]), attention_mask=torch.ones(1, len(text)), output_hidden_states=True
                    ).hidden_states
                )[:, 0].numpy()
                for text in ids(padding)
            ]
        np.savez_compressed(FAMILIES / name / "padding.npz", *[text.astype(np.float32) for text in states])
        print(transformers.__version__, name, [text.shape for text in states])


if __name__ == "__main__":
    main()
