"""All cases, by concept."""

from tests.reference.cases import added_tokens, architectures, files, fuzz, lengths, modules, prompts, tokenizer_classes
from tests.reference.cases.registry import CASES

__all__ = [
    "CASES",
    "added_tokens",
    "architectures",
    "files",
    "fuzz",
    "lengths",
    "modules",
    "prompts",
    "tokenizer_classes",
]
