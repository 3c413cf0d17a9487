"""The price of looking at the weights once a second, as the server does.

Usage: python -m bench.cost.weights ARTIFACT [LOOKS]
Prints one line for each mapped file: a look in milliseconds, the share of one core, and how long a round takes.
"""

import sys
import time
from statistics import median, quantiles

from bench.lib.machine import heading

from polyseme.artifact import Artifact
from polyseme.server.engine.weights import WeightFile


def main() -> None:
    artifact, looks = Artifact.open(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
    print(heading())
    for entry in artifact.manifest.precisions.values():
        expected = artifact.manifest.files[entry.weights]
        file = WeightFile(artifact.path(entry.weights), expected.sha256)
        wall, cpu = [], time.process_time()
        for _ in range(looks):
            began = time.perf_counter()
            assert file.look() == ""
            wall.append((time.perf_counter() - began) * 1e3)
        cpu = (time.process_time() - cpu) / looks
        file.close()
        print(
            f"{entry.weights}, {expected.size / 1e6:.0f} MB: a look takes {median(wall):.2f} ms (90% within "
            f"{quantiles(wall, n=10)[-1]:.2f}), {cpu * 100:.2f}% of a core at one a second; every byte within "
            f"{-(-expected.size // file.piece_bytes)} s"
        )


if __name__ == "__main__":
    main()
