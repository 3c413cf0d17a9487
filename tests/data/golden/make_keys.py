"""Makes keys.json: of each key of a checkpoint's files, whether it tells in what sentence-transformers makes of a text.

pip install 'transformers==5.24.0' 'sentence-transformers==6.2.0' torch safetensors
PYTHONPATH=. python tests/data/golden/make_keys.py

Each key is given another value, in a checkpoint that is otherwise sound. What is then other than before (vectors, ids,
the limit, prompts, similarity), the same, or an error, is what docs/checkpoints.md is held against.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "keys.json"
FAMILIES = Path(__file__).parent / "families"
ST = "sentence_transformers.models."
TEXTS = [
    "The bank of new york",
    "a quick Brown fox jumps over the lazy dog, [MASK] and CAFÉ",
    "zoobank Bankzoo 我银行 naïve",
    "zoo " * 30,
]
TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
LORA = {"peft_type": "LORA", "base_model_name_or_path": "none", "r": 2, "target_modules": ["query"]}

# By file: other values by key. A list is of several values; each is tried.
OTHER = {
    "config.json": {
        "model_type": ["albert", None],
        "hidden_size": [8],
        "num_hidden_layers": [1],
        "num_attention_heads": [4],
        "intermediate_size": [16],
        "max_position_embeddings": [12],
        "type_vocab_size": [1],
        "vocab_size": [50],
        "hidden_act": ["relu", "gelu_new", "gelu_python"],
        "layer_norm_eps": [0.1],
        "pad_token_id": [7],
        "is_decoder": [True],
        "add_cross_attention": [True],
        "is_encoder_decoder": [True],
        "position_embedding_type": ["relative_key"],
        "quantization_config": [{"quant_method": "bitsandbytes", "load_in_8bit": True}],
        "transformers_weights": ["other.safetensors"],
        "tokenizer_class": ["PreTrainedTokenizerFast", "BertJapaneseTokenizer"],
        "auto_map": [{"AutoModel": "own.Model"}],
        "architectures": [["BertForMaskedLM"]],
        "dtype": ["float32"],
        "torch_dtype": ["float32"],
        "matryoshka_dimensions": [[4]],
        "bos_token_id": [9],
        "eos_token_id": [9],
        "hidden_dropout_prob": [0.9],
        "attention_probs_dropout_prob": [0.9],
        "classifier_dropout": [0.9],
        "initializer_range": [1.0],
        "chunk_size_feed_forward": [2],
        "tie_word_embeddings": [False],
        "use_cache": [False],
        "output_hidden_states": [True],
        "output_attentions": [True],
        "return_dict": [False],
        "problem_type": ["regression"],
        "id2label": [{"0": "a"}],
        "label2id": [{"a": 0}],
        "transformers_version": ["3.0.0"],
        "_name_or_path": ["other"],
        "attn_implementation": ["eager"],
        "embedding_size": [4],
        "pruned_heads": [{"0": [1]}],
        "unknown_key": [1],
    },
    "tokenizer_config.json": {
        "tokenizer_class": ["PreTrainedTokenizerFast", "BertTokenizerFast", "BertJapaneseTokenizer"],
        "model_max_length": [9, 1e30],
        "max_len": [9],
        "do_lower_case": [False],
        "strip_accents": [False],
        "tokenize_chinese_chars": [False],
        "cls_token": ["[MASK]"],
        "sep_token": ["[MASK]"],
        "unk_token": ["[MASK]"],
        "pad_token": ["[MASK]"],
        "mask_token": ["bank"],
        "bos_token": ["bank"],
        "eos_token": ["bank"],
        "added_tokens_decoder": [{"0": {"content": "[PAD]"}}],
        "additional_special_tokens": [["bank"]],
        "extra_special_tokens": [["bank"], {"one": "bank"}],
        "other_token": ["bank"],
        "split_special_tokens": [True],
        "auto_map": [{"AutoTokenizer": ["own.Tokenizer", None]}],
        "fast_tokenizer_files": [["tokenizer.4.0.json"]],
        "processor_class": ["CLIPProcessor"],
        "init_inputs": [["x"]],
        "model_input_names": [["input_ids", "attention_mask"]],
        "chat_template": ["{{messages}}"],
        "add_prefix_space": [True],
        "add_bos_token": [True],
        "add_eos_token": [True],
        "do_basic_tokenize": [False],
        "never_split": [["bank"]],
        "padding_side": ["left"],
        "truncation_side": ["right", "left"],
        "clean_up_tokenization_spaces": [True],
        "name_or_path": ["other"],
        "special_tokens_map_file": ["other"],
        "tokenizer_file": ["other"],
        "vocab_file": ["other"],
        "max_length": [5],
        "stride": [2],
        "pad_to_multiple_of": [8],
        "backend": ["tokenizers"],
        "errors": ["strict"],
        "trim_offsets": [False],
        "vocab": [{"bank": 0}],
        "merges": [["b a"]],
        "_spm_precompiled_charsmap": ["AAAA"],
        "unknown_key": [1],
    },
    "special_tokens_map.json": {
        "cls_token": ["[MASK]"],
        "mask_token": [{"content": "bank", "lstrip": True}],
        "additional_special_tokens": [["bank"]],
        "extra_special_tokens": [["bank"]],
    },
    "added_tokens.json": {"bank": [40]},
    "tokenizer.json": {
        "normalizer": [None],
        "pre_tokenizer": [{"type": "Whitespace"}],
        "post_processor": [None],
        "decoder": [None],
        "truncation": [{"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}],
        "padding": [{"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[PAD]"}],
        "added_tokens": [[]],
    },
    "modules.json": {"type": ["own.Pooling", ST + "LayerNorm"], "path": ["2_Dense"], "name": ["0", "other"],
                     "idx": [7], "kwargs": [["task"]]},
    "sentence_bert_config.json": {
        "max_seq_length": [9],
        "do_lower_case": [True, False],
        "tokenizer_args": [{"model_max_length": 9}, {"do_lower_case": False}, {"cls_token": "[MASK]"},
                           {"padding_side": "left"}],
        "processor_kwargs": [{"model_max_length": 9}],
        "config_args": [{"num_hidden_layers": 1}, {"use_cache": False}],
        "config_kwargs": [{"num_hidden_layers": 1}],
        "model_args": [{"attn_implementation": "eager"}, {"variant": "other"}],
        "model_kwargs": [{"attn_implementation": "eager"}],
        "processing_kwargs": [{"text": {"max_length": 9}}, {"common": {"max_length": 9}},
                              {"text": {"add_special_tokens": False}}, {"chat_template": {"x": 1}}],
        "transformer_task": ["fill-mask"],
        "modality_config": [{"text": TEXT}],
        "module_output_name": ["token_embeddings", "other"],
        "unpad_inputs": [False],
        "query_length": [9],
        "document_length": [9],
        "query_expansion": [{"strategy": "fixed", "length": 9}],
        "tokenizer_name_or_path": ["other"],
        "model_name_or_path": ["other"],
        "backend": ["onnx"],
        "unknown_key": [1],
    },
    "1_Pooling/config.json": {
        "word_embedding_dimension": [16, 8],
        "embedding_dimension": [8],
        "pooling_mode": ["cls", ["max"], "weightedmean", ["mean", "cls"]],
        "pooling_mode_cls_token": [True],
        "pooling_mode_mean_tokens": [False],
        "pooling_mode_max_tokens": [True],
        "pooling_mode_mean_sqrt_len_tokens": [True],
        "pooling_mode_weightedmean_tokens": [True],
        "pooling_mode_lasttoken": [True],
        "include_prompt": [False],
        "unknown_key": [1],
    },
    "2_Dense/config.json": {
        "in_features": [8],
        "out_features": [4],
        "bias": [False],
        "activation_function": ["torch.nn.modules.activation.ReLU", "torch.nn.SiLU", "own.Tanh"],
        "module_input_name": ["token_embeddings"],
        "module_output_name": ["other"],
        "use_residual": [True],
        "init_weight": [[1.0]],
        "init_bias": [[1.0]],
        "unknown_key": [1],
    },
    "3_Normalize/config.json": {"module_input_name": ["token_embeddings"], "module_output_name": ["other"],
                                "unknown_key": [1]},
    "config_sentence_transformers.json": {
        "prompts": [{"query": "a "}, {"query": None}],
        "default_prompt_name": ["query"],
        "similarity_fn_name": ["dot", "hamming"],
        "truncate_dim": [4, 99],
        "matryoshka_dims": [[4]],
        "model_type": ["SentenceTransformer", "SparseEncoder"],
        "__version__": [{"sentence_transformers": "1.0.0"}],
        "requirements": [{}],
        "unknown_key": [1],
    },
    "adapter_config.json": {"": [LORA]},
    "vocab.txt": {"": ["[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nzoo\n"]},
    "README.md": {"": ["text"]},
    "chat_template.jinja": {"": ["{{messages}}"]},
    "generation_config.json": {"": [{"max_length": 5}]},
    "preprocessor_config.json": {"": [{"image_processor_type": "CLIPImageProcessor"}]},
    "video_preprocessor_config.json": {"": [{"video_processor_type": "OtherVideoProcessor"}]},
    "processor_config.json": {"": [{"processor_class": "CLIPProcessor"}]},
    "config.json of DistilBERT": {
        "dim": [8], "n_layers": [1], "n_heads": [2], "hidden_dim": [16], "activation": ["relu"], "dropout": [0.9],
        "attention_dropout": [0.9], "sinusoidal_pos_embds": [True], "qa_dropout": [0.9], "seq_classif_dropout": [0.9],
        "layer_norm_eps": [0.1],
    },
    "config.json of MPNet": {"relative_attention_num_buckets": [16], "pad_token_id": [0], "layer_norm_eps": [0.1]},
    "config.json of RoBERTa": {"pad_token_id": [0], "layer_norm_eps": [0.1], "is_decoder": [True]},
    "config.json of ModernBERT": {
        "hidden_activation": ["relu"], "norm_eps": [0.1], "norm_bias": [True], "attention_bias": [True],
        "mlp_bias": [True], "local_attention": [4], "global_attn_every_n_layers": [1], "layer_types": [None],
        "global_rope_theta": [50.0], "local_rope_theta": [50.0], "rope_parameters": [None],
        "attention_dropout": [0.9], "mlp_dropout": [0.9], "embedding_dropout": [0.9], "decoder_bias": [False],
        "classifier_pooling": ["mean"], "classifier_activation": ["relu"], "classifier_bias": [True],
        "classifier_dropout": [0.9], "sparse_prediction": [True], "sparse_pred_ignore_index": [1],
        "deterministic_flash_attn": [True], "initializer_cutoff_factor": [1.0], "cls_token_id": [9],
        "sep_token_id": [9], "layer_norm_eps": [0.1],
    },
}  # fmt: skip


def write(path, content):
    """JSON, or a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def write_base(folder, family=""):
    """A sound checkpoint: BERT in a sentence-transformers folder, or a family's alone."""
    from bench.lib.random_checkpoint import random_bert
    from safetensors.numpy import save_file
    from tests.data.golden.make_tokenizers import LOWER, changed

    tokenizer = changed("word_piece", normalizer=LOWER)
    rows = 89 if family else len(tokenizer["model"]["vocab"])
    tokenizer["model"]["vocab"] = {t: i for t, i in tokenizer["model"]["vocab"].items() if i < rows}
    write(folder / "tokenizer.json", tokenizer)
    if family:
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(FAMILIES / family.lower() / name, folder / name)
        write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"})
        return
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
             "max_position_embeddings": 24, "type_vocab_size": 2, "vocab_size": rows}  # fmt: skip
    write(folder / "config.json", {"model_type": "bert", "hidden_act": "gelu", "pad_token_id": 0, **sizes})
    save_file(random_bert(sizes), folder / "model.safetensors")
    write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]"})
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Dense": "2_Dense", "Normalize": "3_Normalize"}
    write(
        folder / "modules.json",
        [{"idx": i, "name": str(i), "path": kinds[kind], "type": ST + kind} for i, kind in enumerate(kinds)],
    )
    write(folder / "1_Pooling/config.json", {"word_embedding_dimension": 16})
    tanh = {"in_features": 16, "out_features": 8, "bias": True, "activation_function": "torch.nn.Tanh"}
    write(folder / "2_Dense/config.json", tanh)
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 0.3, (8, 16)).astype(np.float32)
    save_file({"linear.weight": weight, "linear.bias": np.ones(8, np.float32)}, folder / "2_Dense/model.safetensors")
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "the "}})


