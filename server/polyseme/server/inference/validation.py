"""What a request may say, checked before any work is done for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polyseme.server.config import ServerConfig
from polyseme.server.errors import InvalidInputError


def check_texts(
    texts: Sequence[str], config: ServerConfig, field: str = "texts", at: Callable[[int], str] | None = None
) -> None:
    """Refuse no texts, too many, or one that is too long.

    Args:
        texts: of one request.
        config: the limits.
        field: what messages call them.
        at: what they call text i, where that is not `field[i]`.

    Raises:
        InvalidInputError: which text, its size, the limit.
    """
    if not texts:
        raise InvalidInputError(f"{field} is empty; 1 to {config.max_texts} are needed")
    if len(texts) > config.max_texts:
        raise InvalidInputError(f"{field} has {len(texts)} entries; limit {config.max_texts}")
    for index, text in enumerate(texts):
        # UTF-8 takes 1 to 4 bytes a character, so that most texts need not be encoded to know.
        if len(text) * 4 > config.max_text_bytes and (size := len(text.encode())) > config.max_text_bytes:
            name = at(index) if at else f"{field}[{index}]"
            raise InvalidInputError(f"{name} has {size} bytes; limit {config.max_text_bytes}")


def check_dimensions(dimensions: int, limit: int) -> None:
    """Refuse a length that the model's vectors do not have.

    Raises:
        InvalidInputError: got and limit.
    """
    if not 1 <= dimensions <= limit:
        raise InvalidInputError(f"dimensions: got {dimensions}; limits 1..{limit}")


def check_reply_bytes(size: int, limit: int, advice: str = "ask for less") -> None:
    """Refuse a call whose reply would not fit a message, as soon as that is known.

    Raises:
        InvalidInputError: the size, and the limit.
    """
    if size > limit:
        raise InvalidInputError(f"the reply would have {size} bytes or more; limit {limit}: {advice}")
