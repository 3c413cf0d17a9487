"""The files of the page, read once, with headers that let a browser load nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from starlette.responses import Response

from polyseme.gateway.requests import Answer, Arrived

_SCRIPTS: Final = ("page", "asking", "elements", "entities", "selection", "sentences", "words")
FILES: Final = {
    "/": "index.html",
    "/page/page.css": "page.css",
    **{f"/page/{name}.js": f"{name}.js" for name in _SCRIPTS},
}
"""The name of each file, by its path."""

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
}


def answer_with(name: str) -> Answer:
    """Make the answer that is a file."""
    content = files("polyseme.gateway.page").joinpath("static", name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]

    async def answer(_: Arrived) -> Response:
        return Response(content, headers=_HEADERS, media_type=kind)

    return answer
