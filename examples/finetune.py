"""Fine-tune a BERT checkpoint on labelled texts: its last two encoder layers, or all; and a head on them.

Usage: python examples/finetune.py CHECKPOINT [--data FILE --text COLUMN --label COLUMN] [--sizes N ...] [--save DIR]
Needs `pip install torch transformers`, as nothing else here does.

CHECKPOINT is a folder with config.json, model.safetensors and tokenizer.json. FILE has tabs between columns, names
them in its first line, and says in the column `part` which rows are to train on, and which to test; without it, the
sentences of probe.py. Prints the accuracy by size; with --save instead trains all layers on all that is to train,
and saves the encoder.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data" / "addresses.tsv"
SIZES = (8, 32, 128)  # sentences of each class
SEEDS = 3
EPOCHS, BATCH, LEAST_STEPS = 5, 16, 60
LEARNING_RATE, HEAD_LEARNING_RATE = 5e-5, 1e-2  # the first: Devlin et al. 2019, appendix A.3
TUNED = {"last two layers": 2, "all encoder layers": None}

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Sentences and the class of each, as a number."""

    sentences: list[str]
    labels: Any


class Classifier:
    """A mean over the last layer's tokens, and a linear head on it.

    Args of the constructor: the checkpoint's folder; how many classes; how many of the last encoder layers to tune,
    None: all of them; whether to compute products in bfloat16. The embeddings stay as they are.
    """

    def __init__(self, checkpoint: str, classes: int, tuned: int | None, *, bfloat16: bool = False) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        self.bert, self.head = self.load(checkpoint, classes)
        torch.nn.init.zeros_(self.head.weight)
        layers = self.bert.encoder.layer
        part = torch.nn.ModuleList(layers[len(layers) - (tuned or len(layers)) :])
        if self.bert.pooler is not None:
            part.append(self.bert.pooler)
        self.bert.requires_grad_(False)
        part.requires_grad_(True)
        head = {"params": self.head.parameters(), "lr": HEAD_LEARNING_RATE}
        self.bfloat16 = bfloat16
        self.optimizer = torch.optim.AdamW([head, {"params": part.parameters(), "lr": LEARNING_RATE}])

    def load(self, checkpoint: str, classes: int) -> tuple[Any, Any]:
        """The encoder, and the linear head."""
        bert = transformers.BertModel.from_pretrained(checkpoint, add_pooling_layer=False)
        return bert, torch.nn.Linear(bert.config.hidden_size, classes)

    def pooled(self, inputs: Any) -> Any:  # noqa: ANN401  tensors
        """[N, D], of length sqrt(D)."""
        hidden = self.bert(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None]
        means = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(means) * means.shape[-1] ** 0.5

    def scores(self, sentences: list[str]) -> Any:  # noqa: ANN401  a tensor
        """[N, C]."""
        inputs = self.tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
        # Entered anew for each batch: until it is left, autocast goes on with copies of weights as they were.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            return self.head(self.pooled(inputs)).float()

    def fit(self, sentences: list[str], labels: Any, epochs: int) -> None:  # noqa: ANN401  an array
        """Train, the learning rate falling to 0."""
        self.bert.train()
        steps_of_epoch = -(-len(sentences) // BATCH)
        epochs = max(epochs, -(-LEAST_STEPS // steps_of_epoch))
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


class BertClassifier(Classifier):
    """BERT's own head instead: the first token through the pooler, which is trained too, and a linear layer.

    It is trained without the dropout that transformers has ahead of the linear layer.
    """

    def load(self, checkpoint: str, classes: int) -> tuple[Any, Any]:
        """The encoder with its pooler, and the linear head."""
        self.model = transformers.BertForSequenceClassification.from_pretrained(checkpoint, num_labels=classes)
        return self.model.bert, self.model.classifier

    def pooled(self, inputs: Any) -> Any:  # noqa: ANN401  tensors
        """[N, D], each number from -1 to 1."""
        return self.bert(**inputs).pooler_output

    def save(self, folder: str, classes: list[str]) -> None:
        """Write what transformers' pipelines and `polyseme export` read."""
        self.model.config.id2label = dict(enumerate(classes))
        self.model.config.label2id = {name: number for number, name in enumerate(classes)}
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def read(path: Path, text: str, label: str) -> tuple[Part, Part, list[str]]:
    """The parts `train` and `test`, and the names of the classes."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    names = sorted({row[label] for row in rows})
    parts = [[row for row in rows if row["part"] == part] for part in ("train", "test")]
    train, test = (
        Part(sentences=[row[text] for row in part], labels=np.array([names.index(row[label]) for row in part]))
        for part in parts
    )
    return train, test, names


def drawn(labels: Any, size: int, seed: int) -> Any:  # noqa: ANN401  arrays
    """Indices of so many sentences of each class: those that probe.py draws."""
    draw = np.random.default_rng(seed)
    return np.concatenate([draw.permutation(np.flatnonzero(labels == c))[:size] for c in range(labels.max() + 1)])


def show(arguments: argparse.Namespace, train: Part, test: Part, classes: list[str]) -> None:
    """Train for every choice, size and draw; print the table, or a line of JSON for each."""
    if not arguments.json:
        versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
        print(f"{versions}; mean of {arguments.seeds} draws ± standard error\n")
        print(f"{'sentences of each class':<24}" + "".join(f"{size:>16}" for size in arguments.sizes))
    for name, tuned in TUNED.items():
        if not arguments.json:
            print(f"{name:<24}", end="", flush=True)
        for size in arguments.sizes:
            found = []
            for seed in range(arguments.seeds):
                torch.manual_seed(seed)
                chosen = drawn(train.labels, size, seed)
                model = Classifier(arguments.checkpoint, len(classes), tuned, bfloat16=arguments.bfloat16)
                model.fit([train.sentences[i] for i in chosen], train.labels[chosen], arguments.epochs)
                found.append(model.accuracy(test))
                if arguments.json:
                    print(json.dumps({"tuned": name, "size": size, "seed": seed, "accuracy": found[-1]}), flush=True)
            if not arguments.json:
                print(f"{np.mean(found):>8.3f} ± {np.std(found, ddof=1) / len(found) ** 0.5:.3f}", end="", flush=True)
        if not arguments.json:
            print()


def save(arguments: argparse.Namespace, train: Part, test: Part, classes: list[str]) -> None:
    """Train all layers and BERT's own head on all texts to train, and save them."""
    torch.manual_seed(0)
    model = BertClassifier(arguments.checkpoint, len(classes), None, bfloat16=arguments.bfloat16)
    model.fit(train.sentences, train.labels, arguments.epochs)
    model.save(arguments.save, classes)
    print(f"accuracy {model.accuracy(test):.3f} on {len(test.sentences)} texts; the classifier is in {arguments.save}")


def main() -> None:
    """Read the command line, train, print."""
    parser = argparse.ArgumentParser(description="Fine-tune a BERT checkpoint on labelled texts.")
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="folder with config.json, model.safetensors and tokenizer.json"
    )
    parser.add_argument("--data", metavar="FILE", type=Path, default=DATA, help="labelled texts [those of probe.py]")
    parser.add_argument("--text", metavar="COLUMN", default="sentence", help="column of the text [%(default)s]")
    parser.add_argument("--label", metavar="COLUMN", default="president", help="column of the class [%(default)s]")
    parser.add_argument("--sizes", metavar="N", type=int, nargs="+", default=SIZES, help="texts of each class")
    parser.add_argument("--seeds", metavar="N", type=int, default=SEEDS, help="draws of each size [%(default)s]")
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        default=EPOCHS,
        help=f"or {LEAST_STEPS} steps where that is more [%(default)s]",
    )
    parser.add_argument("--bfloat16", action="store_true", help="compute products in bfloat16, where the CPU has it")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each training")
    parser.add_argument(
        "--save", metavar="DIR", help="train all layers and BERT's own head on all texts, and save them"
    )
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    parts = read(arguments.data, arguments.text, arguments.label)
    (save if arguments.save else show)(arguments, *parts)


if __name__ == "__main__":
    main()
