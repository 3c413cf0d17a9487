"""Tokenizers of checkpoints that have a vocab.txt and no tokenizer.json, as those of BERT's first years."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from polyseme.export.errors import CheckpointError
from polyseme.export.reading.checkpoint import read_json

VOCABULARY: Final = "vocab.txt"
OF_WORD_PIECES: Final = ("bert", "distilbert")
"""Architectures whose vocab.txt is one of word pieces."""

_MAX_BYTES = 64 << 20
_SPECIAL = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
            "mask_token": "[MASK]"}  # fmt: skip


def convert_vocabulary(source: Path, target: Path) -> None:
    """Write the tokenizer.json that a vocab.txt and its tokenizer_config.json stand for.

    Source: BertTokenizerFast of transformers, of which it is the backend.

    Raises:
        CheckpointError: a file cannot be used, or a special token is not in the vocabulary.
    """
    vocabulary = _read(source / VOCABULARY)
    path = source / "tokenizer_config.json"
    config: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    special = {role: _content(config.get(role, token)) for role, token in _SPECIAL.items()}
    for role, token in special.items():
        if token not in vocabulary:
            raise CheckpointError(f"{VOCABULARY} has no {ascii(token)[:40]}, the {role}")
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=special["unk_token"], max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=_flag(config, "tokenize_chinese_chars", default=True),
        strip_accents=_flag(config, "strip_accents", default=None),
        lowercase=_flag(config, "do_lower_case", default=True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(list(special.values()))
    ends = [(special[role], vocabulary[special[role]]) for role in ("cls_token", "sep_token")]
    first, last = ends[0][0], ends[1][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[first, "$A", last], pair=[first, "$A", last, "$B:1", f"{last}:1"], special_tokens=ends
    )
    tokenizer.save(str(target))


def _read(path: Path) -> dict[str, int]:
    """Ids by token: a token a line."""
    if path.stat().st_size > _MAX_BYTES:
        raise CheckpointError(f"{path.name} has {path.stat().st_size} bytes; limit {_MAX_BYTES}")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is not UTF-8") from error
    if lines[-1] == "":
        lines.pop()
    return {line.removesuffix("\r"): number for number, line in enumerate(lines)}


def _flag(config: Mapping[str, Any], field: str, *, default: bool | None) -> Any:  # noqa: ANN401  bool, or None
    value = config.get(field, default)
    if value is not None and type(value) is not bool:
        raise CheckpointError(f"tokenizer_config.json {field}: expected true or false, got {str(value)[:40]!r}")
    return default if value is None else value


def _content(token: Any) -> str:  # noqa: ANN401  any JSON there is
    """A special token stands as itself, or as an object with its content."""
    content = token.get("content") if isinstance(token, dict) else token
    if not isinstance(content, str) or not content:
        raise CheckpointError(f"tokenizer_config.json: {str(token)[:40]!r} is no special token")
    return content
