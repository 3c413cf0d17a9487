"""Which tokenizer a folder has: by its class, its files, and what these say of one another."""

from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making import tokenizers
from tests.reference.making.folders import base
from tests.reference.making.sentencepiece import model_file
from tests.reference.making.tokenizers import added
from tests.reference.making.vocabularies import (
    BERT_SPECIAL,
    MERGES,
    MPNET_SPECIAL,
    byte_pairs,
    unigrams,
    word_pieces,
)

MANY = 1000
AS_IT_IS = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}


def vocab_txt(folder, ids=None):
    return folder.write("vocab.txt", "".join(token + "\n" for token in ids or word_pieces()))


@case("tokenizer/bert", many=MANY)
def bert(path):
    """BERT's word pieces, all files of one mind"""
    base(path).write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})


@case("tokenizer/bert-json-lower-config-cased", True, {"do_lower_case": False}, many=MANY)
@case("tokenizer/bert-json-cased-config-lower", False, {"do_lower_case": True}, many=MANY)
@case("tokenizer/bert-json-cased-config-silent", False, {}, many=MANY)
@case("tokenizer/bert-config-keeps-accents", True, {"do_lower_case": True, "strip_accents": False}, many=MANY)
@case("tokenizer/bert-config-strips-accents", False, {"do_lower_case": False, "strip_accents": True}, many=MANY)
@case("tokenizer/bert-config-joins-chinese", True, {"tokenize_chinese_chars": False}, many=MANY)
def conflicting(path, lowercase, config):
    """tokenizer.json and tokenizer_config.json differ"""
    folder = base(path).write("tokenizer.json", tokenizers.bert(lowercase=lowercase))
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **config})


@case("tokenizer/bert-as-it-is", many=MANY)
def as_it_is(path):
    """PreTrainedTokenizerFast: tokenizer.json has the last word, do_lower_case none"""
    folder = base(path).write("tokenizer.json", tokenizers.bert(lowercase=True))
    folder.write("tokenizer_config.json", {**AS_IT_IS, "do_lower_case": False})


@case("tokenizer/bert-fast-name", many=MANY)
def fast_name(path):
    """BertTokenizerFast, as transformers 4 wrote it"""
    folder = base(path).write("tokenizer.json", tokenizers.bert(lowercase=True))
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False})


@case("tokenizer/bert-no-class", {"do_lower_case": False}, what="no tokenizer_class: model_type decides", many=MANY)
@case("tokenizer/bert-no-config", None, what="no tokenizer_config.json", many=MANY)
def unnamed(path, config):
    folder = base(path).write("tokenizer.json", tokenizers.bert(lowercase=True))
    folder.remove("tokenizer_config.json")
    if config is not None:
        folder.write("tokenizer_config.json", config)


@case("tokenizer/bert-vocab-txt", {"do_lower_case": True}, what="vocab.txt alone", many=MANY)
@case("tokenizer/bert-vocab-txt-cased", {"do_lower_case": False}, what="vocab.txt alone, cased", many=MANY)
def from_vocab_txt(path, config):
    folder = vocab_txt(base(path)).remove("tokenizer.json")
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **config})


@case("tokenizer/bert-vocab-txt-no-mask", what="vocab.txt without [MASK], which nothing uses", many=MANY)
def without_mask(path):
    ids = word_pieces(special=BERT_SPECIAL[:4])
    vocab_txt(base(path, vocab_size=len(ids) + 1), ids).remove("tokenizer.json")


@case("tokenizer/bert-japanese-mecab", "wordpiece", expected=REFUSED)
@case("tokenizer/bert-japanese-characters", "character", expected=REFUSED)
def japanese(path, subwords):
    """vocab.txt of BertJapaneseTokenizer, which splits by MeCab first"""
    config = {"tokenizer_class": "BertJapaneseTokenizer", "do_lower_case": False, "word_tokenizer_type": "mecab",
              "subword_tokenizer_type": subwords, "mecab_kwargs": {"mecab_dic": "unidic_lite"}}  # fmt: skip
    vocab_txt(base(path)).remove("tokenizer.json").write("tokenizer_config.json", config)


