"""Does the SDK of one version get from a server of another what its own gives? Run on demand, with two environments.

Usage: python -m tests.packaging.versions ARTIFACT --other PYTHON --other-artifact DIR

PYTHON is the interpreter of the other version's environment, DIR the same model as that version exports it.
Each SDK calls each server; answers must be equal to 1e-6, and it says whether they are equal bit by bit.
"""

import argparse
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

SERVE = ["-m", "polyseme.cli.main", "serve"]
FLAGS = ["--host", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--drain-delay-s", "0"]
# Runs in either environment: public names of the first version alone.
CALL = """
import sys
import numpy as np
from polyseme.client import Client
TEXTS = ["I deposited the check at the bank.", "We sat on the bank of the river.", "", "naïve 東京 👩‍👩‍👧"]
with Client(sys.argv[1]) as c:
    words = c.embed_words(TEXTS[:2], words=["bank"])
    tokens = c.embed_tokens(TEXTS[:2], layers=[-4, -3, -2, -1], combine="sum")
    np.savez(
        sys.argv[2],
        embed=c.embed(TEXTS),
        many=c.embed(TEXTS * 400),
        float16=c.embed(TEXTS, dtype="float16").astype(np.float32),
        words=np.concatenate([np.asarray(text.vectors) for text in words]),
        tokens=np.concatenate([np.asarray(text.vectors) for text in tokens]),
        offsets=np.concatenate([np.array(text.offsets) for text in c.tokenize(TEXTS)]),
        scores=c.similarity(TEXTS, TEXTS[:2]),
        stream=np.stack(list(c.embed_stream(iter(TEXTS * 5)))),
    )
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--other", required=True)
    parser.add_argument("--other-artifact", type=Path, required=True)
    args = parser.parse_args()
    versions = {"this": (sys.executable, args.artifact), "other": (args.other, args.other_artifact)}
    worst = 0.0
    with TemporaryDirectory() as folder:
        answers = {}
        for server, (python, artifact) in versions.items():
            with subprocess.Popen(
                [python, *SERVE, str(artifact), *FLAGS], stderr=subprocess.PIPE, text=True
            ) as process:
                try:
                    target = ready(process.stderr)
                    for sdk, (client, _) in versions.items():
                        file = Path(folder) / f"{sdk}-{server}.npz"
                        subprocess.run([client, "-c", CALL, target, str(file)], check=True, cwd=folder)
                        answers[sdk, server] = np.load(file)
                finally:
                    process.terminate()
        own = answers["this", "this"]
        for sdk, server in product(versions, versions):
            got = answers[sdk, server]
            distance = max(float(np.abs(got[name] - own[name]).max()) for name in own.files)
            equal = all(np.array_equal(got[name], own[name]) for name in own.files)
            print(
                f"SDK {sdk:5}  server {server:5}  {len(own.files)} answers  {'equal' if equal else f'{distance:.1e}'}"
            )
            worst = max(worst, distance)
    return 0 if worst <= 1e-6 else 1


def ready(log):
    for line in log:
        if found := re.search(r"on (127\.0\.0\.1:\d+)", line):
            return found[1]
    raise SystemExit("the server ended before it was ready")


if __name__ == "__main__":
    sys.exit(main())
