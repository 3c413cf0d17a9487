"""A checkpoint's tokenizer, as untrusted input: it is loaded, and must make tokens of text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenizers import Tokenizer as HFTokenizer
from tokenizers.normalizers import Lowercase, Sequence

from polyseme.artifact import TOKENIZER
from polyseme.export.errors import CheckpointError
from polyseme.export.gates.samples import SENTENCES
from polyseme.runtime.errors import TokenizerError
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer


def load_tokenizer(path: Path, *, vocab_size: int) -> Tokenizer:
    """Load tokenizer.json.

    Raises:
        CheckpointError: it cannot be read, or has ids that the model has not.
    """
    with _translated():
        return Tokenizer(path, vocab_size=vocab_size)


def lower_case(path: Path) -> None:
    """Let tokenizer.json lower-case texts before all else that it does to them, unless it does so already.

    What sentence-transformers does to texts with do_lower_case, done where offsets are kept: they tell of the text as
    it was given. Letter by letter: a sigma is the same at the end of a word, which it is not to Python's lower().

    Raises:
        CheckpointError: it cannot be read.
    """
    with _translated():
        tokenizer = HFTokenizer.from_file(str(path))
        normalizer = tokenizer.normalizer
        if getattr(normalizer, "lowercase", False) is True:  # BERT's own, whose file mostly says so too
            return
        tokenizer.normalizer = Lowercase() if normalizer is None else Sequence([Lowercase(), normalizer])
        tokenizer.save(str(path))


def sample_ids(tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of sentences of many lengths, special tokens included; none is empty.

    Raises:
        CheckpointError: the tokenizer fails, or finds no token at all.
    """
    with _translated():
        encoded = tokenizer.encode(SENTENCES, EncodeOptions(limit=sys.maxsize))
    texts = [list(text.ids) for text in encoded if text.ids]
    if not texts:
        raise CheckpointError(f"{TOKENIZER} finds no token in {len(SENTENCES)} sentences")
    return texts


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    except BaseException as error:  # the library raises bare Exception, and PanicException, which is not even that
        raise CheckpointError(f"{TOKENIZER} cannot encode texts: {ascii(str(error))[1:-1][:200]}") from error
