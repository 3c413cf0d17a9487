"""The committed answers of the foreign programs: one file per concept, and one of tokens, which many cases share."""

import hashlib
import json
from pathlib import Path

from tests.reference.asking.answers import pack, unpack

FOLDER = Path(__file__).parents[1] / "goldens"
TOKENS = "tokens.json"
_SHARED = ("ids", "offsets", "cut", "digests")


def read():
    """By case: what it was made of, and answers or why there are none."""
    tokens = json.loads((FOLDER / TOKENS).read_text(encoding="utf-8"))
    goldens = {}
    for path in sorted(FOLDER.glob("*.json")):
        if path.name in (TOKENS, "versions.json"):
            continue
        for name, golden in json.loads(path.read_text(encoding="utf-8")).items():
            if "tokens" in golden:
                golden = {**golden, "answers": unpack({**golden["answers"], **tokens[golden["tokens"]]})}
            goldens[name] = golden
    return goldens


def versions():
    """Of the programs that were asked."""
    return json.loads((FOLDER / "versions.json").read_text(encoding="utf-8"))


def write(goldens, programs):
    """Replace all of them.

    Args:
        goldens: by case, `sha256` of the checkpoint and either `answers` or `error`.
        programs: versions by name.
    """
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    tokens, concepts = {}, {}
    for name, golden in goldens.items():
        entry = {"sha256": golden["sha256"]}
        if "error" in golden:
            entry["error"] = golden["error"]
        else:
            document = pack(golden["answers"])
            shared = {key: document.pop(key) for key in _SHARED}
            key = hashlib.sha256(_line(shared).encode()).hexdigest()[:12]
            tokens[key] = shared
            entry |= {"tokens": key, "answers": document}
        concepts.setdefault(name.partition("/")[0], {})[name] = entry
    for concept, entries in {**concepts, "tokens": tokens}.items():
        lines = ",\n".join(f"{json.dumps(name)}: {_line(entry)}" for name, entry in sorted(entries.items()))
        (FOLDER / f"{concept}.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    (FOLDER / "versions.json").write_text(json.dumps(programs, indent=1) + "\n", encoding="utf-8")


def _line(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
