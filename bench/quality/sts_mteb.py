"""The same by MTEB: a task of its own over the file of bench/quality/sts.py, and the encoder of polyseme.integrations.

Usage: POLYSEME_EVAL_DATA=FOLDER .venv-mteb/bin/python -m bench.quality.sts_mteb [TARGET], after `make test-mteb`
"""

from __future__ import annotations

import sys
from typing import Any, Final

import mteb
from bench.lib.machine import heading, versions
from bench.quality.sts import FILE, pairs
from datasets import Dataset
from mteb.abstasks import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

from polyseme.integrations.mteb import PolysemeEncoder

SPLIT: Final = "dev"


class StsBenchmarkDev(AbsTaskSTS):
    """The pairs of the STS Benchmark's dev file, out of the evaluation folder."""

    metadata = TaskMetadata(
        name="StsBenchmarkDev",
        dataset={"path": FILE, "revision": "1"},
        description="STS Benchmark dev, as it was published.",
        type="STS",
        category="t2t",
        eval_splits=[SPLIT],
        eval_langs=["eng-Latn"],
        main_score="cosine_spearman",
    )

    def load_data(self, **_: Any) -> None:
        """Read the file."""
        given = pairs()
        columns = {"sentence1": given.left, "sentence2": given.right, "score": given.judged}
        self.dataset = {SPLIT: Dataset.from_dict(columns)}
        self.data_loaded = True


def score(encoder: PolysemeEncoder) -> float:
    """MTEB's main score of the task: Spearman's rank correlation of cosine and human judgement."""
    (result,) = mteb.evaluate(encoder, [StsBenchmarkDev()], cache=None, show_progress_bar=False).task_results
    return float(result.get_score())


def main() -> None:
    encoder = PolysemeEncoder(*sys.argv[1:])
    model, found = encoder.mteb_model_meta, score(encoder)
    print(heading())
    print(f"by:      {versions('mteb', 'torch', 'sentence-transformers')}")
    print(f"model:   {model.name}@{model.revision}")
    print(f"{FILE}: {StsBenchmarkDev.metadata.main_score} {found:.4f}")


if __name__ == "__main__":
    main()
