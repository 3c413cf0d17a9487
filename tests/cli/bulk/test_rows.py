import grpc
import pytest
from tests.cli.bulk.samples import TEXTS
from tests.client.fake_server import fake_server

from polyseme.cli.bulk.rows import embed_records
from polyseme.cli.inputs.records import Record
from polyseme.client import Client
from polyseme.v1.embedding_service_pb2 import StreamError


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            StreamError(code=3, message="texts[#] has 913 tokens; limit 512", field="texts[#]"),
            "has 913 tokens; limit 512",
        ),
        (StreamError(code=3, message="texts[#] has 913 tokens; limit 512"), "has 913 tokens; limit 512"),
        (StreamError(code=13, message="internal error 0123"), "internal error 0123"),
    ],
    ids=["named apart", "older server", "internal"],
)
def test_a_problem_says_neither_the_server_nor_the_index_in_the_stream(error, problem):
    with fake_server() as fake, Client(fake.target) as client:
        fake.faults.on_message = _refuse_bad(error)
        records = iter([Record(text, number) for number, text in enumerate([*TEXTS, "bad"], 1)])
        rows = list(embed_records(client, client.model(), records, {}, first=1000, skip=True))
    assert [row.status for row in rows[:-1]] == ["OK"] * len(TEXTS)
    assert (rows[-1].position, rows[-1].status, rows[-1].problem) == (
        1000 + len(TEXTS),
        next(code.name for code in grpc.StatusCode if code.value[0] == error.code),
        problem,
    )


def _refuse_bad(error):
    """An on_message that refuses messages with "bad" among their texts; # is its index in the message."""

    def on_message(sequence, message, context):
        texts = list(message.embed.texts)
        if "bad" not in texts:
            return None
        index = str(texts.index("bad"))
        message, field = error.message.replace("#", index), error.field.replace("#", index)
        return StreamError(code=error.code, message=message, field=field)

    return on_message
