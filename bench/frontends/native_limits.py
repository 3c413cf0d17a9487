"""What pygrpc-native's front does with large requests, deadlines, and an end: a line for each.

It needs pygrpc-native (pip install pygrpc-native==0.5.0).

Usage: python -m bench.frontends.native_limits
"""

from __future__ import annotations

import threading

import grpc
from bench.lib.machine import heading, versions
from pygrpc_native import EVENT_CALL, NativeGrpcFront

METHOD = "/echo/Echo"
HANG = b"hang"
MEBIBYTES = (1, 5, 20, 200)
UNLIMITED = [("grpc.max_send_message_length", -1)]


def main() -> None:
    """Try each."""
    print(heading(), f"         {versions('pygrpc-native')}", "", sep="\n")
    front = NativeGrpcFront("127.0.0.1:0", [(METHOD, False)], io_threads=1, call_details=True)
    front.start()
    seen: list[tuple[int, int]] = []

    def serve() -> None:
        while (events := front.recv_batch_details(64)) is not None:
            for kind, call, _, request, _, _ in events:
                seen.append((kind, 0 if request is None else len(request)))
                if kind == EVENT_CALL and request != HANG:
                    front.respond(call, b"")

    threading.Thread(target=serve, daemon=True).start()
    with grpc.insecure_channel(f"127.0.0.1:{front.bound_port}", options=UNLIMITED) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        for size in MEBIBYTES:
            call(b"x" * (size << 20), wait_for_ready=True)
            print(f"a request of {size} MiB: taken whole, {seen[-1][1] / 2**20:.0f} MiB given to Python")
        for what, seconds in (("its deadline passes", 0.2), ("the front is closed", 60.0)):
            waiting = call.future(HANG, timeout=seconds)
            if seconds > 1:
                while seen[-1] != (EVENT_CALL, len(HANG)):
                    threading.Event().wait(0.01)
                front.close()
            error = waiting.exception()
            assert isinstance(error, grpc.RpcError)
            print(f"a call that hangs when {what}: {error.code().name}, {error.details()}")


if __name__ == "__main__":
    main()
