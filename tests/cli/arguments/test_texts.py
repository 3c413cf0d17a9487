import pytest
from tests.client.fake_server import fake_server

from polyseme.cli.main import main

COMMANDS = (["embed", "a bank"], ["similarity", "a bank", "b"], ["senses", "bank", "a bank", "the bank"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_default_prompt_can_be_switched_off(command, monkeypatch):
    with fake_server() as server:
        monkeypatch.setenv("POLYSEME_TARGET", server.target)
        main([*command, "--without-prompt"])
        kinds = [*server.faults.messages, *server.faults.requests]
        options = [
            getattr(one, "spans", one).text_options
            for one in kinds
            if hasattr(getattr(one, "spans", one), "text_options")
        ]
    assert [one.without_prompt for one in options] == [True]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_prompt_and_none_at_once_are_a_wrong_command_line(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--without-prompt", "--prompt-name", "query"])
    assert ended.value.code == 2
    assert "argument --prompt-name: not allowed with argument --without-prompt" in capsys.readouterr().err