def change(folder, file, key, value):
    """Give a key another value; an empty key is the whole file."""
    path = folder / file.partition(" of ")[0]
    if not key:
        write(path, value)
        return
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    (document[1] if file == "modules.json" else document)[key] = value
    write(path, document)


def experiments():
    """Every file, key and value."""
    for file, keys in OTHER.items():
        for key, values in keys.items():
            yield from ((file, key, value) for value in values)


def family_of(file):
    return file.partition(" of ")[2]


def _ask(folder):
    """What sentence-transformers makes of it, as something to compare."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    vectors = [model.encode([text])[0] for text in TEXTS]
    ids = [model.tokenize([text])["input_ids"].tolist() for text in TEXTS]
    return np.stack(vectors), (ids, model.max_seq_length, model.prompts, model.similarity_fn_name)


def _read_keys():
    """The keys that the classes of both programs take, by file; of families, those that BERT's has not."""
    import dataclasses
    import inspect

    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertTokenizer, CamembertTokenizer, MPNetTokenizer, RobertaTokenizer, XLMRobertaTokenizer
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    def fields(model_type):
        return {field.name for field in dataclasses.fields(CONFIG_MAPPING[model_type])}

    def parameters(*classes):
        return {name for one in classes for name in inspect.signature(one.__init__).parameters} - {"self", "kwargs"}

    tokenizers = (BertTokenizer, CamembertTokenizer, MPNetTokenizer, RobertaTokenizer, XLMRobertaTokenizer)
    read = {
        "config.json": fields("bert"),
        "config.json of RoBERTa": fields("roberta") | fields("xlm-roberta") | fields("camembert"),
        "config.json of DistilBERT": fields("distilbert"),
        "config.json of MPNet": fields("mpnet"),
        "config.json of ModernBERT": fields("modernbert"),
        "tokenizer_config.json": parameters(*tokenizers) | set(BertTokenizer.SPECIAL_TOKENS_ATTRIBUTES),
        "sentence_bert_config.json": parameters(Transformer) | {"model_args", "tokenizer_args", "config_args"},
        "1_Pooling/config.json": parameters(Pooling) | set(Pooling.config_key_renames),
        "2_Dense/config.json": parameters(Dense),
        "3_Normalize/config.json": parameters(Normalize),
    }
    return {file: sorted(keys) for file, keys in read.items()}


