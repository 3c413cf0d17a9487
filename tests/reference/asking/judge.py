"""Asks transformers and sentence-transformers about every checkpoint, and writes the goldens.

make reference
"""

import logging
import os
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tests.reference.asking import goldens
from tests.reference.asking.answers import Answers, digests
from tests.reference.asking.texts import LONG, PROMPTED, TEXTS, VECTORS, many
from tests.reference.cases import CASES
from tests.reference.making.folders import Folder

PROGRAMS = ("sentence-transformers", "transformers", "tokenizers", "torch", "peft")
WITH_STATES = ("architecture", "config", "size", "weights")


def main():
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    found = {}
    for name, case in CASES.items():
        if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
            continue
        with tempfile.TemporaryDirectory() as folder:
            case.make(folder)
            found[name] = {"sha256": Folder(folder).sha256(), **judged(case, Path(folder))}
        golden = found[name]
        answers = golden.get("answers")
        print(name, golden["error"] if answers is None else (answers.limit, answers.dimensions), flush=True)
    if len(sys.argv) == 1:
        goldens.write(found, {name: metadata.version(name) for name in PROGRAMS})


def judged(case, folder):
    """Its answers, or why there are none, in one line."""
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
            missing = _missing_weights(folder, model)
            if missing:
                return {"error": f"weights are made up: {missing}"}
            return {"answers": ask(case, model.float().eval())}
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0].replace(str(folder), "FOLDER")
        return {"error": f"{type(error).__name__}: {line[:160]}"}


def ask(case, model):
    tokenizer = model.tokenizer
    limit, cut = _limit(model), _cut(model)
    model.max_seq_length = limit  # texts that are longer are cut to what runs, whatever their tokens are
    fast = tokenizer.is_fast
    ids, again = (
        [_or_none(lambda text=text: tokenizer(text, truncation=False)["input_ids"]) for text in TEXTS] for _ in range(2)
    )
    if ids != again:
        raise ValueError("it tokenizes at random")
    prompts = {name: text for name, text in model.prompts.items() if text}
    return Answers(
        limit=limit,
        dimensions=model.get_embedding_dimension(),
        similarity=str(model.similarity_fn_name),
        prompts=prompts,
        default_prompt=model.default_prompt_name,
        ids=ids,
        offsets=[_offsets(tokenizer, text) for text in TEXTS] if fast else None,
        cut=cut,
        digests=digests(
            (tokenizer(text, truncation=False)["input_ids"], _offsets(tokenizer, text) if fast else None)
            for text in many(case.many)
        ),
        vectors=[_or_none(lambda text=text: _encode(model, text)) for text in VECTORS],
        prompted={name: [_encode(model, text, prompt_name=name) for text in PROMPTED] for name in case.prompts},
        states=_states(model) if case.concept in WITH_STATES else None,
    )


def _encode(model, text, **options):
    """One text alone: padding to the left moves what stands beside longer texts."""
    vector = model.encode(text, show_progress_bar=False, convert_to_numpy=True, **options)
    if not np.isfinite(vector).all():
        raise ValueError("not finite")
    return vector


def _cut(model):
    """The ids of a text that is too long; what is cut at its start is asked to be cut at its end."""
    model.tokenizer.truncation_side = "right"
    cut = model.preprocess([LONG])["input_ids"][0].tolist()
    runs = _most_that_runs(model)
    return cut if len(cut) <= runs else model.tokenizer(LONG, truncation=True, max_length=runs)["input_ids"]


def _limit(model):
    """Most tokens: what runs, or what sentence-transformers cuts to."""
    whole, cut = model.tokenizer(LONG, truncation=False)["input_ids"], _cut(model)
    return min(_most_that_runs(model), len(cut) if len(cut) < len(whole) else 1024)


def _most_that_runs(model):
    said = model.max_seq_length
    word = model.tokenizer("a", add_special_tokens=False)["input_ids"][0]

    def runs(length):
        try:
            with torch.inference_mode():
                model[0].auto_model(input_ids=torch.full((1, length), word))
        except (IndexError, RuntimeError):
            return False
        return True

    asked = min(int(said or 1024), 1024)
    if runs(asked):
        return asked
    low, high = 1, asked
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if runs(middle) else (low, middle)
    return low


def _states(model):
    ids = model.tokenizer(TEXTS[0], truncation=True, max_length=_limit(model))["input_ids"]
    with torch.inference_mode():
        given = model[0].auto_model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return torch.stack([*given.hidden_states[:-1], given.last_hidden_state])[:, 0].numpy()


def _offsets(tokenizer, text):
    return _or_none(lambda: [list(pair) for pair in tokenizer(text, return_offsets_mapping=True)["offset_mapping"]])


def _or_none(call):
    try:
        return call()
    except Exception:
        return None


def _missing_weights(folder, model):
    """transformers makes up what is missing, with a line in a log; that is no answer."""
    encoder = getattr(model[0], "auto_model", None)
    if encoder is None:
        return ""
    root = next(path.parent for path in sorted(folder.rglob("config.json")) if "model_type" in path.read_text())
    _, info = type(encoder).from_pretrained(root, output_loading_info=True, local_files_only=True)
    missing = [name for name in info["missing_keys"] if "pooler" not in name]
    return ", ".join(sorted(missing)[:2]) or ", ".join(sorted(map(str, info["mismatched_keys"]))[:1])


if __name__ == "__main__":
    main()
