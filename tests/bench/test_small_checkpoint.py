"""A smaller checkpoint gives the benches' texts the same tokens, and tokens the same vectors."""

import json

import numpy as np
from bench.gpu.small_checkpoint import shrink
from bench.lib.texts import public_domain_words
from safetensors.numpy import load_file
from tokenizers import Tokenizer

WORDS = "embeddings.word_embeddings.weight"


def test_texts_have_the_same_tokens_and_tokens_the_same_rows(minilm_source, tmp_path):
    small = tmp_path / "small"
    kept = shrink(minilm_source, small)
    assert json.loads((small / "config.json").read_text())["vocab_size"] == kept < 3000
    tokenizers = [Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (minilm_source, small)]
    tables = [load_file(folder / "model.safetensors")[WORDS] for folder in (minilm_source, small)]
    words = public_domain_words()
    for begin in range(0, len(words), 60):
        before, after = (one.encode(" ".join(words[begin : begin + 60])) for one in tokenizers)
        assert after.tokens == before.tokens
        np.testing.assert_array_equal(tables[1][after.ids], tables[0][before.ids].astype(np.float16))
