"""Load an artifact on the first GPU, run it once, and print what came of it as JSON: load.py DIRECTORY [auto|cuda].

In a process of its own, as the architecture of the fake device (FAKE_SM) is that of a process.
"""

import json
import os
import re
import sys
from pathlib import Path

from tests.cuda.fake import Runtime, launched, wrong
from tests.server.running import load_engine

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.errors import RuntimeUnavailableError


def main(directory, device="cuda"):
    exists = os.path.exists
    os.path.exists = lambda path: path == "/dev/nvidiactl" or exists(path)
    runtime = Runtime()
    with runtime.journal() as lines:
        try:
            client = load_engine(Artifact.open(Path(directory)), device=device)
        except RuntimeUnavailableError as error:
            return {"refused": str(error)}
        engine = client.engine
        engine.run(Variant.EMBED, engine.collate([[2, 7, 3], [2] * 90]), [NORMALIZED])
    kernels, without_code = runtime.kernels()
    return {
        "engine": type(engine).__name__,
        "provider": client.info.execution_provider,
        "fell_back": client.info.fell_back,
        "kernels": sorted(launched(lines)),
        "wrong": wrong(lines),
        "tf32": sum(re.search(r"types 0 0 0 compute \d+ math 3", line) is not None for line in lines),
        "without_code": without_code / max(kernels, 1),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
