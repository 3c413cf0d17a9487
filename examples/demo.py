"""The main job, end to end: start a server on a real model, call it through the SDK, print, stop.

Usage: python examples/demo.py ARTIFACT
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from polyseme.client import Client, PolysemeError

SENTENCES = [
    "How do I reset my password?",
    "I forgot my login, I need a new one.",
    "When does the museum open?",
    "Opening hours of the gallery",
    "This cake needs three eggs.",
]
MONEY = "I deposited the check at the bank."
RIVER = "We sat on the bank of the river."
console = Console(highlight=False)


class ServerDiedError(Exception):
    """The server ended before it answered; it has said why."""


@contextmanager
def server(artifact: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server in a process of its own; gives the process and its target, and stops it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", artifact]
    command += ["--host", "127.0.0.1", "--port", str(port), "--metrics-port", "0", "--drain-delay-s", "0"]
    command += ["--log-level", "warning"]
    process = subprocess.Popen(command)  # noqa: S603
    try:
        yield process, f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(client: Client, process: subprocess.Popen[bytes]) -> None:
    """Return once the server answers, however long that takes, as long as it lives."""
    while True:
        try:
            client.models()
        except PolysemeError:
            if process.poll() is not None:
                raise ServerDiedError(f"the server ended with exit status {process.returncode}; see above") from None
            time.sleep(0.05)
        else:
            return


def show_similarity(client: Client) -> None:
    """Cosine of every pair of sentences."""
    scores = client.similarity(SENTENCES, SENTENCES)
    table = Table(
        title="How alike are these sentences? (cosine; 1.00 = the same)", title_justify="left", box=SIMPLE_HEAD
    )
    table.add_column("")
    table.add_column("sentence", overflow="ellipsis", no_wrap=True)
    for number in range(1, len(SENTENCES) + 1):
        table.add_column(str(number), justify="right", min_width=4)
    for number, (sentence, row) in enumerate(zip(SENTENCES, scores, strict=True), start=1):
        closest = max(v for i, v in enumerate(row, start=1) if i != number)
        cells = [f"[bold green]{v:.2f}[/]" if v == closest else f"{round(float(v), 2) + 0:.2f}" for v in row]
        table.add_row(str(number), sentence, *cells)
    console.print(table)
    console.print("Green: the closest other sentence.\n")


def show_words(client: Client) -> None:
    """Cosine of one word's vectors in two sentences."""
    table = Table(
        title=f"How alike are the two banks? (cosine)\n1 {MONEY}\n2 {RIVER}", title_justify="left", box=SIMPLE_HEAD
    )
    table.add_column("the vector of bank")
    table.add_column("1 and 2", justify="right")
    static = client.word_similarity((MONEY, "bank"), (RIVER, "bank"), layers="static")
    last = client.word_similarity((MONEY, "bank"), (RIVER, "bank"))
    table.add_row("without its sentence (static)", f"{static:.2f}")
    table.add_row("in its sentence (last layer)", f"{last:.2f}")
    console.print(table)


def show_tokens(client: Client) -> None:
    """What the model sees of a text."""
    tokens = client.tokenize(MONEY)
    console.print(f"[italic]What the model sees of: {MONEY}[/]")
    table = Table(box=SIMPLE_HEAD)
    for heading in ("token", "id", "characters"):
        table.add_column(heading, justify="left" if heading == "token" else "right")
    for token, number, (start, end), special in zip(
        tokens.tokens, tokens.ids, tokens.offsets, tokens.special, strict=True
    ):
        table.add_row(f"[dim]{token}[/]" if special else token, str(number), "" if special else f"{start}-{end}")
    console.print(table)


def show_timings(client: Client, calls: int = 200) -> None:
    """How long one caller waits for one sentence."""
    vectors = client.embed(SENTENCES)
    milliseconds = sorted(timed_ms(client, SENTENCES[i % len(SENTENCES)]) for i in range(calls))
    console.print(
        f"\n{len(SENTENCES)} sentences became an array {vectors.shape} of {vectors.dtype}. "
        f"One sentence a call, one call at a time, {calls} calls: "
        f"median {milliseconds[calls // 2]:.1f} ms, 99% below {milliseconds[int(calls * 0.99)]:.1f} ms."
    )


def timed_ms(client: Client, text: str) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    client.embed(text)
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="Serve a model, call it through the SDK, print, stop.")
    parser.add_argument("artifact", metavar="ARTIFACT", help="directory that `polyseme export` wrote")
    try:
        show(parser.parse_args().artifact)
    except (ServerDiedError, PolysemeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def show(artifact: str) -> None:
    """Serve the artifact, and print what a client sees of it."""
    with server(artifact) as (process, target), Client(target) as client:
        wait_until_ready(client, process)
        model = client.model()
        console.print(
            f"\n[bold]{model.identity.name}[/] (version {model.identity.version}): {model.num_hidden_layers} layers, "
            f"{model.dimensions} dimensions, {model.identity.precision} on {model.identity.execution_provider}\n"
        )
        show_similarity(client)
        show_words(client)
        show_tokens(client)
        show_timings(client)
    console.print("\nStopped. `make serve` leaves a server on localhost:50051.")


if __name__ == "__main__":
    sys.exit(main())
