import sys

import pytest

from polyseme.client import MissingDependencyError
from polyseme.client._plans.progress import progress_bar


def test_progress_bar_draws_nothing_unless_enabled(capfd):
    with progress_bar(2, enabled=False) as advance:
        advance(2)
    assert capfd.readouterr() == ("", "")


def test_progress_bar_draws_on_stderr_alone(capfd):
    with progress_bar(2, enabled=True) as advance:
        advance(2)
    assert capfd.readouterr().out == ""


def test_progress_bar_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    expected = r"^progress=True needs rich: pip install \'polyseme\[cli\]\'$"
    with pytest.raises(MissingDependencyError, match=expected), progress_bar(2, enabled=True):
        pass


def test_embed_shows_progress(client):
    assert len(client.embed(["a"] * 300, progress=True)) == 300
