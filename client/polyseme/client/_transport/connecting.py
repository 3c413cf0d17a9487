"""Say in plain words why no connection came about, where the words of gRPC's core tell. Pure."""

from __future__ import annotations

from typing import Final

_OTHER_NAME: Final = (
    "the server's certificate is for another name; call the server by that, or set the option "
    "grpc.ssl_target_name_override (--tls-name on the command line)"
)
_OVER_TLS: Final = (
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS; leave credentials= out (--tls on the command line)"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's certificate is of no authority trusted here; give its authority's to "
        "grpc.ssl_channel_credentials() (--tls-ca on the command line)",
    ),
    ("Hostname Verification Check failed", _OTHER_NAME),
    ("is not in peer certificate", _OTHER_NAME),  # as grpcio 1.63 says it
)
_REACHED_NOBODY: Final = ("connections to all backends failing", "failed to connect to all addresses")
_HUNG_UP: Final = ("Socket closed", "Connection reset", "recvmsg", "Broken pipe")
_NO_HTTP2: Final = "Failed parsing HTTP/2"


def reason(details: str, *, tls: bool) -> str:
    """Give the reason; "": the words do not tell.

    Args:
        details: the words of gRPC's core, of a call that is UNAVAILABLE.
        tls: whether the client speaks TLS.
    """
    if tls:
        return next((plain for words, plain in _OVER_TLS if words in details), "")
    if not any(words in details for words in _REACHED_NOBODY):
        return ""
    if any(words in details for words in _HUNG_UP):
        return "the server hangs up, as one does that speaks TLS; pass credentials= (--tls on the command line)"
    if _NO_HTTP2 in details:
        return "something else than a gRPC server without TLS answers there"
    return ""
