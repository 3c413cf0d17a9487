"""Texts, and a server that refuses some of them."""

import grpc

from polyseme.v1 import embedding_service_pb2 as service_pb2

TEXTS = ["the bank of the river", "", "a bank\u2028two", "été 🦜", "the bank of the river"]


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]  # not splitlines(): a text has U+2028


def refuse(*texts):
    """An on_message for the fake server: messages with one of these texts are refused as the server refuses them."""

    def on_message(sequence, message, context):
        for index, text in enumerate(message.embed.texts):
            if text in texts:
                field = f"texts[{index}]"
                detail = f"{field} has 913 tokens; limit 512 (truncate=none)"
                code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
                return service_pb2.StreamError(code=code, message=detail, field=field)
        return None

    return on_message


def stop_halfway(embed, fake, *arguments, **options):
    fake.faults.on_message = refuse(TEXTS[3])
    assert embed(*arguments, **options)[0] == 1
    fake.faults.on_message = None
