"""The part that replies of several methods have."""

from __future__ import annotations

from collections.abc import Iterable

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.wire.calls.call import Call


def metadata(call: Call, texts: Iterable[str], tokens: int) -> pb.Metadata:
    """Tell what a call has cost.

    Args:
        call: the call.
        texts: as they came.
        tokens: that the model saw.
    """
    watch = call.stopwatch
    return pb.Metadata(
        compute_chars=sum(map(len, texts)),
        compute_tokens=tokens,
        total_time_ns=round(call.elapsed_s() * 1e9),
        tokenization_time_ns=round(watch.tokenize_s * 1e9),
        queue_time_ns=round(watch.queue_s * 1e9),
        inference_time_ns=round(watch.run_s * 1e9),
    )
