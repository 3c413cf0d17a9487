"""polyseme verify: is an artifact what export wrote, and does it compute what it should?"""

import argparse
from pathlib import Path

from polyseme.cli.errors import CliError
from polyseme.cli.output import print_table

NAME = "verify"
HELP = "check an artifact: every hash, every graph; exit code 0 only if sound"
EXTRA = "server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="artifact made by `polyseme export`")
    parser.add_argument("--full", action="store_true", help="run every length, not only a few texts")


def run(args: argparse.Namespace) -> int:
    """Check and report."""
    from polyseme.artifact import Artifact, ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, SelfCheckError, TokenizerError
    from polyseme.runtime.selfcheck import self_check

    try:
        artifact = Artifact.open(args.directory)
        findings = self_check(artifact, full=args.full)
    except (ArtifactError, RuntimeUnavailableError, SelfCheckError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    rows = [("hashes", f"{len(artifact.manifest.files)} files, all right")]
    rows += [(finding.check, finding.result) for finding in findings]
    print_table(("check:", "result:"), rows)
    print(f"{artifact.manifest.name}@{artifact.manifest.version} is sound")
    return 0
