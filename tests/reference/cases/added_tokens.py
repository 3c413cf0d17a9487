"""Tokens beyond the vocabulary: four places that name them, and their flags."""

from tests.reference.cases.registry import case
from tests.reference.making import tokenizers
from tests.reference.making.folders import base
from tests.reference.making.tokenizers import added
from tests.reference.making.vocabularies import byte_pairs, word_pieces

MANY = 1000
NEXT = len(word_pieces())


def bert(path, *, document=None, more=1, **config):
    folder = base(path, vocab_size=NEXT + more).write("tokenizer.json", document or tokenizers.bert())
    return folder.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **config})


def decoder(*tokens):
    return {str(token.pop("id")): token for token in tokens}


def special_entries():
    return [added(token, i) for i, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))]


@case("added/json", many=MANY)
def in_added_tokens_json(path):
    """added_tokens.json has [query], tokenizer.json has not"""
    bert(path).write("added_tokens.json", {"[query]": NEXT})


@case("added/vocab-txt", many=MANY)
def beside_vocab_txt(path):
    """added_tokens.json beside a vocab.txt"""
    folder = bert(path).remove("tokenizer.json").write("added_tokens.json", {"[query]": NEXT})
    folder.write("vocab.txt", "".join(token + "\n" for token in word_pieces()))


@case("added/decoder", {}, many=MANY)
@case("added/decoder-not-special", {"special": False}, many=MANY)
@case("added/decoder-strips-left", {"lstrip": True}, many=MANY)
@case("added/decoder-strips-right", {"rstrip": True}, many=MANY)
@case("added/decoder-whole-words", {"single_word": True}, many=MANY)
@case("added/decoder-normalized", {"normalized": True, "special": False}, many=MANY)
def in_the_decoder(path, flags):
    """added_tokens_decoder of tokenizer_config.json has [query], tokenizer.json has not"""
    bert(path, added_tokens_decoder=decoder(*special_entries(), added("[query]", NEXT, **flags)))


@case("added/decoder-as-it-is", many=MANY)
def as_it_is(path):
    """added_tokens_decoder, and PreTrainedTokenizerFast"""
    entries = decoder(*special_entries(), added("[query]", NEXT))
    bert(path, tokenizer_class="PreTrainedTokenizerFast", pad_token="[PAD]", added_tokens_decoder=entries)


@case("added/tokenizer-json", {}, many=MANY)
@case("added/tokenizer-json-normalized", {"normalized": True, "special": False}, many=MANY)
def in_tokenizer_json(path, flags):
    """tokenizer.json alone has [Query]"""
    document = tokenizers.bert()
    document["added_tokens"].append(added("[Query]", NEXT, **flags))
    bert(path, document=document)


@case("added/special-tokens-map", many=MANY)
def in_special_tokens_map(path):
    """additional_special_tokens of special_tokens_map.json, a token of the vocabulary"""
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "additional_special_tokens": ["query", "zoo"]}
    bert(path).write("special_tokens_map.json", names)


@case("added/extra", "extra_special_tokens", many=MANY)
@case("added/additional", "additional_special_tokens", many=MANY)
def in_the_config(path, field):
    """further special tokens by tokenizer_config.json, of which the vocabulary has one"""
    bert(path, more=2, **{field: ["query", "[query]"]})


@case("added/disagree", many=MANY)
def disagree(path):
    """tokenizer.json and added_tokens_decoder give one token other flags"""
    document = tokenizers.bert()
    document["added_tokens"].append(added("[query]", NEXT, lstrip=True))
    entries = decoder(*special_entries(), added("[query]", NEXT, rstrip=True))
    bert(path, document=document, added_tokens_decoder=entries)


@case("added/mask-keeps-left", many=MANY)
def mask_keeps_left(path):
    """a mask_token with flags, as an object"""
    mask = {"__type": "AddedToken", **{k: v for k, v in added("[MASK]", 0, lstrip=True).items() if k != "id"}}
    bert(path, mask_token=mask)


@case("added/bytes", many=MANY)
def of_byte_pairs(path):
    """added_tokens.json beside byte pairs"""
    folder = base(path, "roberta", vocab_size=len(byte_pairs()) + 1)
    folder.write("added_tokens.json", {"[query]": len(byte_pairs())})


@case("added/beyond-the-table", expected="refused")
def beyond_the_table(path):
    """an added token without a row in the word table"""
    base(path).write("added_tokens.json", {"[query]": NEXT})
