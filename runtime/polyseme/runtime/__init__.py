"""Runs an artifact: tokenizer and sessions, each the only owner of the library behind it."""

import os

# onnxruntime's builds for Linux send usage data to their maker, and keep an identifier in the home folder, unless told
# not to before they are loaded (Privacy.md in its wheel). A server of other people's texts does not.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
