"""Make all artifacts, beside the first steps."""

from bench.gpu.lib.setting import REAL, Setting


def run(setting: Setting) -> None:
    first, *others = setting.names
    for name in (first, *([REAL] if setting.checkpoint else []), *others):
        with setting.record.attempt(f"making {name}"):
            setting.artifact(name)
