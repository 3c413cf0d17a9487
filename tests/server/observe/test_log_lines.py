import json
import logging
import subprocess
import sys

import pytest

from polyseme.server.observe.log_lines import FIELDS, JsonFormatter, LineFormatter

TEXT = "canaryxyzzy"
START = """
import asyncio, threading
from polyseme.server.observe.log_lines import log_exceptions_of, log_to_stderr
log_to_stderr("info")
text = "canary" + "xyzzy"

def fail(text):
    raise ValueError(text)
"""
UNCAUGHT = {
    "process": "fail(text)",
    "thread": "thread = threading.Thread(target=fail, args=(text,)); thread.start(); thread.join()",
    "destructor": """
class Kept:
    def __del__(self):
        fail(text)
Kept()
""",
    "callback": """
async def main():
    loop = asyncio.get_running_loop()
    log_exceptions_of(loop)
    loop.call_soon(fail, text)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "task": """
async def failing(text):
    fail(text)
async def main():
    log_exceptions_of(asyncio.get_running_loop())
    task = asyncio.create_task(failing(text), name=text)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
asyncio.run(main())
""",
}


@pytest.mark.parametrize("code", UNCAUGHT.values(), ids=UNCAUGHT)
def test_what_nobody_caught_is_logged_without_its_message(code):
    run = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, timeout=300, check=False)
    assert "in fail\n" in run.stderr
    assert "ValueError: message withheld" in run.stderr
    assert TEXT not in run.stderr


def record(message, *args, error=None):
    info = (type(error), error, None) if error else None
    return logging.LogRecord("polyseme.x", logging.INFO, __file__, 1, message, args, info)


def test_a_record_is_one_line():
    line = LineFormatter("%(levelname)s %(message)s").format(record("not served: %s", "ev\nil\x1b[31m é"))
    assert line == "INFO not served: ev\\nil\\x1b[31m é"


def test_any_loggers_exceptions_are_redacted():
    lines = LineFormatter("%(message)s").format(record("grpc says", error=ValueError(TEXT)))
    assert lines == "grpc says\nValueError: message withheld, as it may hold a part of a text"


def test_a_record_is_one_json_object():
    told = record("ev\nil %s é", "\x1b[31m", error=ValueError(TEXT))
    told.created = 1764201600.25
    setattr(told, FIELDS, {"texts": 3})
    line = JsonFormatter().format(told)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-11-27T00:00:00.250+00:00",
        "level": "info",
        "logger": "polyseme.x",
        "message": "ev\nil \x1b[31m é",
        "texts": 3,
        "exception": "ValueError: message withheld, as it may hold a part of a text",
    }


@pytest.mark.parametrize("code", UNCAUGHT.values(), ids=UNCAUGHT)
def test_what_nobody_caught_is_json_too(code):
    start = START.replace('"info"', '"info", "json"')
    run = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=300, check=False)
    entries = [json.loads(line) for line in run.stderr.splitlines()]
    assert ["ValueError: message withheld" in entry["exception"] for entry in entries] == [True]
    assert TEXT not in run.stderr


def test_a_connection_that_is_lost_while_a_status_is_sent_is_no_line():
    body = """
from grpc._cython import cygrpc
grpcs = logging.getLogger("grpc._cython.cygrpc")
for error in (cygrpc.ExecuteBatchError("Failed grpc_call_start_batch"), KeyError("a")):
    try:
        raise error
    except Exception:
        grpcs.exception("raised in core by servicer method")
grpcs.error("said without an exception")
"""
    done = subprocess.run(
        [sys.executable, "-c", START + "import logging\n" + body], capture_output=True, text=True, check=True
    )
    assert "ExecuteBatchError" not in done.stderr
    assert done.stderr.count("raised in core") == 1
    assert "KeyError" in done.stderr
    assert "said without an exception" in done.stderr
