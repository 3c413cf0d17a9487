"""Labels and entities of texts by transformers' pipelines; for bench/quality/pipelines.py.

Usage: .venv-reference/bin/python bench/quality/pipelines_peer.py FOLDER

FOLDER has texts.json and the checkpoints `moods` and `names`; found.json is written there.
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
    limit, stride = asked["limit"], asked["overlap"]
    transformers.logging.set_verbosity_error()
    classifier, tagger = (
        transformers.pipeline(task, str(folder / name), device="cpu")
        for task, name in (("text-classification", "moods"), ("token-classification", "names"))
    )
    classifier.tokenizer.model_max_length = tagger.tokenizer.model_max_length = limit
    found: dict[str, Any] = {"transformers": transformers.__version__, "classes": [], "entities": []}
    for text in asked["texts"]:
        found["classes"].append(classifier(text, top_k=None, truncation=True))
        found["entities"].append(tagged(tagger, text, limit, stride))
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
