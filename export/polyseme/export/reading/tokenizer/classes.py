"""A checkpoint's tokenizer as transformers' class for it makes it: the class has the last word, not tokenizer.json.

Of a tokenizer.json these classes take the vocabulary and build the rest anew from tokenizer_config.json: where the two
files differ, the second is obeyed. What a class does is read from transformers 5.24, and tried against it
(docs/checkpoints.md); a class that is not known is refused by its name.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from polyseme.artifact import TOKENIZER
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json
from polyseme.export.reading.tokenizer.files import CONFIG, ROLES, Token, TokenizerFiles
from polyseme.export.reading.vocabulary import VOCABULARIES, Vocabulary, read_vocabulary, vocabulary_files

AS_IT_IS: Final = "TokenizersBackend"
"""The class that takes tokenizer.json as it is, and adds tokens."""

_BERT: Final = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_ROBERTA: Final = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>",
    "cls_token": "<s>", "mask_token": "<mask>",
}  # fmt: skip
_MASK: Final = AddedToken("<mask>", lstrip=True, special=True)
_ADVICE: Final = (
    f"those of BERT, RoBERTa, XLM-R, CamemBERT and MPNet are, and PreTrainedTokenizerFast for a {TOKENIZER} as it is"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """A class of transformers.

    Attributes:
        model: the kind of vocabulary that it has.
        defaults: its special tokens, where no file names others.
        build: the tokenizer before tokens are added.
        ends: what the class puts around a text, once its tokens have ids.
        between: the roles of these.
    """

    model: str
    defaults: Mapping[str, Token]
    build: Callable[[Vocabulary, TokenizerFiles], Tokenizer]
    ends: Callable[[Tokenizer, TokenizerFiles], processors.PostProcessor]
    between: tuple[str, str]


def write_tokenizer(
    source: Path,
    target: Path,
    files: TokenizerFiles,
    config: Mapping[str, Any],
    *,
    vocab_size: int,
    pairs: bool = False,
) -> None:
    """Write the tokenizer.json of an artifact: the checkpoint's own, byte for byte, where the class changes nothing.

    Args:
        source: the folder of the checkpoint's encoder.
        target: the file.
        files: what the folder says of its tokenizer.
        config: config.json.
        vocab_size: rows of the word table.
        pairs: whether the model is given pairs of texts too.

    Raises:
        UnsupportedError: the class is not known, or needs another kind of vocabulary.
        CheckpointError: a file cannot be used.
    """
    name = _class_name(files, config)
    own = source / TOKENIZER
    if name == AS_IT_IS:
        if not own.is_file():
            raise _missing(source)
        tokenizer = _load(own)
        pad = (tokenizer.padding or {}).get("pad_token")
        _add_tokens(tokenizer, replace(files, named={"pad_token": pad, **files.named}), vocab_size)
        if files.passes_token_types and any(tokenizer.encode("a").type_ids):
            raise UnsupportedError(f"{TOKENIZER} gives tokens another type than 0, which is not supported")
    else:
        tokenizer = _built(_CLASSES[name], source, files, name, vocab_size)
    if own.is_file() and _same(tokenizer, _load(own), pairs=pairs):
        shutil.copyfile(own, target)
    else:
        tokenizer.save(str(target))


def special_tokens(files: TokenizerFiles, config: Mapping[str, Any]) -> frozenset[str]:
    """Give the special tokens of transformers' class: those with a role, and those listed in tokenizer_config.json.

    Raises:
        UnsupportedError: the class is not known.
    """
    name = _class_name(files, config)
    named = {**({} if name == AS_IT_IS else _CLASSES[name].defaults), **files.named}
    return frozenset(map(_text, (*named.values(), *files.extra)))


def _class_name(files: TokenizerFiles, config: Mapping[str, Any]) -> str:
    """Of the class that AutoTokenizer would take.

    Raises:
        UnsupportedError: it is none of ours.
    """
    model_type = config.get("model_type")
    usual = _BY_MODEL_TYPE.get(model_type) if isinstance(model_type, str) else None
    if usual == AS_IT_IS:  # these are known to name wrong classes
        return usual
    told = files.class_name or config.get("tokenizer_class") or usual
    if told is None:
        raise UnsupportedError(
            f"{CONFIG} has no tokenizer_class, and that of model_type {ascii(model_type)[:40]} is not known; {_ADVICE}"
        )
    name = _ALIASES.get(str(told).removesuffix("Fast"), str(told).removesuffix("Fast"))
    if name not in _CLASSES and name != AS_IT_IS:
        raise UnsupportedError(f"tokenizer class {ascii(told)[1:-1][:60]} is not supported; {_ADVICE}")
    return name


def _built(kind: _Class, source: Path, files: TokenizerFiles, name: str, vocab_size: int) -> Tokenizer:
    files = replace(files, named={**kind.defaults, **files.named})
    if (source / TOKENIZER).is_file():
        vocabulary = _vocabulary_of(source / TOKENIZER, kind.model, name)
    elif vocabulary_files(source, kind.model):
        vocabulary = read_vocabulary(source, kind.model)
    else:
        raise _missing(source, *VOCABULARIES.get(kind.model, ()))
    for role in (*kind.between, "unk_token"):
        if files.named[role] is None:
            raise CheckpointError(f"{CONFIG} {role} is null; {name} needs one")
    tokenizer = kind.build(vocabulary, files)
    _add_tokens(tokenizer, files, vocab_size, needed=(*kind.between, "unk_token", "pad_token"))
    tokenizer.post_processor = kind.ends(tokenizer, files)
    return tokenizer


def _vocabulary_of(path: Path, model: str, name: str) -> Vocabulary:
    fields = read_json(path).get("model")
    fields = fields if isinstance(fields, dict) else {}
    kind = fields.get("type") or ("WordPiece" if "max_input_chars_per_word" in fields else "none")
    if kind != model:
        raise UnsupportedError(
            f"{TOKENIZER} has a {ascii(kind)[1:-1][:20]} model, and {name} would make a {model} of it; where "
            f"{TOKENIZER} is right, say so in {CONFIG}: tokenizer_class PreTrainedTokenizerFast"
        )
    tokenizer = _load(path)  # it checks what it reads
    maps = [part["precompiled_charsmap"] for part in _normalizers(tokenizer) if part["type"] == "Precompiled"]
    return Vocabulary(
        tokens=fields["vocab"],
        merges=fields.get("merges") or [],
        characters=base64.b64decode(maps[0]) if maps else None,
    )


def _normalizers(tokenizer: Tokenizer) -> list[dict[str, Any]]:
    whole = json.loads(tokenizer.to_str())["normalizer"]
    parts = whole["normalizers"] if whole and whole["type"] == "Sequence" else [whole]
    return [part for part in parts if part]


def _load(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(f"{path.name} cannot be read: {ascii(str(error))[1:-1][:200]}") from error


def _missing(source: Path, *others: str) -> CheckpointError:
    either = f" without {' and '.join(others)}" if others else ""
    return CheckpointError(
        f"{TOKENIZER} is missing in {source.name}{either}; "
        "make it by AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
    )


def _add_tokens(tokenizer: Tokenizer, files: TokenizerFiles, vocab_size: int, needed: tuple[str, ...] = ()) -> None:
    """Add tokens as transformers does: those with ids, then special ones that are not there yet.

    A special token for which the word table has no row is left out where nothing puts it into a text, as a [MASK] that
    a vocabulary lacks.
    """
    known = {token.content for token in (*files.added, *tokenizer.get_added_tokens_decoder().values())}
    roles = [*ROLES, *(role for role in files.named if role not in ROLES)]
    wanted: list[Token] = []
    new = {token.content for token in files.added if tokenizer.token_to_id(token.content) is None}
    for role, token in [*((role, files.named.get(role)) for role in roles), *(("", token) for token in files.extra)]:
        content = _text(token)
        if not token or content in known or token in wanted:
            continue
        if tokenizer.token_to_id(content) is None and content not in new:
            if tokenizer.get_vocab_size() + len(new) < vocab_size or role not in ROLES:
                new.add(content)
            elif role in needed:
                raise CheckpointError(f"the vocabulary has no {ascii(content)[:40]}, the {role}")
            else:
                continue
        wanted.append(token)
    tokens = [*files.added, *(AddedToken(t, special=True) if isinstance(t, str) else t for t in wanted)]
    special = {_text(token) for token in files.named.values()}
    for token in tokens:
        token.special = token.special or token.content in special
    tokenizer.add_tokens(tokens)


def _text(token: Token | None) -> str:
    return token.content if isinstance(token, AddedToken) else token or ""


def passes_token_types(files: TokenizerFiles, config: Mapping[str, Any]) -> bool:
    """Tell whether transformers gives the model the types of tokens: BERT's class does, unless told what to give.

    Raises:
        UnsupportedError: the class is not known.
    """
    if files.options.get("model_input_names") is not None:
        return files.passes_token_types
    return _class_name(files, config) == "BertTokenizer"


def _same(one: Tokenizer, other: Tokenizer, *, pairs: bool) -> bool:
    """Tell whether two make the same tokens of a single text, or of pairs too; how they cut and pad does not matter."""
    return _telling(one, pairs=pairs) == _telling(other, pairs=pairs)


def _telling(tokenizer: Tokenizer, *, pairs: bool) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(tokenizer.to_str())
    if not pairs:
        document["post_processor"] = {**(document["post_processor"] or {}), "pair": None}
    return {key: value for key, value in document.items() if key not in ("truncation", "padding", "decoder")}


def _word_piece(vocabulary: Vocabulary, files: TokenizerFiles) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary.ids(), unk_token=_text(files.named["unk_token"])))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=files.flag("tokenize_chinese_chars", default=True),
        strip_accents=files.flag("strip_accents", default=None),
        lowercase=files.flag("do_lower_case", default=True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _byte_level(vocabulary: Vocabulary, files: TokenizerFiles) -> Tokenizer:
    tokenizer = Tokenizer(
        models.BPE(vocabulary.ids(), vocabulary.pairs(), continuing_subword_prefix="", end_of_word_suffix="")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=files.flag("add_prefix_space", default=False))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _unigram(vocabulary: Vocabulary, files: TokenizerFiles, unknown: int) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(vocabulary.scores(), unk_id=unknown, byte_fallback=False))
    if vocabulary.characters is not None:
        tokenizer.normalizer = normalizers.Precompiled(vocabulary.characters)
    scheme = "always" if files.flag("add_prefix_space", default=True) else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=scheme)]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme=scheme)
    return tokenizer


def _xlm_roberta(vocabulary: Vocabulary, files: TokenizerFiles) -> Tokenizer:
    return _unigram(vocabulary, files, unknown=3)  # whatever the file says


def _camembert(vocabulary: Vocabulary, files: TokenizerFiles) -> Tokenizer:
    unknown = _text(files.named["unk_token"])
    places = (place for place, (token, _) in enumerate(vocabulary.scores()) if token == unknown)
    return _unigram(vocabulary, files, unknown=next(places, 0))


def _in_template(tokenizer: Tokenizer, files: TokenizerFiles) -> processors.PostProcessor:
    special = [_with_id(tokenizer, files, role) for role in _CLS_SEP]
    begin, end = (token for token, _ in special)
    return processors.TemplateProcessing(
        single=[begin, "$A", end], pair=[begin, "$A", end, "$B:1", f"{end}:1"], special_tokens=special
    )


def _in_sentence(tokenizer: Tokenizer, files: TokenizerFiles) -> processors.PostProcessor:
    special = [_with_id(tokenizer, files, role) for role in _BOS_EOS]
    begin, end = (token for token, _ in special)
    return processors.TemplateProcessing(
        single=[begin, "$A", end], pair=[begin, "$A", end, end, "$B", end], special_tokens=special
    )


def _ends(
    tokenizer: Tokenizer, files: TokenizerFiles, *, trim_offsets: bool, add_prefix_space: bool
) -> processors.PostProcessor:
    sep, cls = (_with_id(tokenizer, files, role) for role in ("sep_token", "cls_token"))
    return processors.RobertaProcessing(sep, cls, trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)


def _with_id(tokenizer: Tokenizer, files: TokenizerFiles, role: str) -> tuple[str, int]:
    token = _text(files.named[role])
    number = tokenizer.token_to_id(token)
    if number is None:
        raise CheckpointError(f"the vocabulary has no {ascii(token)[:40]}, the {role}")
    return token, number


def _of_roberta(tokenizer: Tokenizer, files: TokenizerFiles) -> processors.PostProcessor:
    trim = files.flag("trim_offsets", default=True)
    space = files.flag("add_prefix_space", default=False)
    return _ends(tokenizer, files, trim_offsets=trim, add_prefix_space=space)


def _of_mpnet(tokenizer: Tokenizer, files: TokenizerFiles) -> processors.PostProcessor:
    return _ends(tokenizer, files, trim_offsets=True, add_prefix_space=False)


_CLS_SEP: Final = ("cls_token", "sep_token")
_BOS_EOS: Final = ("bos_token", "eos_token")
_CLASSES: Final = {
    "BertTokenizer": _Class(
        model="WordPiece", defaults=_BERT, build=_word_piece, ends=_in_template, between=_CLS_SEP
    ),
    "MPNetTokenizer": _Class(
        model="WordPiece",
        defaults={**_ROBERTA, "unk_token": "[UNK]", "mask_token": _MASK},
        build=_word_piece,
        ends=_of_mpnet,
        between=_CLS_SEP,
    ),
    "RobertaTokenizer": _Class(
        model="BPE", defaults=_ROBERTA, build=_byte_level, ends=_of_roberta, between=_CLS_SEP
    ),
    "XLMRobertaTokenizer": _Class(
        model="Unigram", defaults=_ROBERTA, build=_xlm_roberta, ends=_in_sentence, between=_BOS_EOS
    ),
    "CamembertTokenizer": _Class(
        model="Unigram",
        defaults={**_ROBERTA, "mask_token": _MASK},
        build=_camembert,
        ends=_in_sentence,
        between=_BOS_EOS,
    ),
}  # fmt: skip
_ALIASES: Final = {
    **dict.fromkeys(("PreTrainedTokenizer", "TokenizersBackend"), AS_IT_IS),
    **dict.fromkeys(
        ("DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "SqueezeBertTokenizer"),
        "BertTokenizer",
    ),
    **dict.fromkeys(("BartTokenizer", "LongformerTokenizer"), "RobertaTokenizer"),
}
_BY_MODEL_TYPE: Final = {
    **dict.fromkeys(
        ("bert", "distilbert", "electra", "convbert", "ernie", "megatron-bert", "mobilebert", "squeezebert"),
        "BertTokenizer",
    ),
    **dict.fromkeys(("roberta", "data2vec-text", "roberta-prelayernorm"), "RobertaTokenizer"),
    **dict.fromkeys(("xlm-roberta", "xmod"), "XLMRobertaTokenizer"),
    "camembert": "CamembertTokenizer",
    "mpnet": "MPNetTokenizer",
    **dict.fromkeys(("modernbert", "nystromformer", "xlm-roberta-xl"), AS_IT_IS),
}
