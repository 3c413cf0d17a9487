"""Modules that hold a branch and have no test file of their own; `python -m tests.untested` lists those without excuse.

`server/polyseme/server/engine/runner.py` is tested by `tests/server/engine/test_runner.py`, and so on: the same
folders, the same name.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = {
    "artifact": "runtime/polyseme/artifact",
    "runtime": "runtime/polyseme/runtime",
    "export": "export/polyseme/export",
    "server": "server/polyseme/server",
    "client": "client/polyseme/client",
    "cli": "cli/polyseme/cli",
    "gateway": "gateway/polyseme/gateway",
    "integrations": "integrations/polyseme/integrations",
}
# Modules that are tested through others, and the file that does it; below the folders of `PARTS` and of `tests`. What
# is pure should not be here: it is tested by itself.
EXCUSED = {
    "artifact/entries": "artifact/test_manifest.py",
    "artifact/heads": "artifact/test_manifest.py",
    "artifact/reading": "artifact/test_manifest.py",
    "cli/arguments/connection": "cli/arguments/test_tls.py",
    "cli/bulk/arguments": "cli/bulk/test_refusals.py",
    "cli/bulk/embedding": "cli/bulk/test_run.py",
    "cli/bulk/journal": "cli/bulk/test_run.py",
    "cli/bulk/parquet": "cli/bulk/test_formats.py",
    "cli/inputs/records": "cli/inputs/test_delimited.py",
    "cli/load/arguments": "cli/commands/test_bench.py",
    "cli/load/caller": "cli/commands/test_bench.py",
    "cli/load/fleet": "cli/commands/test_bench.py",
    "cli/load/histogram": "cli/commands/test_bench.py",
    "cli/load/loops": "cli/commands/test_bench.py",
    "cli/load/messages": "cli/commands/test_bench.py",
    "cli/load/results/document": "cli/commands/test_bench.py",
    "cli/load/results/live": "cli/commands/test_bench.py",
    "cli/load/results/picture": "cli/commands/test_bench.py",
    "cli/load/results/report": "cli/commands/test_bench.py",
    "cli/load/shape": "cli/commands/test_bench.py",
    "cli/load/tally": "cli/commands/test_bench.py",
    "cli/load/worker": "cli/commands/test_bench.py",
    "cli/senses/picture/map": "cli/senses/picture/test_figure.py",
    "client/_transport/connection": "client/test_client.py",
    "client/_convert/offsets": "client/test_lying_server.py",
    "client/_convert/replies": "client/_plans/parts/test_sending.py",
    "client/_convert/vectors": "client/test_lying_server.py",
    "client/_plans/parts/calls": "client/_plans/parts/test_embed_tokens.py",
    "client/_plans/streams/resumable": "client/_plans/streams/test_embed_stream.py",
    "client/_plans/texts/plans": "client/calls/test_embed.py",
    "client/_plans/parts/plans": "client/_plans/parts/test_embed_words.py",
    "client/_transport/event_loop/channel": "client/test_async_client.py",
    "client/_transport/event_loop/stream": "client/_plans/streams/test_embed_stream.py",
    "client/_transport/event_loop/transport": "client/test_async_client.py",
    "client/_transport/blocking/channel": "client/calls/test_embed_lists.py",
    "client/_transport/blocking/stream": "client/_plans/streams/test_embed_stream.py",
    "client/_transport/blocking/stub": "client/_transport/test_forks.py",
    "client/_transport/blocking/transport": "client/calls/test_embed.py",
    "client/_arguments/pairs": "client/test_predictions.py",
    "client/_plans/predictions": "client/test_predictions.py",
    "client/models": "client/_plans/test_similarity.py",
    "export/encoders/architectures/modernbert": "export/encoders/architectures/test_families.py",
    "export/encoders/architectures/post_norm": "export/encoders/architectures/test_bert.py",
    "export/encoders/architectures/reading": "export/encoders/architectures/test_families.py",
    "export/encoders/architectures/roberta": "export/encoders/architectures/test_families.py",
    "export/encoders/encoder": "export/encoders/architectures/test_families.py",
    "export/encoders/pre_norm": "export/encoders/architectures/test_families.py",
    "export/gates/second_opinion": "cli/commands/test_verify.py",
    "export/graphs/nodes": "export/graphs/test_graph.py",
    "export/graphs/packed": "runtime/engines/onnxruntime/test_packed.py",
    "export/graphs/packed_on_cpu": "runtime/engines/onnxruntime/test_packed.py",
    "export/reading/sentence_transformers/modules": "export/reading/sentence_transformers/test_text_model.py",
    "export/reading/tokenizer/files": "export/reading/test_vocabulary.py",
    "export/routes/build": "export/test_pipeline.py",
    "export/routes/native": "export/test_pipeline.py",
    "export/routes/optimum/tracing": "export/routes/optimum/test_torch_model.py",
    "runtime/engines/device": "runtime/engines/onnxruntime/test_devices.py",
    "runtime/engines/onnxruntime/gpus": "runtime/engines/onnxruntime/test_devices.py",
    "runtime/engines/onnxruntime/lane": "runtime/engines/onnxruntime/test_packed.py",
    "runtime/engines/registry": "runtime/engines/onnxruntime/test_packed.py",
    "runtime/verification/difference": "cli/commands/test_diff.py",
    "server/inference/decoding": "server/wire/tei/test_tokenizing.py",
    "server/inference/execution": "server/test_embed.py",
    "server/inference/parts/embedding": "server/test_tokens.py",
    "server/inference/predictions/answering": "server/predictions/test_values.py",
    "server/inference/predictions/classification": "server/predictions/test_values.py",
    "server/inference/predictions/finding": "server/predictions/test_values.py",
    "server/inference/predictions/running": "server/predictions/test_bounds.py",
    "server/inference/predictions/tagging": "server/predictions/test_values.py",
    "server/inference/stopwatch": "server/test_embed.py",
    "server/inference/texts": "server/test_embed.py",
    "server/lifecycle/models": "server/test_reload.py",
    "server/models/loading": "server/engine/test_local.py",
    "server/observe/metrics": "deploy/test_monitoring.py",
    "server/security/address": "server/lifecycle/test_announcement.py",
    "server/serving": "server/test_app.py",
    "server/wire/calls/executions": "server/test_embed.py",
    "server/wire/calls/ordered": "server/wire/tei/test_embedding.py",
    "server/wire/listener": "server/test_app.py",
    "server/wire/kserve/requests": "server/wire/kserve/test_inference.py",
    "server/wire/kserve/tensors": "server/wire/kserve/test_inference.py",
    "server/wire/tei/requests": "server/wire/tei/test_embedding.py",
    "server/wire/v1/embedding": "server/test_embed.py",
    "server/wire/v1/predictions/requests": "server/predictions/test_refused.py",
    "server/wire/v1/replies": "server/test_tokens.py",
    "server/wire/v1/requests": "server/test_refusals.py",
    "server/wire/v1/stream": "server/test_stream.py",
}
BRANCHES = (ast.If, ast.IfExp, ast.While, ast.Match, ast.ExceptHandler, ast.comprehension)


def untested():
    """Modules as `EXCUSED` has them."""
    return sorted(
        f"{part}/{path.relative_to(ROOT / source).with_suffix('')}"
        for part, source in PARTS.items()
        for path in (ROOT / source).rglob("*.py")
        if path.name != "__init__.py" and branches(path) and not its_tests(part, ROOT / source, path).exists()
    )


def branches(path):
    """Whether it decides anything: code that runs for type checkers alone does not count."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = (node for node in nodes if isinstance(node, BRANCHES))
    return any(
        node.ifs
        if isinstance(node, ast.comprehension)
        else "TYPE_CHECKING" not in ast.unparse(getattr(node, "test", node))
        for node in found
    )


def its_tests(part, source, path):
    """Where its tests are."""
    relative = path.relative_to(source)
    return ROOT / "tests" / part / relative.parent / f"test_{relative.stem.lstrip('_')}.py"


if __name__ == "__main__":
    missing = [module for module in untested() if module not in EXCUSED]
    print(*missing, sep="\n")
    sys.exit(bool(missing))
