"""Servers under measurement: how each is started, what a call to it is, what it answers."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from bench.lib.server import free_port, server_process

from polyseme.client import Client
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Vectors = npt.NDArray[np.float32]
ROOT: Final = Path(__file__).parents[2]
READY_S: Final = 180
_OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_CACHE": str(ROOT / ".cache" / "peers" / "hub"),  # where Infinity keeps the graph that it optimizes
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that is ready.

    Attributes:
        target: HOST:PORT.
        pid: of its process.
    """

    target: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that can be started.

    Attributes:
        name: as the table has it.
        protocol: grpc or http.
        path: of the method, or of the URL.
        request: the bytes of a call.
        vectors: asks it for the vectors of texts.
        start: starts it; ready inside, stopped after.
        versions: of what it is made of.
    """

    name: str
    protocol: str
    path: str
    request: Callable[[Sequence[str]], bytes]
    vectors: Callable[[str, Sequence[str]], Vectors]
    start: Callable[[], Any]
    versions: Callable[[], str] = lambda: ""


def ours(artifact: Path) -> Server:
    """Polyseme, with its defaults."""

    def request(texts: Sequence[str]) -> bytes:
        options = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
        return pb.EmbedRequest(texts=texts, text_options=options).SerializeToString()

    def vectors(target: str, texts: Sequence[str]) -> Vectors:
        with Client(target) as client:
            return client.embed(list(texts), truncate="end")

    @contextmanager
    def start() -> Iterator[Running]:
        with server_process(artifact) as (target, pid):
            yield Running(target=target, pid=pid)

    path = "/polyseme.v1.EmbeddingService/Embed"
    return Server(name="ours", protocol="grpc", path=path, request=request, vectors=vectors, start=start)


def infinity(model: Path, engine: str) -> Server:
    """Infinity, from its environment, over HTTP: it has no gRPC."""
    python = ROOT / ".venv-peers-infinity" / "bin" / "python"

    def request(texts: Sequence[str]) -> bytes:
        return json.dumps({"model": "m", "input": list(texts), "encoding_format": "base64"}).encode()

    def vectors(target: str, texts: Sequence[str]) -> Vectors:
        body = json.dumps({"model": "m", "input": list(texts)}).encode()
        reply = _post(f"http://{target}/embeddings", body)
        return np.array([row["embedding"] for row in reply["data"]], np.float32)

    def start() -> Any:
        port = free_port()
        # From within the folder: it hands optimum the path of the ONNX file, which must be relative to the model's.
        flags = ["--model-id", ".", "--served-model-name", "m", "--engine", engine, "--device", "cpu"]
        flags += ["--dtype", "float32", "--no-vector-disk-cache"]  # texts come again: a cache would answer
        flags += ["--pooling-method", "mean"]  # optimum takes the first token's vector unless it is told
        command = [str(python.with_name("infinity_emb")), "v2", *flags, "--host", "127.0.0.1", "--port", str(port)]
        return _running(command, f"127.0.0.1:{port}", model)

    def versions() -> str:
        names = ("infinity-emb", "torch" if engine == "torch" else "onnxruntime")
        return _versions(python, names)

    return Server(
        name=f"infinity-{engine}",
        protocol="http",
        path="/embeddings",
        request=request,
        vectors=vectors,
        start=start,
        versions=versions,
    )


def tei(model: Path, binary: Path) -> Server:
    """Hugging Face's text-embeddings-inference over HTTP: a `text-embeddings-router` that was built with `http`."""

    def request(texts: Sequence[str]) -> bytes:
        return json.dumps({"inputs": list(texts), "truncate": True}).encode()

    def vectors(target: str, texts: Sequence[str]) -> Vectors:
        rows = [_post(f"http://{target}/embed", request(texts[i : i + 32])) for i in range(0, len(texts), 32)]
        return np.array([row for reply in rows for row in reply], np.float32)

    def start() -> Any:
        port = free_port()
        flags = ["--model-id", str(model), "--dtype", "float32", "--hostname", "127.0.0.1", "--port", str(port)]
        return _running([str(binary.resolve()), *flags], f"127.0.0.1:{port}", ROOT)

    def versions() -> str:
        return subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout.strip()

    return Server(
        name="tei", protocol="http", path="/embed", request=request, vectors=vectors, start=start, versions=versions
    )


@contextmanager
def _running(command: Sequence[str], target: str, folder: Path) -> Iterator[Running]:
    """Start a server in a folder; it says at /health that it is ready; stop it at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **_OFFLINE}, stdout=log, stderr=log)
        try:
            end = time.monotonic() + READY_S
            while not _is_healthy(target):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    said = log.read().decode(errors="replace")[-2000:]
                    raise SystemExit(f"{said}\n{command[0]} is not ready")
                time.sleep(0.1)
            yield Running(target=target, pid=process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_healthy(target: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{target}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _post(url: str, body: bytes) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.loads(reply.read())


def _versions(python: Path, names: Sequence[str]) -> str:
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    said = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True).stdout
    return ", ".join(map(" ".join, zip(names, said.split(), strict=True)))
