"""Asks polyseme: exports a checkpoint, serves the artifact, and calls it by the SDK, as any caller would."""

from contextlib import ExitStack, contextmanager

import numpy as np
from tests.reference.asking.answers import Answers, digests
from tests.reference.asking.texts import LONG, PROMPTED, TEXTS, VECTORS, many
from tests.server.running import running

from polyseme.artifact import TOKENIZER, Artifact, Precision
from polyseme.client import Client, InvalidArgumentError
from polyseme.export import ExportError, ExportOptions, export_model
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

FP32 = ExportOptions(precisions=(Precision.FP32,), exporter="native")


class RefusedError(Exception):
    """Export took no artifact of it; the message is what it said, in one line."""


def export(case, folder):
    """Make the checkpoint and its artifact; gives the artifact's folder.

    Raises:
        RefusedError: in one line.
    """
    case.make(folder / "checkpoint")
    try:
        export_model(str(folder / "checkpoint"), folder / "artifact", FP32)
    except ExportError as error:
        raise RefusedError(str(error)) from error
    return folder / "artifact"


@contextmanager
def serving(artifact):
    """A client of a server with this artifact."""
    with ExitStack() as stack:
        server = stack.enter_context(running(artifact))
        yield stack.enter_context(Client(server.target))


def ask(case, artifact, *, offsets, states):
    """Its answers.

    Args:
        case: what is asked.
        artifact: its folder.
        offsets: whether the others have offsets, to be compared with.
        states: whether they have states.
    """
    spec = Artifact.open(artifact).manifest.model
    tokenizer = Tokenizer(artifact / TOKENIZER, vocab_size=spec.encoder.vocab_size)

    def tokenize(texts):
        """Ids and offsets without a prompt, which a model may have unasked."""
        for one in tokenizer.tokenize(list(texts), EncodeOptions(limit=1 << 30)):
            yield np.asarray(one.ids).tolist(), [list(pair) for pair in one.offsets] if offsets else None

    (cut,) = tokenizer.encode([LONG], EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END))
    tokens = list(tokenize(TEXTS))
    with serving(artifact) as client:
        model = client.model()
        return Answers(
            limit=model.max_tokens,
            dimensions=model.dimensions,
            similarity=getattr(model, "similarity", "cosine"),
            prompts={name: text for name, text in model.prompts.items() if text},
            default_prompt=model.default_prompt_name,
            ids=[ids for ids, _ in tokens],
            offsets=[pairs for _, pairs in tokens] if offsets else None,
            cut=np.asarray(cut.ids).tolist(),
            digests=digests(tokenize(many(case.many))),
            vectors=[_vector(client, text) for text in VECTORS],
            prompted={name: [_vector(client, text, prompt_name=name) for text in PROMPTED] for name in case.prompts},
            states=_states(client, spec.encoder.num_hidden_layers) if states else None,
        )


def _vector(client, text, **options):
    """None: it is refused, as a text without tokens is."""
    try:
        return client.embed(text, truncate="end", **options)
    except InvalidArgumentError:
        return None


def _states(client, layers):
    """[L + 1, T, H]."""
    found = client.embed_tokens(TEXTS[0], layers=tuple(range(layers + 1)), include_special_tokens=True, truncate="end")
    return np.asarray(found.vectors).reshape(layers + 1, len(found.ids), -1)
