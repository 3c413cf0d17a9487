"""A real model's vectors of real texts, by each engine: as `numerics`."""

import random
from collections.abc import Callable, Sequence

from bench.gpu.lib.setting import REAL, Setting
from bench.gpu.steps.numerics import Reference, judge
from bench.lib.texts import public_domain_words

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

_BATCHES, _TEXTS, _LONGEST = 6, 12, 120  # texts of a batch, words of a text


def run(setting: Setting) -> None:
    if setting.checkpoint is None:
        setting.record.note("no real model was brought: --model")
        return
    artifact = setting.artifact(REAL)
    words, draw = public_domain_words(), random.Random(5)
    batches = []
    for _ in range(_BATCHES):
        starts = [draw.randrange(len(words) - _LONGEST) for _ in range(_TEXTS)]
        batches.append([" ".join(words[start : start + draw.randint(1, _LONGEST)]) for start in starts])
    reference = Reference(artifact, list(map(token_ids(artifact), batches)))
    judge(setting, REAL, artifact, reference, forms=("packed", "replayed", "padded"))


def token_ids(artifact: Artifact) -> Callable[[Sequence[str]], list[Ids]]:
    """Texts to ids, as the server has them."""
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=artifact.manifest.model.encoder.vocab_size)
    options = EncodeOptions(limit=artifact.manifest.model.max_tokens, truncate=Truncate.END)
    return lambda texts: [text.ids for text in tokenizer.encode(texts, options)]
