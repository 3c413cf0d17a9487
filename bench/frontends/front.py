"""The process of a front end: the house's server, with one of two wires and one of two engines.

It serves as `polyseme serve` does, with two changes that a server of several front ends would need: its port may be
shared (SO_REUSEPORT), and its engine may be another process.

Usage: python -m bench.frontends.front ARTIFACT PORT {grpc,native} {here,SOCKET} [--tokens FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path
from typing import Any

from bench.frontends.remote import RemoteEngines
from bench.frontends.stub import StubEngines

from polyseme.artifact import Artifact
from polyseme.server.app import App
from polyseme.server.config import ServerConfig
from polyseme.server.wire import listener
from polyseme.server.wire.calls.adapter import Surroundings
from polyseme.server.wire.calls.service import Service


def share_ports() -> None:
    """Have the listener set SO_REUSEPORT, and not refuse a port that another front end has."""
    options = listener._channel_options  # noqa: SLF001  a server of several front ends would have a setting
    shared = {"grpc.so_reuseport": 1}
    listener._channel_options = lambda config: [*(dict(options(config)) | shared).items()]  # noqa: SLF001
    listener._refuse_taken = lambda host, port: None  # noqa: SLF001


def keep_handlers() -> list[Any]:
    """Keep what the listener makes of each service, EmbeddingService first: another wire can call it too."""
    kept: list[Any] = []
    make = listener.generic_handler  # type: ignore[attr-defined]

    def made(service: Service, surroundings: Surroundings) -> Any:
        kept.append(make(service, surroundings))
        return kept[-1]

    listener.generic_handler = made  # type: ignore[attr-defined]
    return kept


async def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("wire", choices=("grpc", "native"))
    parser.add_argument("engine", help="`here`, or the path of an engine's socket")
    parser.add_argument("--tokens", default="", help="a file of tokens")
    arguments = parser.parse_args()
    logging.disable()  # of calls that fail when the engine is killed
    share_ports()
    artifact = Artifact.open(arguments.artifact)
    kept = keep_handlers()
    here = arguments.engine == "here"
    app = App(
        lambda: [artifact],
        ServerConfig(
            port=0 if arguments.wire == "native" else arguments.port, metrics_port=0, token_file=arguments.tokens
        ),
        make_engines=StubEngines if here else lambda config, watchdog: RemoteEngines(arguments.engine),
    )
    async with app:
        if arguments.wire == "native":
            from bench.frontends.native import NativeServer

            kept.append(NativeServer(kept[0], f"127.0.0.1:{arguments.port}", reuse_port=True))
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