@case("tokenizer/auto-map", expected=REFUSED)
def of_its_own(path):
    """vocab.txt of sentencepiece's pieces, with a class of its own in auto_map"""
    ids = {token: i for i, token in enumerate([*BERT_SPECIAL, *(piece for piece, _ in unigrams()[4:])])}
    folder = vocab_txt(base(path, vocab_size=len(ids)), ids).remove("tokenizer.json")
    folder.write("tokenizer_config.json", {
        "tokenizer_class": "PieceTokenizer", "auto_map": {"AutoTokenizer": ["tokenization_piece.PieceTokenizer", None]}
    })  # fmt: skip
    folder.write("tokenization_piece.py", "class PieceTokenizer: ...\n")


@case("tokenizer/bert-generation", "BertGenerationTokenizer", expected=REFUSED)
@case("tokenizer/bert-tweet", "BertweetTokenizer", expected=REFUSED)
@case("tokenizer/canine", "CanineTokenizer", expected=REFUSED)
@case("tokenizer/convbert", "ConvBertTokenizer", expected=REFUSED)
def other_class(path, name):
    """vocab.txt and a class that does not read it so"""
    vocab_txt(base(path)).remove("tokenizer.json").write("tokenizer_config.json", {"tokenizer_class": name})


@case("tokenizer/bert-other-special-names", many=MANY)
def other_special_names(path):
    """cls_token and sep_token are <s> and </s>, by tokenizer_config.json"""
    special = ("<pad>", "[UNK]", "<s>", "</s>", "<mask>")
    ids = word_pieces(special)
    document = tokenizers.bert(ids, special=special)
    folder = base(path, vocab_size=len(ids)).write("tokenizer.json", document)
    folder.write("tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
        "mask_token": "<mask>",
    })  # fmt: skip


@case("tokenizer/bert-pads-and-cuts", many=MANY)
def pads_and_cuts(path):
    """tokenizer.json pads to 32 and cuts at 8, as MiniLM's does"""
    padding = {"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
               "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    truncation = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    base(path).write("tokenizer.json", tokenizers.bert(padding=padding, truncation=truncation))


@case("tokenizer/bert-odd-ends", "BertTokenizer", many=MANY)
@case("tokenizer/bert-odd-ends-as-it-is", "PreTrainedTokenizerFast", many=MANY)
def odd_ends(path, name):
    """tokenizer.json puts [SEP] first and [CLS] last"""
    document = tokenizers.bert(post_processor=tokenizers.template("[SEP]", "[CLS]", word_pieces()))
    config = {"tokenizer_class": name, "pad_token": "[PAD]"}
    base(path).write("tokenizer.json", document).write("tokenizer_config.json", config)


@case("tokenizer/bert-no-ends-as-it-is", many=MANY)
def no_ends(path):
    """PreTrainedTokenizerFast without a post-processor: no special tokens around a text"""
    folder = base(path).write("tokenizer.json", tokenizers.bert(post_processor=None))
    folder.write("tokenizer_config.json", AS_IT_IS)


@case("tokenizer/bert-other-prefix", many=MANY)
def other_prefix(path):
    """wordpieces_prefix, which transformers leaves unread"""
    folder = base(path)
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "wordpieces_prefix": "@@",
                                           "clean_up_tokenization_spaces": True, "never_split": ["Zoo"]})  # fmt: skip


@case("tokenizer/class-in-config-json", "BertJapaneseTokenizer", expected=REFUSED)
@case("tokenizer/known-class-in-config-json", "BertTokenizer", many=MANY)
def class_in_config_json(path, name):
    """tokenizer_class in config.json alone"""
    folder = vocab_txt(base(path)).remove("tokenizer.json", "tokenizer_config.json")
    folder.change("config.json", tokenizer_class=name)


@case("tokenizer/class-null", tokenizer_class=None, many=MANY)
@case("tokenizer/slow", tokenizer_class="BertTokenizer", use_fast=False, many=MANY)
@case("tokenizer/other-roles", tokenizer_class="BertTokenizer", bos_token="[CLS]", eos_token="[SEP]", many=MANY)
@case(
    "tokenizer/as-it-is-adds-ends",
    **AS_IT_IS,
    add_bos_token=True,
    add_eos_token=True,
    bos_token="[CLS]",
    eos_token="[SEP]",
    expected=EITHER,
    many=MANY,
)
@case("tokenizer/as-it-is-adds-an-end", **AS_IT_IS, add_eos_token=True, eos_token="[MASK]", expected=EITHER, many=MANY)
@case("tokenizer/model-max-length-float", tokenizer_class="BertTokenizer", model_max_length=1e30, many=MANY)
def other_options(path, **config):
    """options of tokenizer_config.json that mostly change nothing"""
    base(path).write("tokenizer_config.json", config)


