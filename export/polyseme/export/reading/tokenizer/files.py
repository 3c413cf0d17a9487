"""A checkpoint's word on its tokenizer: tokenizer_config.json and its older companions, as untrusted input.

Read in the order in which transformers reads them: what a file says may replace what an older one says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from tokenizers import AddedToken

from polyseme.artifact import TOKENIZER
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json

CONFIG: Final = "tokenizer_config.json"
_MAP: Final = "special_tokens_map.json"
_ADDED: Final = "added_tokens.json"
ROLES: Final = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
Token: TypeAlias = str | AddedToken
# They name other files, another class or another way to read texts.
_REFUSED: Final = ("fast_tokenizer_files", "init_inputs", "processor_class", "split_special_tokens")
_FIELDS: Final = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
_LARGEST_INDEX: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFiles:
    """The content of the tokenizer's files.

    Attributes:
        class_name: of transformers' class, as tokenizer_config.json names it; empty: it names none.
        options: the rest of tokenizer_config.json.
        named: special tokens by role, such as cls_token; None where a file says null.
        extra: special tokens without a role.
        added: tokens to be found in a text before all else, in the order of their ids.
        has_chat_template: whether a text may have to be put into a conversation.
    """

    class_name: str
    options: Mapping[str, Any]
    named: Mapping[str, Token | None]
    extra: tuple[Token, ...]
    added: tuple[AddedToken, ...]
    has_chat_template: bool = False

    def flag(self, key: str, *, default: bool | None) -> Any:  # noqa: ANN401  bool, or None
        """Read an option that is true or false.

        Raises:
            CheckpointError: it is neither.
        """
        value = self.options.get(key, default)
        if value is not None and type(value) is not bool:
            raise CheckpointError(f"{CONFIG} {key}: expected true or false, got {ascii(value)[:40]}")
        return default if value is None else value

    @property
    def passes_token_types(self) -> bool:
        """True where the model is given the token types of tokenizer.json."""
        return "token_type_ids" in (self.options.get("model_input_names") or ())

    @property
    def max_tokens(self) -> float | None:
        """The limit that the files name, in tokens; None: they name none.

        Raises:
            CheckpointError: it is no number.
        """
        for key in ("model_max_length", "max_len"):
            value = self.options.get(key)
            if value is not None:
                if type(value) not in (int, float) or not value >= 1:
                    raise CheckpointError(f"{CONFIG} {key}: expected a number of 1 or more, got {ascii(value)[:40]}")
                return float(value)
        return None


def read_tokenizer_files(folder: Path, overrides: Mapping[str, Any] | None = None) -> TokenizerFiles:
    """Read them; a folder may have none.

    Args:
        folder: of the encoder.
        overrides: what sentence-transformers puts over tokenizer_config.json.

    Raises:
        CheckpointError: a file cannot be read, or says what makes no sense.
        UnsupportedError: it names code of its own, or a way to read texts that is not supported.
    """
    options = {**_optional(folder / CONFIG), **(overrides or {})}
    _refuse_unsupported(options)
    class_name = options.pop("tokenizer_class", None) or ""
    if not isinstance(class_name, str):
        raise CheckpointError(f"{CONFIG} tokenizer_class: expected a name, got {ascii(class_name)[:40]}")
    if options.get("additional_special_tokens") is not None and not options.get("extra_special_tokens"):
        options["extra_special_tokens"] = options.pop("additional_special_tokens")
    by_id: dict[int, AddedToken] = {}
    if "added_tokens_decoder" in options:  # it replaces all that came before it
        by_id |= _decoder(options["added_tokens_decoder"])
    else:
        _put_map(options, _optional(folder / _MAP))
        by_id |= _older(_optional(folder / _ADDED), options)
        by_id |= _of_tokenizer(_optional(folder / TOKENIZER))
    extra = options.get("extra_special_tokens") or options.get("additional_special_tokens") or []
    roles = {key: value for key, value in options.items() if key.endswith("_token") and _is_token(key, value)}
    if isinstance(extra, dict):
        roles, extra = {**roles, **extra}, []
    by_content = {token.content: token for token in by_id.values()}
    named = {key: _token(value, key) for key, value in roles.items()}
    return TokenizerFiles(
        class_name=class_name,
        options=options,
        named={key: by_content.get(_content(t), t) if key in ROLES else t for key, t in named.items()},
        extra=tuple(token for token in (_token(value, "extra_special_tokens") for value in extra) if token),
        added=tuple(token for _, token in sorted(by_id.items(), key=lambda item: item[0])),
        has_chat_template=bool(options.get("chat_template")) or any(folder.glob("chat_template*")),
    )


def _put_map(options: dict[str, Any], special_tokens_map: Mapping[str, Any]) -> None:
    for key, value in special_tokens_map.items():
        there = options.get(key)
        if key == "extra_special_tokens" and isinstance(value, list) and isinstance(there, list):
            options[key] = [*there, *(token for token in value if token not in there)]
        else:
            options[key] = value


def _older(added: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[tuple[int, AddedToken]]:
    """Give the tokens of added_tokens.json; those with a role are special."""
    extra = options.get("extra_special_tokens") or []
    special = {_content(options.get(role)) for role in ROLES} | {_content(token) for token in extra}
    for content, index in added.items():
        is_special = content in special
        yield _index(index), AddedToken(content, normalized=not is_special, special=is_special)


def _refuse_unsupported(options: Mapping[str, Any]) -> None:
    code = options.get("auto_map")
    code = code.get("AutoTokenizer") if isinstance(code, dict) else code
    if code:
        name = next((part for part in code if part), "") if isinstance(code, list) else code
        raise UnsupportedError(f"{CONFIG} auto_map: {ascii(name)[1:-1][:80]} is code of its own, which is never run")
    for key in _REFUSED:
        if options.get(key):
            raise UnsupportedError(f"{CONFIG} {key}: {ascii(options[key])[:60]} is not supported")


def _optional(path: Path) -> dict[str, Any]:
    return dict(read_json(path)) if path.is_file() else {}


def _of_tokenizer(document: Mapping[str, Any]) -> Iterator[tuple[int, AddedToken]]:
    """Give the added tokens of tokenizer.json."""
    for entry in document.get("added_tokens") or []:
        yield _index(entry.get("id") if isinstance(entry, dict) else None), _from_fields(entry, TOKENIZER)


def _decoder(decoder: object) -> Iterator[tuple[int, AddedToken]]:
    if not isinstance(decoder, dict):
        raise CheckpointError(f"{CONFIG} added_tokens_decoder: expected tokens by id")
    for index, fields in decoder.items():
        yield _index(index), _from_fields(fields, f"{CONFIG} added_tokens_decoder")


def _index(index: object) -> int:
    number = int(index) if isinstance(index, str) and index.isascii() and index.isdigit() else index
    if type(number) is not int or not 0 <= number < _LARGEST_INDEX:
        raise CheckpointError(f"an added token has id {ascii(index)[:40]}; limits 0..{_LARGEST_INDEX - 1}")
    return number


def _is_token(key: str, value: object) -> bool:
    """Tell whether an option is a token: of keys that end in _token, some are flags, such as add_bos_token."""
    return isinstance(value, str | dict) or value is None or key in ROLES


def _token(value: object, where: str) -> Token | None:
    """Read a special token: the token itself, or an object with its content."""
    if value is None or (isinstance(value, str) and value):
        return value or None
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: {ascii(value)[:40]} is no special token")
    return _from_fields({**value, "special": True}, where)


def _from_fields(fields: object, where: str) -> AddedToken:
    known = {key: value for key, value in fields.items() if key in _FIELDS} if isinstance(fields, dict) else {}
    try:
        token = AddedToken(**known)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{where}: {ascii(fields)[:60]} is no added token") from error
    if not token.content:
        raise CheckpointError(f"{where}: an added token is empty")
    return token


def _content(token: object) -> str:
    if isinstance(token, AddedToken):
        return token.content
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""
