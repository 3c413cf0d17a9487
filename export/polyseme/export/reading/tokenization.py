"""A checkpoint's tokenizer, as untrusted input: it is loaded, and must make tokens of text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as HFTokenizer
from tokenizers.normalizers import Lowercase, Sequence

from polyseme.artifact import TOKENIZER
from polyseme.export.errors import CheckpointError, ExportError, UnsupportedError
from polyseme.export.gates.samples import SENTENCES
from polyseme.export.reading.tokenizer.classes import special_tokens, write_tokenizer
from polyseme.export.reading.tokenizer.files import CONFIG, TokenizerFiles
from polyseme.runtime.errors import TokenizerError
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer


def make_tokenizer(
    source: Path,
    target: Path,
    files: TokenizerFiles,
    config: Mapping[str, Any],
    *,
    vocab_size: int,
    lower_cases: bool,
    pairs: bool = False,
) -> Tokenizer:
    """Write a checkpoint's tokenizer.json into an artifact, and load it.

    Args:
        source: the folder of the checkpoint's encoder.
        target: the artifact's folder.
        files: what the source says of its tokenizer.
        config: config.json.
        vocab_size: rows of the word table.
        lower_cases: whether texts are lower-cased first.
        pairs: whether the model is given pairs of texts too.

    Raises:
        ExportError: a file cannot be used, or the tokenizer is of a class that is not known.
    """
    with translated():
        write_tokenizer(source, target / TOKENIZER, files, config, vocab_size=vocab_size, pairs=pairs)
    if lower_cases:
        lower_case(target / TOKENIZER)
    return load_tokenizer(target / TOKENIZER, vocab_size=vocab_size)


def refuse_other_ends(
    tokenizer: Tokenizer, prompts: Iterable[str], files: TokenizerFiles, config: Mapping[str, Any]
) -> None:
    """Refuse prompts of which sentence-transformers would leave another number of tokens out of the pooling.

    It counts the last token of a prompt unless it is one of those that transformers knows for special: these have a
    role, or are listed, in tokenizer_config.json; what is special in tokenizer.json alone is not one of them.

    Raises:
        UnsupportedError: a prompt ends with a token of which the two say different things.
    """
    known = special_tokens(files, config)
    for prompt in filter(None, prompts):
        with translated():
            (alone,) = tokenizer.tokenize([prompt], EncodeOptions(limit=sys.maxsize))
            counted = tokenizer.prompt_tokens(EncodeOptions(limit=sys.maxsize, prompt=prompt))
        if len(alone.ids) and (counted < len(alone.ids)) != (alone.tokens[-1] in known):
            raise UnsupportedError(
                f"{CONFIG} and {TOKENIZER} differ in whether {ascii(alone.tokens[-1])[:40]} is a special token; a "
                "prompt that is left out of the pooling (include_prompt: false) ends with it: not supported"
            )


def load_tokenizer(path: Path, *, vocab_size: int) -> Tokenizer:
    """Load tokenizer.json.

    Raises:
        CheckpointError: it cannot be read, or has ids that the model has not.
    """
    with translated():
        return Tokenizer(path, vocab_size=vocab_size)


def lower_case(path: Path) -> None:
    """Let tokenizer.json lower-case texts before all else that it does to them, unless it does so already.

    What sentence-transformers does to texts with do_lower_case, done where offsets are kept: they tell of the text as
    it was given. Letter by letter: a sigma is the same at the end of a word, which it is not to Python's lower().

    Raises:
        CheckpointError: it cannot be read.
    """
    with translated():
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
    with translated():
        encoded = tokenizer.encode(SENTENCES, EncodeOptions(limit=sys.maxsize))
    texts = [text.ids.tolist() for text in encoded if len(text.ids)]
    if not texts:
        raise CheckpointError(f"{TOKENIZER} finds no token in {len(SENTENCES)} sentences")
    return texts


@contextmanager
def translated() -> Iterator[None]:
    """Turn exceptions of the library into errors of one line.

    Raises:
        CheckpointError: the library raised.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, ExportError):
        raise
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    except BaseException as error:  # the library raises bare Exception, and PanicException, which is not even that
        raise CheckpointError(f"{TOKENIZER} cannot encode texts: {ascii(str(error))[1:-1][:200]}") from error
