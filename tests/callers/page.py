"""What docs/status-codes.md says, and servers that are in the state it speaks of."""

import re
from contextlib import contextmanager

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.callers.programs import ROOT

from polyseme.v1.embedding_service_pb2 import EmbedRequest

PAGE = (ROOT / "docs/status-codes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def shape(message):
    """A message without its ids and numbers."""
    return re.sub(r"\d+", "N", re.sub(r"\b(?:[0-9a-f]{12}|[0-9a-f]{16})\b", "N", message))


def examples(section):
    blocks = re.findall(r"```text\n(.*?)```", SECTIONS[section], re.DOTALL)
    return {shape(line) for block in blocks for line in block.splitlines()}


def documented(call):
    """The call ends with a status in whose section the message stands."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    said = shape(error.value.details())
    assert any(example in said for example in examples(error.value.code().name)), said
    return error.value


@contextmanager
def busy(server, texts=("a",)):
    """A call runs, and goes on until the block ends."""
    with server.faults.held() as held:
        first = server.embedding.Embed.future(EmbedRequest(texts=texts), timeout=300)
        held.wait_for_a_batch()
        yield first


def retry_delays(error):
    """What both trailers say, in milliseconds."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    return info.retry_delay.ToMilliseconds(), int(trailers["grpc-retry-pushback-ms"])


def embed(server, timeout=300):
    return server.embedding.Embed(EmbedRequest(texts=["a"]), timeout=timeout)
