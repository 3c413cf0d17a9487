"""Labels and entities of texts by transformers' pipelines; for pipelines.py and classifier.py in bench/quality.

Usage: .venv-reference/bin/python bench/quality/pipelines_peer.py FOLDER

FOLDER has texts.json and the checkpoints `moods` and `names`, or one of them; found.json is written there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.pipelines.token_classification import AggregationStrategy


def main() -> None:
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    transformers.logging.set_verbosity_error()

    def pipeline(task: str, name: str) -> Any:
        made: Any = transformers.pipeline(task, str(folder / name), device="cpu", dtype=asked["dtype"])
        made.tokenizer.model_max_length = asked["limit"]
        return made

    found: dict[str, Any] = {"transformers": transformers.__version__, "torch": torch.__version__}
    if (folder / "moods").is_dir():
        classifier = pipeline("text-classification", "moods")
        found["classes"] = [classifier(text, top_k=None, truncation=True) for text in asked["texts"]]
    if (folder / "names").is_dir():
        tagger = pipeline("token-classification", "names")
        found["entities"] = [tagged(tagger, text, asked["limit"], asked["overlap"]) for text in asked["texts"]]
    (folder / "found.json").write_text(json.dumps(found, default=float), encoding="utf-8")


def tagged(tagger: Any, text: str, limit: int, stride: int) -> dict[str, Any]:
    """Entities by strategy; the model runs once for all of them. Windows have no entities of strategy none."""
    is_long = len(tagger.tokenizer(text)["input_ids"]) > limit
    windows = {"return_overflowing_tokens": True, "padding": True, "stride": stride} if is_long else {}
    with torch.inference_mode():
        parts = tagger.preprocess(text, is_split_into_words=False, tokenizer_params=windows)
        outputs = [tagger.forward(part) for part in parts]
    strategies = [one for one in AggregationStrategy if not (is_long and one is AggregationStrategy.NONE)]
    return {
        one.value: tagger.postprocess([dict(each) for each in outputs], aggregation_strategy=one) for one in strategies
    }


if __name__ == "__main__":
    main()
