"""docs/calling.md shows what the examples and the SDK do."""

import json
import re

import numpy as np
import pytest
from tests.callers.programs import ROOT, utf8_bytes, utf16_code_units

from polyseme.client._transport.channel import channel_options

PAGE = (ROOT / "docs/calling.md").read_text(encoding="utf-8")
CONFIG = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])


def test_the_service_config_is_that_of_the_sdk_and_of_the_examples():
    assert json.loads(dict(channel_options())["grpc.service_config"]) == CONFIG
    go = (ROOT / "examples/go/connect.go").read_text(encoding="utf-8")
    java = (ROOT / "examples/java/src/main/java/example/Connection.java").read_text(encoding="utf-8")
    assert json.loads(re.search(r"serviceConfig = `(.*?)`", go, re.DOTALL)[1]) == CONFIG
    assert json.loads(re.search(r'SERVICE_CONFIG = """(.*?)"""', java, re.DOTALL)[1]) == CONFIG


@pytest.mark.parametrize(("fence", "language"), [("go", "go"), ("js", "node"), ("java", "java")])
def test_snippets_are_cut_out_of_the_examples(fence, language):
    snippets = re.findall(rf"```{fence}\n(.*?)```", PAGE, re.DOTALL)
    lines = {
        line.strip()
        for path in (ROOT / "examples" / language).rglob(f"*.{fence}")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    assert snippets
    assert {line.strip() for snippet in snippets for line in snippet.splitlines()} <= lines


def test_the_python_program_runs(server):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(program.replace("localhost:50051", server.target), names)
    assert names["vectors"].shape == (2, 384)
    assert names["vectors"].dtype == np.float32


def test_offsets_of_the_table():
    rows = re.findall(r"^\| .* \| `(OFFSET_UNIT_\w+)`.* \| (\d+) to (\d+) \|$", PAGE, re.MULTILINE)
    text = re.search(r"`\"(.*?)\"`: é at", PAGE)[1]
    start = text.index("é")
    units = {
        "OFFSET_UNIT_UTF8_BYTE": utf8_bytes,
        "OFFSET_UNIT_UTF16_CODE_UNIT": utf16_code_units,
        "OFFSET_UNIT_CODE_POINT": len,
    }
    assert {name: (int(a), int(b)) for name, a, b in rows} == {
        name: (unit(text[:start]), unit(text[: start + 1])) for name, unit in units.items()
    }


def test_links_lead_somewhere():
    for page in ("calling.md", "status-codes.md"):
        for link in re.findall(r"\]\(([^)#]+)", (ROOT / "docs" / page).read_text(encoding="utf-8")):
            assert "://" in link or (ROOT / "docs" / link).exists(), link
