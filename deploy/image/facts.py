"""What `docker inspect` shows of an image, from `buildah inspect`; and its command, for the trial.

facts.py INSPECT_JSON INTO: prints, and writes INTO/{user,env,command,health}, words ended by NUL.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(inspected: Path, into: Path) -> None:
    """Print the facts, write the words."""
    config = json.loads(inspected.read_text())["Docker"]["config"]
    health = config["Healthcheck"]
    seconds = {name: health.get(name, 0) / 1e9 for name in ("Interval", "Timeout", "StartPeriod")}
    shown = {
        "user": config["User"],
        "entry point": json.dumps(config["Entrypoint"]),
        "command": json.dumps(config["Cmd"]),
        "ports": ", ".join(config["ExposedPorts"]),
        "stop signal": config["StopSignal"],
        "health check": json.dumps(health["Test"]),
        "": ", ".join(f"{name} {value:g} s" for name, value in seconds.items()) + f", Retries {health['Retries']}",
    }
    labels = {f"label {name.rpartition('image.')[2]}": value for name, value in sorted(config["Labels"].items())}
    for name, value in {**shown, **{name: value for name, value in labels.items() if "buildah" not in name}}.items():
        print(f"{name:<18} {value}")
    if health["Test"][0] != "CMD":
        sys.exit("the health check needs a shell")
    words = {
        "user": config["User"].split(":"),
        "env": config["Env"],
        "command": config["Entrypoint"] + (config["Cmd"] or []),
        "health": health["Test"][1:],
    }
    for name, values in words.items():
        (into / name).write_text("".join(f"{value}\0" for value in values))


main(Path(sys.argv[1]), Path(sys.argv[2]))