@case("tokenizer/vocab-txt-crlf", "\r\n", many=MANY)
@case("tokenizer/vocab-txt-spaces", " \n", many=MANY, expected=EITHER)
@case("tokenizer/vocab-txt-twice", "\n", ["the", "bank"], many=MANY)
@case("tokenizer/vocab-txt-blank-line", "\n", ["", "zoo"], many=MANY)
def lines_of_vocab_txt(path, end, more=()):
    """vocab.txt with other ends of lines, tokens that stand twice, a blank line"""
    tokens = [*word_pieces(), *more]
    folder = base(path, vocab_size=len(tokens)).remove("tokenizer.json")
    folder.write("vocab.txt", "".join(token + end for token in tokens))


@case("tokenizer/merges-without-a-head", "", "\n", many=MANY)
@case("tokenizer/merges-crlf", "#version: 0.2\r\n", "\r\n", many=MANY, expected=EITHER)
def lines_of_merges_txt(path, head, end):
    """merges.txt without its first line, or with other ends of lines"""
    folder = base(path, "roberta").remove("tokenizer.json").write("vocab.json", byte_pairs())
    folder.write("merges.txt", head + "".join(f"{a} {b}{end}" for a, b in MERGES))


@case("tokenizer/xlm-roberta-no-prefix", many=MANY)
def unprefixed(path):
    """XLMRobertaTokenizer with add_prefix_space false"""
    base(path, "xlm-roberta").change("tokenizer_config.json", add_prefix_space=False)


@case("tokenizer/random-bytes", expected=REFUSED)
def random_merges(path):
    """a BPE with dropout: other tokens each time"""
    document = tokenizers.roberta()
    document["model"]["dropout"] = 0.5
    base(path, "modernbert").write("tokenizer.json", document)


@case("tokenizer/distilbert-json-lower-config-cased", many=MANY)
def distilbert(path):
    """DistilBertTokenizer, of another mind than tokenizer.json"""
    base(path, "distilbert").change("tokenizer_config.json", do_lower_case=False)


@case("tokenizer/mpnet", many=MANY)
@case("tokenizer/mpnet-config-cased", {"do_lower_case": False}, many=MANY)
def mpnet(path, config=None):
    """MPNetTokenizer: word pieces between <s> and </s>"""
    base(path, "mpnet").change("tokenizer_config.json", **(config or {}))


@case("tokenizer/mpnet-vocab-txt", many=MANY)
def mpnet_vocab_txt(path):
    """MPNet from vocab.txt alone"""
    vocab_txt(base(path, "mpnet"), word_pieces(MPNET_SPECIAL, more=("<mask>",))).remove("tokenizer.json")


@case("tokenizer/roberta", many=MANY)
def roberta(path):
    """byte pairs"""
    base(path, "roberta")


@case("tokenizer/roberta-config-prefixes", False, {"add_prefix_space": True}, many=MANY)
@case("tokenizer/roberta-json-prefixes", True, {"add_prefix_space": False}, many=MANY)
@case("tokenizer/roberta-json-prefixes-config-silent", True, {}, many=MANY)
@case("tokenizer/roberta-config-keeps-offsets", False, {"trim_offsets": False}, many=MANY)
def prefixes(path, json_prefixes, config):
    """add_prefix_space and trim_offsets of byte pairs: the two files differ"""
    folder = base(path, "roberta").write("tokenizer.json", tokenizers.roberta(add_prefix_space=json_prefixes))
    folder.change("tokenizer_config.json", **config)


@case("tokenizer/roberta-prefixes-as-it-is", many=MANY)
def prefixes_as_it_is(path):
    """PreTrainedTokenizerFast with add_prefix_space, byte pairs"""
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": True, "pad_token": "<pad>"}
    base(path, "roberta").write("tokenizer_config.json", config)


