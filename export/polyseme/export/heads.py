"""The heads that go into an artifact: the source's own, and those of other checkpoints over the same encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from polyseme.artifact import InvalidManifestError
from polyseme.artifact.prediction_heads import checked_head_name
from polyseme.export.encoders import architectures
from polyseme.export.encoders.architectures.heads import TYPED, CheckpointHead, read_head
from polyseme.export.errors import ExportError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.reading.sentence_transformers.modules import encoder_folder
from polyseme.export.reading.source import locate
from polyseme.export.reading.tokenizer.classes import passes_token_types
from polyseme.export.reading.tokenizer.files import TokenizerFiles
from polyseme.export.routes.native import NativeRoute


def collect_heads(route: NativeRoute, others: Mapping[str, str]) -> dict[str, CheckpointHead]:
    """Collect the heads by name, the source's own under the name of its kind, each with a file of its own.

    Args:
        route: of the source.
        others: further heads: the checkpoint of each, by name.

    Raises:
        ExportError: a checkpoint cannot be used, has no head, or another encoder than the source; a name is none.
    """
    heads = {} if route.head is None else {route.head.spec.kind.value: route.head}
    for name, source in others.items():
        try:
            checked_head_name(name)
        except InvalidManifestError as error:
            raise ExportError(f"--head: {error}") from error
        if name in heads:
            raise ExportError(f"--head {name}: the artifact has a head of that name")
        heads[name] = _other_head(route, name, source)
    return {name: replace(head, spec=replace(head.spec, file=f"head.{name}.bin")) for name, head in heads.items()}


def tells_types(route: NativeRoute, heads: Mapping[str, CheckpointHead], files: TokenizerFiles) -> bool:
    """Tell whether the model is told which tokens are of a second text, and some head is given one."""
    if route.config.architecture not in TYPED or not any(head.spec.takes_pairs for head in heads.values()):
        return False
    types = route.checkpoint.config.get("type_vocab_size", 2)
    return isinstance(types, int) and types > 1 and passes_token_types(files, route.checkpoint.config)


def _other_head(route: NativeRoute, name: str, source: str) -> CheckpointHead:
    checkpoint = Checkpoint(encoder_folder(locate(source).directory))
    architecture = architectures.find(checkpoint)
    config = architecture.read_config(checkpoint)
    if config != route.config:
        raise UnsupportedError(f"--head {name}: its encoder has other sizes than that of SOURCE")
    head = read_head(checkpoint, config)
    if head is None:
        raise UnsupportedError(f"--head {name}: the checkpoint has no head that predicts")
    own, other = route.encoder(), replace(route, checkpoint=checkpoint, architecture=architecture).encoder()
    for (weight, want), (_, got) in zip(own.initializers(), other.initializers(), strict=True):
        if not np.array_equal(want, got):
            raise UnsupportedError(
                f"--head {name}: its encoder is not that of SOURCE ({weight} differs); a head that was trained with "
                "its encoder goes into an artifact of its own"
            )
    return head
