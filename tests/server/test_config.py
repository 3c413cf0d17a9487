import pytest

from polyseme.server.config import ServerConfig
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
        *[("port", v) for v in ("-1", "65536", "http", "5e3", "1.5", " ", "0x10", "1,000", "nan", "9e999")],
        *[("max_wait_ms", v) for v in ("-0.1", "nan", "inf", "1001", "soon")],
        *[("device", v) for v in ("gpu", "CUDA", "cuda:0:1", "tpu", "tensorrt:0,1")],
        *[("reflection", v) for v in ("maybe", "2", "y")],
        *[("max_texts", v) for v in ("0", "-5", "many", str(1 << 40))],
        *[("max_message_bytes", v) for v in ("0", "1023", "4g", str(1 << 31))],
        *[("log_level", v) for v in ("loud", "INFO")],
    ],
)
def test_from_sources_refuses(name, value):
    variable = "POLYSEME_" + name.upper()
    with pytest.raises(ConfigError, match=f"^{variable}: ") as refused:
        ServerConfig.from_sources({}, {variable: value})
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="^--" + name.replace("_", "-")):
        ServerConfig.from_sources({name: value}, {})
