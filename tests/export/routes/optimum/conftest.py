import pytest
from tests.conftest import save_tiny_tokenizer, tiny_vocabulary

PACKAGES = ("torch", "transformers", "optimum.exporters.onnx", "optimum.onnxruntime")
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
}
# By transformers' model_type: what its config calls these sizes, and what else it needs.
CONFIGS = {
    "bert": SIZES,
    "roberta": SIZES,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 130},
    "electra": {**SIZES, "embedding_size": 32},
    "albert": {**SIZES, "embedding_size": 32},
    "mpnet": SIZES,
}


@pytest.fixture(scope="session")
def installed():
    """Skips where the packages of this route are not installed."""
    for name in PACKAGES:
        pytest.importorskip(name, reason=f"{name} is not installed: make test-optimum")


@pytest.fixture(scope="session")
def make_checkpoint(installed, tmp_path_factory):
    """Make a seeded random checkpoint of a model_type by transformers."""
    import torch
    import transformers

    def make(model_type, **changes):
        torch.manual_seed(11)
        config = transformers.AutoConfig.for_model(
            model_type, **{**CONFIGS[model_type], "vocab_size": len(tiny_vocabulary()), **changes}
        )
        model = transformers.AutoModel.from_config(config)
        with torch.no_grad():
            for name, values in model.named_parameters():
                norm = "norm" in name.lower()
                values.normal_(1.0 if norm and name.endswith("weight") else 0.0, 0.1 if norm else 0.2)
        directory = tmp_path_factory.mktemp("random") / model_type
        model.save_pretrained(directory)
        save_tiny_tokenizer(directory)
        return directory

    return make
