"""Envoy as deploy/envoy.yaml has it, before servers of this machine."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from bench.lib.server import free_port

from polyseme.client import Client, PolysemeError

CONFIG = Path(__file__).parents[2] / "deploy" / "envoy.yaml"


@contextmanager
def envoy(binary: Path, servers: Sequence[str]) -> Iterator[str]:
    """Run Envoy before servers, HOST:PORT each; gives its target once it answers calls, and stops it at the end."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    port = free_port()
    _listen_at(config, port)
    _find(config, servers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "envoy.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        command = [str(binary), "-c", str(path), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        process = subprocess.Popen(command)
        try:
            _wait_until_it_answers(f"127.0.0.1:{port}", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _listen_at(config: dict[str, Any], port: int) -> None:
    del config["admin"]
    address = config["static_resources"]["listeners"][0]["address"]["socket_address"]
    address.update(address="127.0.0.1", port_value=port)


def _find(config: dict[str, Any], servers: Sequence[str]) -> None:
    """Put addresses in the place of a name."""
    cluster = config["static_resources"]["clusters"][0]
    del cluster["cluster_type"]
    pairs = [server.split(":") for server in servers]
    addresses = [{"socket_address": {"address": host, "port_value": int(port)}} for host, port in pairs]
    cluster["type"] = "STATIC"
    cluster["load_assignment"]["endpoints"] = [
        {"lb_endpoints": [{"endpoint": {"address": address}} for address in addresses]}
    ]


def _wait_until_it_answers(target: str, process: subprocess.Popen[bytes]) -> None:
    with Client(target) as client:
        while not _answers(client):
            if process.poll() is not None:
                raise SystemExit(f"envoy ended with exit code {process.returncode}")
            time.sleep(0.1)


def _answers(client: Client) -> bool:
    try:
        client.models(timeout=1)
    except PolysemeError:
        return False
    return True
