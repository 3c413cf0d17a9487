"""The floor: a server that answers every call with the same bytes, and does nothing else.

Usage: python -m bench.frontends.echo PORT {grpc,native} REPLY_BYTES
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

METHOD = "/polyseme.v1.EmbeddingService/Embed"


async def aio(port: int, reply: bytes) -> None:
    """By grpc.aio, as the house registers its methods: bytes in, bytes out."""
    import grpc

    async def answer(_: Any, context: Any) -> bytes:
        await context.read()
        return reply

    class Handlers(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.stream_unary_rpc_method_handler(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handlers(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


def native(port: int, reply: bytes) -> None:
    """By pygrpc-native."""
    from pygrpc_native import EVENT_CALL, NativeGrpcFront

    front = NativeGrpcFront(f"127.0.0.1:{port}", [(METHOD, False)], io_threads=1)
    front.start()

    def serve() -> None:
        while (events := front.recv_batch(256)) is not None:
            for kind, number, *_ in events:
                if kind == EVENT_CALL:
                    front.respond(number, reply)

    thread = threading.Thread(target=serve)
    thread.start()
    print("ready", flush=True)
    thread.join()


if __name__ == "__main__":
    size = int(sys.argv[3])
    if sys.argv[2] == "grpc":
        asyncio.run(aio(int(sys.argv[1]), b"x" * size))
    else:
        native(int(sys.argv[1]), b"x" * size)
