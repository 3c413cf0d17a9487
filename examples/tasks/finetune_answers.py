"""Fine-tune a BERT checkpoint to answer the questions of templates.py, and save it as `polyseme export` takes it.

Usage: python examples/tasks/finetune_answers.py CHECKPOINT DIR
Needs `pip install torch transformers`; some minutes on two cores.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from templates import questions  # type: ignore[import-not-found]  # beside this file

EPOCHS, BATCH, LEARNING_RATE = 4, 16, 1e-4

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")


def places(encoded: Any, row: int, start: int, length: int) -> tuple[int, int]:  # noqa: ANN401  of transformers
    """The first and the last token of an answer, which is a part of the context."""
    return encoded.char_to_token(row, start, 1), encoded.char_to_token(row, start + length - 1, 1)


def main() -> None:
    """Train all of the model, and save it."""
    parser = argparse.ArgumentParser(description="Fine-tune a BERT checkpoint to answer made-up questions.")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="folder with config.json and model.safetensors")
    parser.add_argument("directory", metavar="DIR", help="of the model that answers")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.checkpoint)
    model = transformers.BertForQuestionAnswering.from_pretrained(arguments.checkpoint)
    rows = questions("train")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    steps = EPOCHS * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    model.train()
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(rows)).split(BATCH):
            some = [rows[i] for i in batch]
            asked, contexts = [row["question"] for row in some], [row["context"] for row in some]
            inputs = tokenizer(asked, contexts, padding=True, return_tensors="pt")
            spans = [places(inputs, i, row["start"], len(row["answer"])) for i, row in enumerate(some)]
            starts, ends = (torch.tensor(each) for each in zip(*spans, strict=True))
            loss = model(**inputs, start_positions=starts, end_positions=ends).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(some)
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / len(rows):.3f}", flush=True)
    model.save_pretrained(arguments.directory)
    tokenizer.save_pretrained(arguments.directory)


if __name__ == "__main__":
    main()