@case("tokenizer/roberta-vocab-json", many=MANY)
def vocab_json(path):
    """vocab.json and merges.txt alone"""
    folder = base(path, "roberta").remove("tokenizer.json").write("vocab.json", byte_pairs())
    folder.write("merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES))


@case("tokenizer/modernbert", many=MANY)
def modernbert(path):
    """byte pairs, tokenizer.json as it is"""
    base(path, "modernbert")


@case("tokenizer/xlm-roberta", True, many=MANY)
@case("tokenizer/xlm-roberta-unsplit", False, many=MANY)
def xlm_roberta(path, split):
    """unigrams"""
    base(path, "xlm-roberta").write("tokenizer.json", tokenizers.xlm_roberta(split=split))


@case("tokenizer/xlm-roberta-normalizer", "XLMRobertaTokenizer", many=MANY)
@case("tokenizer/xlm-roberta-normalizer-as-it-is", "PreTrainedTokenizerFast", many=MANY)
def normalizer(path, name):
    """unigrams whose tokenizer.json has a normalizer, which the class XLMRobertaTokenizer has not"""
    document = tokenizers.xlm_roberta(normalizer={"type": "NFKC"})
    folder = base(path, "xlm-roberta").write("tokenizer.json", document)
    folder.write("tokenizer_config.json", {"tokenizer_class": name, "pad_token": "<pad>"})


@case("tokenizer/xlm-roberta-as-it-is", many=MANY)
def unsplit_as_it_is(path):
    """unigrams without a split at white space, as bge-m3, PreTrainedTokenizerFast"""
    folder = base(path, "xlm-roberta").write("tokenizer.json", tokenizers.xlm_roberta(split=False))
    folder.write("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"})


@case(
    "tokenizer/xlm-roberta-sentencepiece",
    "xlm-roberta",
    "sentencepiece.bpe.model",
    "XLMRobertaTokenizer",
    expected=REFUSED,
)
@case(
    "tokenizer/camembert-sentencepiece", "camembert", "sentencepiece.bpe.model", "CamembertTokenizer", expected=REFUSED
)
def sentencepiece(path, model_type, name, tokenizer_class):
    """a model of sentencepiece alone"""
    folder = base(path, model_type).remove("tokenizer.json").write(name, model_file())
    folder.write("tokenizer_config.json", {"tokenizer_class": tokenizer_class})


@case("tokenizer/bert-of-xlm-roberta", many=MANY)
def bert_of_xlm_roberta(path):
    """a BERT with XLM-R's tokenizer, as multilingual-e5-small"""
    scores = unigrams()
    folder = base(path, vocab_size=len(scores)).write("tokenizer.json", tokenizers.xlm_roberta(scores))
    folder.write("tokenizer_config.json", {"tokenizer_class": "XLMRobertaTokenizer"})


@case("tokenizer/camembert-class", many=MANY)
def camembert(path):
    """CamembertTokenizer over a tokenizer.json of unigrams"""
    special = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
    scores = unigrams(special)
    document = tokenizers.xlm_roberta(scores, special=special[1:2] + special[3:4] + special[5:])
    folder = base(path, "camembert", vocab_size=len(scores)).write("tokenizer.json", document)
    folder.write("tokenizer_config.json", {"tokenizer_class": "CamembertTokenizer"})


@case("tokenizer/roberta-of-bert", many=MANY)
def roberta_of_bert(path):
    """a RoBERTa with BERT's tokenizer, as some Chinese models"""
    ids = word_pieces()
    folder = base(path, "roberta", vocab_size=len(ids), pad_token_id=0).write("tokenizer.json", tokenizers.bert(ids))
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})


@case("tokenizer/lower-case", many=MANY)
def lower_case(path):
    """do_lower_case of sentence_bert_config.json, over a cased tokenizer"""
    folder = base(path).write("tokenizer.json", tokenizers.bert(lowercase=False)).sentence_transformer()
    folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    folder.write("sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": True})


@case("tokenizer/lower-case-bytes", many=MANY)
def lower_case_bytes(path):
    """the same over byte pairs, with an added token that has capitals"""
    document = tokenizers.roberta()
    document["added_tokens"].append(added("[Query]", len(byte_pairs()), special=False, normalized=True))
    folder = base(path, "roberta", vocab_size=len(byte_pairs()) + 1).write("tokenizer.json", document)
    folder.write("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"})
    folder.sentence_transformer()
    folder.write("sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": True})
