"""The errors that a gateway answers with, in OpenAI's form.

HttpError      a status, and what the body says
└── GoneError  the caller has left: nobody reads the answer

No message holds a part of a text.
"""

from __future__ import annotations

from collections.abc import Mapping


class HttpError(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP.
        kind: as OpenAI's `type` has it.
        param: the field of the request that is wrong; None: no single one.
        code: as OpenAI's `code` has it; None: none.
        headers: that go with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """Give the body of the answer, in OpenAI's form."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


class GoneError(HttpError):
    """The caller has closed its connection."""

    def __init__(self) -> None:
        super().__init__(499, "the caller has left")
