import tomllib
from dataclasses import asdict, fields

import pytest

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.settings_file import read_settings, written


def test_settings_are_read_as_the_environment_spells_them(tmp_path):
    path = tmp_path / "a.toml"
    text = '# mine\nmax_texts = 512\nreflection = true\nhost = "::1"\nmax_wait_ms = 0.5\n'
    path.write_text(text, encoding="utf-8-sig")
    file = read_settings(path)
    assert file.values == {"max_texts": "512", "reflection": "true", "host": "::1", "max_wait_ms": "0.5"}
    config = ServerConfig.from_sources({}, {}, file)
    assert (config.max_texts, config.reflection, config.host, config.max_wait_ms) == (512, True, "::1", 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_text = 3", "max_text is no setting; max_texts is"),
        ("colour = 3", "colour is no setting"),
        ("[server]\nport = 3", "server is no setting"),
        ('max_texts = "3"', "max_texts must be a number without quotes"),
        ("max_texts = true", "max_texts must be a number without quotes"),
        ("reflection = 1", "reflection must be true or false"),
        ("host = 1", "host must be text in quotes"),
        ("port =", "is not TOML: "),
        ("port = 1\nport = 2", "is not TOML: "),
    ],
)
def test_what_is_no_setting_is_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_settings(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


@pytest.mark.parametrize(("content", "message"), [(None, "cannot read "), (b"\xff", "is not TOML: ")])
def test_a_file_that_cannot_be_read_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_settings(tmp_path / "a.toml")


def test_what_is_written_can_be_read(tmp_path):
    config = ServerConfig(max_texts=3, host='a "b" é', reflection=True, max_wait_ms=0.25)
    path = tmp_path / "a.toml"
    path.write_text(written(config, {"max_texts": "--max-texts"}), encoding="utf-8")
    assert "max_texts = 3  # --max-texts\n" in path.read_text(encoding="utf-8")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == asdict(config)
    assert ServerConfig.from_sources({}, {}, read_settings(path)) == config
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(fields(ServerConfig))
