"""Fine-tune a BERT checkpoint on the sentences of probe.py: its last two encoder layers, or all; and a head on them.

Usage: python examples/finetune.py CHECKPOINT     (needs `pip install torch transformers`, as nothing else here does)

CHECKPOINT is a folder with config.json, model.safetensors and tokenizer.json.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import numpy as np
from probe import Part, drawn, read  # type: ignore[import-not-found]  # beside this file

SIZES = (8, 32, 128)  # sentences of each class
SEEDS = 3
EPOCHS, BATCH, LEAST_STEPS = 5, 16, 60
LEARNING_RATE, HEAD_LEARNING_RATE = 5e-5, 1e-2  # the first: Devlin et al. 2019, appendix A.3
TUNED = {"last two layers": 2, "all encoder layers": None}

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")


class Classifier:
    """A mean over the last layer's tokens, and a linear head on it.

    Args of the constructor: the checkpoint's folder, how many classes, and how many of the last encoder layers to tune;
    None: all of them. The embeddings stay as they are.
    """

    def __init__(self, checkpoint: str, classes: int, tuned: int | None) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        self.bert = transformers.BertModel.from_pretrained(checkpoint, add_pooling_layer=False)
        self.head = torch.nn.Linear(self.bert.config.hidden_size, classes)
        torch.nn.init.zeros_(self.head.weight)
        layers = self.bert.encoder.layer
        part = torch.nn.ModuleList(layers[len(layers) - (tuned or len(layers)) :])
        self.bert.requires_grad_(False)
        part.requires_grad_(True)
        head = {"params": self.head.parameters(), "lr": HEAD_LEARNING_RATE}
        self.optimizer = torch.optim.AdamW([head, {"params": part.parameters(), "lr": LEARNING_RATE}])

    def scores(self, sentences: list[str]) -> Any:  # noqa: ANN401  a tensor
        """[N, C]."""
        inputs = self.tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
        hidden = self.bert(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None]
        means = (hidden * mask).sum(1) / mask.sum(1)
        return self.head(torch.nn.functional.normalize(means) * means.shape[-1] ** 0.5)

    def fit(self, sentences: list[str], labels: Any) -> None:  # noqa: ANN401  an array
        """Train, the learning rate falling to 0."""
        self.bert.train()
        steps_of_epoch = -(-len(sentences) // BATCH)
        epochs = max(EPOCHS, -(-LEAST_STEPS // steps_of_epoch))
        schedule = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.0, total_iters=epochs * steps_of_epoch)
        for _ in range(epochs):
            for batch in torch.randperm(len(sentences)).split(BATCH):
                wanted = torch.tensor(labels[batch.numpy()])
                loss = torch.nn.functional.cross_entropy(self.scores([sentences[i] for i in batch]), wanted)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                schedule.step()

    def accuracy(self, part: Part) -> float:
        """Share of the sentences whose class is found."""
        self.bert.eval()
        with torch.inference_mode():
            chunks = [self.scores(part.sentences[i : i + 64]).argmax(1) for i in range(0, len(part.sentences), 64)]
        return float((torch.cat(chunks).numpy() == part.labels).mean())


def main(checkpoint: str) -> None:
    """Train for every choice, size and draw; print the table."""
    train, test = read("train"), read("test")
    transformers.logging.set_verbosity_error()
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__}; mean of {SEEDS} draws ± standard error\n"
    )
    print(f"{'sentences of each class':<24}" + "".join(f"{size:>16}" for size in SIZES))
    for name, tuned in TUNED.items():
        print(f"{name:<24}", end="", flush=True)
        for size in SIZES:
            found = []
            for seed in range(SEEDS):
                torch.manual_seed(seed)
                chosen = drawn(train.labels, size, seed)
                model = Classifier(checkpoint, int(train.labels.max()) + 1, tuned)
                model.fit([train.sentences[i] for i in chosen], train.labels[chosen])
                found.append(model.accuracy(test))
            print(f"{np.mean(found):>8.3f} ± {np.std(found, ddof=1) / SEEDS**0.5:.3f}", end="", flush=True)
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fine-tune a BERT checkpoint on the sentences of probe.py.")
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="folder with config.json, model.safetensors and tokenizer.json"
    )
    main(parser.parse_args().checkpoint)