def _read_files(folder):
    """The names of the files that both programs look for in a folder."""
    import os

    asked, real = set(), os.path.isfile

    def isfile(path):
        if str(path).startswith(f"{folder}/"):
            asked.add(str(path)[len(str(folder)) + 1 :])
        return real(path)

    os.path.isfile = isfile
    try:
        _ask(folder)
    finally:
        os.path.isfile = real
    return sorted(asked)


def main():
    import tempfile

    import sentence_transformers
    import transformers

    transformers.logging.set_verbosity_error()
    rows, bases = [], {}
    for file, key, value in experiments():
        with tempfile.TemporaryDirectory() as name:
            folder, family = Path(name) / "model", family_of(file)
            write_base(folder, family)
            if family not in bases:
                bases[family] = _ask(folder)
            change(folder, file, key, value)
            try:
                vectors, rest = _ask(folder)
            except Exception as error:
                told, why = "error", f"{type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else ''}"
            else:
                base, others = bases[family]
                near = vectors.shape == base.shape and np.allclose(vectors, base, atol=1e-5)
                told, why = ("same" if near and rest == others else "other"), ""
            rows.append({"file": file, "key": key, "value": value, "told": told})
            print(file, key, str(value)[:50], told, why.replace(name, ""), file=sys.stderr, flush=True)
    versions = {"transformers": transformers.__version__, "sentence-transformers": sentence_transformers.__version__}
    with tempfile.TemporaryDirectory() as name:
        write_base(Path(name))
        read = {**_read_keys(), "": _read_files(name)}
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = f'"versions": {json.dumps(versions)},\n"read": {json.dumps(read)}'
    GOLDEN.write_text(f'{{{head},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
