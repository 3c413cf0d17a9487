"""Check what would be published: build it, look at it, install it, use it. Exit status 1: a check failed.

Usage: python -m deploy.release.check

It prints a table, and the whole log of a command that fails. It needs what constraints/release.txt has, git, make and a
package index. Nothing is uploaded.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.release.archives import differences, left_out, sdist_names, wheel_files
from deploy.release.versions import PLACES, agrees, heading, heading_fits, said

ROOT: Final = Path(__file__).resolve().parents[2]
PART: Final = "tests/artifact tests/server/test_embed.py tests/docs/test_index.py tests/deploy/test_dockerfile.py"
"""Tests of a minute that need each folder; `make test` is all of them, and takes a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw, and whether it is as it must be."""

    check: str
    seen: str
    ok: bool


class Run:
    """Runs commands, and turns each into what was seen."""

    def __init__(self) -> None:
        self.rows: list[Seen] = []

    def saw(self, check: str, seen: str, ok: bool) -> None:
        """Keep and print a row."""
        self.rows.append(Seen(check, seen, ok))
        print(f"{check:<34} | {'ok' if ok else 'NO':<2} | {seen}", flush=True)

    def command(self, check: str, *command: str | Path, cwd: Path = ROOT) -> bool:
        """Run a command; what is seen is its last line."""
        done = subprocess.run(  # noqa: S603
            [str(word) for word in command],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ok = done.returncode == 0
        if not ok:
            print(done.stdout, file=sys.stderr)
        lines = done.stdout.strip().splitlines() or ["said nothing"]
        self.saw(check, lines[-1], ok)
        return ok


def main() -> int:
    """Run all checks."""
    run = Run()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    check_versions(run, version)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if run.command("sdist, and wheel of it, build", sys.executable, "-m", "build", "--outdir", work / "dist", ROOT):
            check_archives(run, work, version)
            check_use(run, work, version)
    failed = [row.check for row in run.rows if not row.ok]
    print(f"{len(run.rows)} checks, {len(failed)} failed" + "".join(f"\n  {name}" for name in failed))
    return 1 if failed else 0


def check_versions(run: Run, version: str) -> None:
    """Look whether every place says the version that pyproject.toml says."""
    for place in PLACES:
        versions = said(place, (ROOT / place.file).read_text(encoding="utf-8"))
        run.saw(f"version in {place.file}", ", ".join(versions) or "none", agrees(place, versions, version))
    first = heading((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    tag = _git("tag", "--points-at", "HEAD").strip()
    run.saw("heading in CHANGELOG.md", f"{first}; tag: {tag or 'none'}", heading_fits(first, version, tag))
    changed = _git("status", "--porcelain").splitlines()
    commit = _git("rev-parse", "--short", "HEAD").strip()
    run.saw("commit", f"{commit}; {len(changed)} files changed since", not (tag and changed))


def check_archives(run: Run, work: Path, version: str) -> None:
    """Look at the two archives."""
    dist = work / "dist"
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    names = sorted(path.name for path in dist.iterdir())
    run.saw("names", ", ".join(names), all(name.startswith(f"polyseme-{version}") for name in names))
    twine = (sys.executable, "-m", "twine", "--no-color")
    run.command("metadata: twine check --strict", *twine, "check", "--strict", *names, cwd=dist)
    run.command("check-wheel-contents", Path(sys.executable).with_name("check-wheel-contents"), wheel.name, cwd=dist)
    tree = work / "tree"
    if run.command("wheel of the tree builds", sys.executable, "-m", "build", "--wheel", "--outdir", tree, ROOT):
        (other,) = tree.glob("*.whl")
        files = wheel_files(wheel)
        differ = differences(files, wheel_files(other))
        run.saw("wheel of the sdist and of the tree", f"{len(files)} files; differ: {differ or 'none'}", not differ)
    missing = left_out(set(_git("ls-files", "-z").split("\0")) - {""}, sdist_names(sdist))
    run.saw("files that the sdist lacks", ", ".join(missing[:8]) or "none", not missing)


def check_use(run: Run, work: Path, version: str) -> None:
    """Install the wheel in a fresh environment, and run the two commands of the README in the unpacked sdist."""
    (sdist,), (wheel,) = (work / "dist").glob("*.tar.gz"), (work / "dist").glob("*.whl")
    venv.create(work / "environment", with_pip=True)
    python = work / "environment" / "bin" / "python"
    constraints = ROOT / "constraints" / "default.txt"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints)
    if run.command("polyseme[server] installs alone", *pip, f"polyseme[server] @ {wheel.as_uri()}"):
        run.command("polyseme --version", python.with_name("polyseme"), "--version", cwd=work)
        told = run.rows[-1].seen
        run.saw("version that it tells", told, told.split()[-1] == version)
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "unpacked", filter="data")
    (unpacked,) = (work / "unpacked").iterdir()
    make = ("make", "--no-print-directory")
    run.command("make demo, in the unpacked sdist", *make, "demo", cwd=unpacked)
    run.command("make test, there: collects", *make, "test", "PYTEST_ARGS=--collect-only -q", cwd=unpacked)
    run.command("make test, there: a part", *make, "test", f"PYTEST_ARGS=-q {PART}", cwd=unpacked)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603, S607


if __name__ == "__main__":
    sys.exit(main())
