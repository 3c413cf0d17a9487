import pytest

from polyseme.server.config import ServerConfig, SettingsFile, given_settings
from polyseme.server.errors import ConfigError


def test_from_sources_defaults():
    assert ServerConfig() == ServerConfig.from_sources({}, {})


def test_from_sources_flag_beats_environment():
    assert ServerConfig.from_sources({"port": "1"}, {"POLYSEME_PORT": "2"}).port == 1
    assert ServerConfig.from_sources({"port": None}, {"POLYSEME_PORT": "2"}).port == 2


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("TRUE", True), ("off", False), ("no", False)])
def test_from_sources_reads_booleans(value, expected):
    assert ServerConfig.from_sources({}, {"POLYSEME_REFLECTION": value}).reflection is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("port", v) for v in ("-2", "65536", "http", "5e3", "1.5", " ", "0x10", "1,000", "nan", "9e999")],
        *[("max_wait_ms", v) for v in ("-0.1", "nan", "inf", "1001", "soon")],
        *[("device", v) for v in ("gpu", "CUDA", "cuda:0:1", "tpu", "tensorrt:0,1")],
        *[("reflection", v) for v in ("maybe", "2", "y")],
        *[("max_texts", v) for v in ("0", "-5", "many", str(1 << 40))],
        *[("max_message_bytes", v) for v in ("0", "1023", "4g", str(1 << 31))],
        *[("log_level", v) for v in ("loud", "warn", " info")],
    ],
)
def test_from_sources_refuses(name, value):
    variable = "POLYSEME_" + name.upper()
    with pytest.raises(ConfigError, match=f"^{variable}: ") as refused:
        ServerConfig.from_sources({}, {variable: value})
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="^--" + name.replace("_", "-")):
        ServerConfig.from_sources({name: value}, {})


@pytest.mark.parametrize("value", ["INFO", "Info", "info"])
def test_closed_sets_are_read_in_any_case(value):
    assert ServerConfig.from_sources({}, {"POLYSEME_LOG_LEVEL": value}).log_level == "info"
    assert ServerConfig.from_sources({"log_format": "JSON"}, {}).log_format == "json"


def test_a_file_is_the_last_source():
    file = SettingsFile(name="a.toml", values={"port": "3", "max_texts": "4", "max_spans": "5"})
    flags, environment = {"port": "1"}, {"POLYSEME_PORT": "2", "POLYSEME_MAX_TEXTS": "2", "POLYSEME_MAX_SPANS": ""}
    config = ServerConfig.from_sources(flags, environment, file)
    assert (config.port, config.max_texts, config.max_spans, config.max_text_bytes) == (1, 2, 5, 256 << 10)
    assert given_settings(flags, environment, file) == {
        "port": ("1", "--port"),
        "max_texts": ("2", "POLYSEME_MAX_TEXTS"),
        "max_spans": ("5", "a.toml: max_spans"),
    }
    with pytest.raises(ConfigError, match=r"^a\.toml: max_spans: got 0; limits 1"):
        ServerConfig.from_sources({}, {}, SettingsFile(name="a.toml", values={"max_spans": "0"}))
