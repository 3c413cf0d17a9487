"""embed_tokens, embed_words and word_similarity, over a real socket, unary and streamed."""

import asyncio

import grpc
import numpy as np
import pytest
from tests.client.fake_context import token_vectors

from polyseme.client import (
    AsyncClient,
    Client,
    InvalidArgumentError,
    InvalidReplyError,
    Mention,
    ModelChangedError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
    Word,
)
from polyseme.client._plans.streams import resumable
from polyseme.v1 import common_pb2
from polyseme.v1.embedding_service_pb2 import StreamError

BANK = "a bank by the bank"
LONG = "x" * 500
TEXTS = ["bank", "", LONG, *(f"text {number}" for number in range(70))]


class _Async:
    """AsyncClient with the face of Client."""

    def __init__(self, target):
        self._target = target

    def __getattr__(self, name):
        async def call(*args, **options):
            async with AsyncClient(self._target) as client:
                return await getattr(client, name)(*args, **options)

        return lambda *args, **options: asyncio.run(call(*args, **options))


@pytest.fixture(params=["sync", "async"])
def either(request, server):
    if request.param == "async":
        yield _Async(server.target)
    else:
        with Client(server.target) as client:
            yield client


def test_embed_tokens_gives_columns_and_vectors(either, server):
    embedded = either.embed_tokens("né")
    assert (embedded.tokens, embedded.ids, len(embedded)) == (("n", "é"), (ord("n"), ord("é")), 2)
    assert (embedded.offsets, embedded.word_ids) == (((0, 1), (1, 2)), (0, 1))
    assert np.array_equal(embedded.vectors, token_vectors("né", [2])[0])
    assert embedded.info.tokens == 2
    assert server.faults.calls == {"EmbedTokens": 1}


@pytest.mark.parametrize("rows", [0, 1, 3, 100, 501, 1200])
@pytest.mark.parametrize(("layers", "combine"), [((0, 1, 2), "none"), ((-1,), "none"), ((1, 2), "sum")])
def test_embed_tokens_of_a_list_puts_chunks_together(either, server, rows, layers, combine):
    server.faults.chunk_rows = rows
    embedded = either.embed_tokens(TEXTS, layers=layers, combine=combine)
    assert ["".join(one.tokens) for one in embedded] == TEXTS
    for text, one in zip(TEXTS, embedded, strict=True):
        expected = token_vectors(text, list(layers))
        expected = expected.sum(0) if combine == "sum" else expected if len(layers) > 1 else expected[0]
        assert np.array_equal(one.vectors, expected)
        assert one.vectors.flags.owndata
        assert one.vectors.flags.writeable
        assert one.info.original_tokens == len(text)
    assert server.faults.calls == {"StreamEmbed": 1}
    assert [len(message.tokens.texts) for message in server.faults.messages] == [32, 32, 9]


@pytest.mark.parametrize(
    ("texts", "options", "priority"),
    [
        (TEXTS[:32], {}, common_pb2.PRIORITY_UNSPECIFIED),
        (TEXTS, {}, common_pb2.PRIORITY_BULK),
        (TEXTS, {"priority": "interactive"}, common_pb2.PRIORITY_INTERACTIVE),
    ],
)
def test_a_list_of_several_requests_is_bulk_unless_told(either, server, texts, options, priority):
    either.embed_tokens(texts, **options)
    assert {message.tokens.priority for message in server.faults.messages} == {priority}


@pytest.mark.parametrize(
    ("layers", "combine", "shape"),
    [
        (-1, "none", (4, 12)),
        ("static", "none", (4, 12)),
        (("static", 0, 2), "none", (3, 4, 12)),
        ([0, 1], "concat", (4, 24)),
        ([0, 1], "mean", (4, 12)),
        (np.int64(1), "none", (4, 12)),
        (range(3), "none", (3, 4, 12)),
    ],
)
def test_embed_tokens_takes_layers(client, server, layers, combine, shape):
    assert client.embed_tokens("bank", layers=layers, combine=combine).vectors.shape == shape


def test_embed_tokens_puts_the_static_embedding_first(client):
    vectors = client.embed_tokens("bank", layers=["static", 1]).vectors
    assert np.array_equal(vectors, token_vectors("bank", ["static", 1]))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([0, "static"], r"^layers\[1\] is 'static'; it is valid as the first entry alone, once$"),
        (["static", "static"], r"^layers\[1\] is 'static'"),
        ([], r"^layers has 0 entries; 1 to 64 are valid$"),
        ([0] * 65, r"^layers has 65 entries"),
        ([True], r"^layers\[0\] must be an int or 'static', got bool$"),
        ([1.5], r"^layers\[0\] must be an int or 'static', got float$"),
        ("last", r"^layers\[0\] must be an int or 'static', got str$"),
        ([1 << 40], r"^layers\[0\] is no layer"),
        ({1, 2}, r"^layers must be an int, 'static' or a sequence of them, got set$"),
        (None, r"^layers must be an int"),
    ],
)
def test_embed_tokens_refuses_layers(client, server, layers, message):
    with pytest.raises(InvalidArgumentError, match=message):
        client.embed_tokens("bank", layers=layers)
    assert not server.faults.calls


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "binary"},
        {"dtype": "float64"},
        {"combine": "max"},
        {"offset_unit": "byte"},
        {"include_special_tokens": "yes"},
        {"priority": "high"},
    ],
)
def test_embed_tokens_refuses(client, options):
    with pytest.raises(InvalidArgumentError):
        client.embed_tokens("bank", **options)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("bfloat16", 0), ("int8", 1 / 250)])
def test_embed_tokens_widens_what_travels_narrow(client, dtype, tolerance):
    vectors = client.embed_tokens("bank", dtype=dtype).vectors
    assert vectors.dtype == np.float32
    assert np.abs(vectors - token_vectors("bank", [2])[0]).max() <= tolerance


@pytest.mark.parametrize(
    ("size", "hidden_size", "options", "method"),
    [
        (64, 0, {}, "EmbedTokens"),  # (64 + 64) * 4096 * 4 bytes: 2 MiB
        (65, 0, {}, "StreamEmbed"),
        (65, 0, {"dtype": "int8"}, "EmbedTokens"),
        (60, 0, {"layers": (0, 1)}, "StreamEmbed"),
        (60, 0, {"layers": (0, 1), "combine": "concat"}, "StreamEmbed"),
        (60, 0, {"layers": (0, 1), "combine": "sum"}, "EmbedTokens"),
        (900, 384, {}, "EmbedTokens"),
        (1400, 384, {}, "StreamEmbed"),
    ],
)
def test_embed_tokens_streams_what_may_be_large(client, server, size, hidden_size, options, method):
    if hidden_size:
        server.faults.hidden_size = hidden_size
        client.model()
    client.embed_tokens("x" * size, **options)
    assert server.faults.calls[method] == 1


def test_embed_tokens_keeps_messages_within_16_kib(client, server):
    client.embed_tokens(["x" * 7000] * 5)
    assert [len(message.tokens.texts) for message in server.faults.messages] == [2, 2, 1]


def test_embed_tokens_refuses_a_text_over_the_limit_before_sending(client, server):
    server.faults.limits["max_text_bytes"] = 100
    client.model()
    with pytest.raises(InvalidArgumentError, match=r"^texts\[1\] has 101 bytes of UTF-8; limit 100"):
        client.embed_tokens(["a", "x" * 101])


def test_embed_tokens_raises_the_servers_error_with_the_index_in_the_list(either, server):
    def on_message(sequence, message, context):
        return StreamError(code=3, message="texts[4] has 913 tokens; limit 512") if sequence == 1 else None

    server.faults.on_message = on_message
    with pytest.raises(InvalidArgumentError, match=f"^{server.target}: texts\\[36\\] has 913 tokens; limit 512$"):
        either.embed_tokens(TEXTS)


def test_embed_tokens_goes_on_after_a_broken_stream_amid_a_reply(either, server, monkeypatch):
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.01)
    broken = iter([True])

    def on_message(sequence, message, context):
        if sequence == 1 and next(broken, False):
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    server.faults.chunk_rows = 5
    server.faults.on_message = on_message
    assert ["".join(one.tokens) for one in either.embed_tokens(TEXTS)] == TEXTS
    assert server.faults.calls == {"StreamEmbed": 2}


def test_embed_tokens_waits_for_a_full_server(either, server):
    full = iter([StreamError(code=8, message="full", retry_after_ms=5)] * 3)
    server.faults.on_message = lambda sequence, message, context: next(full, None)
    assert ["".join(one.tokens) for one in either.embed_tokens(TEXTS)] == TEXTS


def test_embed_tokens_refuses_to_mix_two_models(client, server):
    def change(chunk):
        chunk.tokens.model.version = f"version {chunk.sequence}"
        return chunk

    server.faults.mutate_chunk = change
    with pytest.raises(ModelChangedError):
        client.embed_tokens(TEXTS)


def test_embed_tokens_says_which_method_an_old_server_does_not_have(either, server):
    server.faults.failures = [(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")]
    with pytest.raises(UnimplementedError, match=r"does not have /polyseme\.v1\.EmbeddingService/EmbedTokens"):
        either.embed_tokens("a")


def test_embed_words_finds_words(either, server):
    found = either.embed_words(BANK, words=["bank", Word("by")])
    assert found.words == ("bank", "bank", "by")
    assert found.spans == ((2, 6), (14, 18), (7, 9))
    assert found.tokens == ((2, 3, 4, 5), (14, 15, 16, 17), (7, 8))
    assert (found.queries, found.occurrences) == ((0, 0, 1), (1, 2, 1))
    assert (found.truncated, len(found), found.info.tokens) == ((False,) * 3, 3, 16)
    expected = [token_vectors(BANK, [2], list(range(*span)))[0].mean(0) for span in found.spans]
    assert np.allclose(found.vectors, expected, atol=1e-6)
    assert server.faults.calls == {"EmbedSpans": 1}


def test_embed_words_takes_one_word_and_its_occurrence(either):
    assert either.embed_words(BANK, words="bank").occurrences == (1, 2)
    assert either.embed_words(BANK, words=Word("bank", occurrence=2)).spans == ((14, 18),)


def test_embed_words_gives_every_word_where_nothing_is_asked_for(either):
    assert either.embed_words(BANK).words == ("a", "bank", "by", "the", "bank")


def test_embed_words_gives_spans_before_words(client):
    found = client.embed_words(BANK, spans=[(0, 1), (7, 9)], words="the")
    assert (found.words, found.queries, found.occurrences) == (("a", "by", "the"), (0, 1, 2), (0, 0, 1))


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_embed_words_of_a_list_streams(either, server, rows):
    server.faults.chunk_rows = rows
    texts = [BANK, "", "the bank"]
    found = either.embed_words(texts, layers=[0, 1, 2], combine="none")
    assert [one.words for one in found] == [("a", "bank", "by", "the", "bank"), (), ("the", "bank")]
    assert [one.vectors.shape for one in found] == [(3, 5, 12), (3, 0, 12), (3, 2, 12)]
    assert np.allclose(found[2].vectors[:, 0], token_vectors("the bank", [0, 1, 2], [0, 1, 2]).mean(1), atol=1e-6)
    assert server.faults.calls == {"StreamEmbed": 1}


def test_embed_words_takes_spans_for_each_text(client):
    found = client.embed_words([BANK, "the bank"], spans=[[(2, 6)], [(0, 3), (4, 8)]])
    assert [one.words for one in found] == [("bank",), ("the", "bank")]


def test_embed_words_carries_every_option(client, server):
    client.embed_words(
        BANK, words=Word("bank", 1, partial_word=True, ignore_case=True), subtokens="first_last", normalize=True,
        offset_unit="utf8_byte", dtype="float16", layers=["static", -1], combine="mean", priority="bulk",
        truncate="end",
    )  # fmt: skip
    request = server.faults.requests[-1]
    word = request.inputs[0].words[0]
    assert (word.occurrence, word.partial_word, word.ignore_case) == (1, True, True)
    assert (request.subtokens, request.normalize, request.offset_unit, request.dtype) == (3, True, 2, 2)
    assert (list(request.layers.layers), request.layers.static_embedding, request.layers.combine) == ([-1], True, 2)
    assert (request.priority, request.text_options.truncate) == (2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": []}, "words is empty; leave it out"),
        ({"words": [""]}, r"words\[0\] has 0 bytes of UTF-8; 1 to 1024 are valid"),
        ({"words": ["ok", "y" * 1025]}, r"words\[1\] has 1025 bytes of UTF-8; 1 to 1024 are valid"),
        ({"words": "\ud800"}, r"words has a lone surrogate at position 0"),
        ({"words": [3]}, r"words\[0\] must be a str or a Word, got int"),
        ({"words": {"a"}}, "words must be a sequence, got set"),
        ({"words": Word("a", -1)}, r"words: occurrence is -1; 0 to 4294967295"),
        ({"words": Word("a", "2")}, r"words: occurrence must be an int, got str"),
        ({"words": Word("a", ignore_case=1)}, "words: ignore_case must be a bool, got int"),
        ({"spans": [(2, 2)]}, r"spans\[0\] is \(2, 2\); the end must be greater"),
        ({"spans": (2, 6)}, r"spans\[0\] must be \(start, end\), got int"),
        ({"spans": [(0, 1 << 32)]}, r"spans\[0\]: end is 4294967296"),
        ({"spans": []}, "spans is empty; a text without spans"),
        ({"subtokens": "max"}, "subtokens is 'max'; valid: first, last, first_last, mean"),
        ({"dtype": "binary"}, "dtype is 'binary'; valid: float32, float16, bfloat16, int8"),
    ],
)
def test_embed_words_refuses(client, server, options, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        client.embed_words(BANK, **options)
    assert not server.faults.calls


def test_embed_words_refuses_spans_for_another_number_of_texts(client):
    with pytest.raises(InvalidArgumentError, match=r"^spans has 1 entries for 2 texts"):
        client.embed_words(["a", "b"], spans=[[(0, 1)]])


def test_embed_words_speaks_of_texts_where_the_server_speaks_of_inputs(either):
    with pytest.raises(InvalidArgumentError, match=r": texts\[0\]\.words\[0\]: not found$"):
        either.embed_words(BANK, words="river")


def test_word_similarity_sends_what_it_was_given(either, server):
    score = either.word_similarity(
        (BANK, Word("bank", 2)), Mention("the bank", span=(4, 8)), metric="dot", layers=(1, 2), subtokens="first"
    )
    assert isinstance(score, float)
    request = server.faults.requests[-1]
    assert (request.a[0].text, request.a[0].word.text, request.a[0].word.occurrence) == (BANK, "bank", 2)
    assert (request.b[0].span.start, request.b[0].span.end) == (4, 8)
    assert (request.mode, request.metric, list(request.layers.layers), request.subtokens) == (2, 2, [1, 2], 1)
    assert request.layers.combine == 1


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("text", r"a must be a Mention or \(text, word\), got str"),
        (("text",), "a must be a Mention"),
        (("text", ""), r"a\[0\]\.word has 0 bytes"),
        (("text", 3), r"a\[0\]\.span must be \(start, end\), got int"),
        ((3, "word"), r"a\[0\] must be a str or a Mention, got int"),
    ],
)
def test_word_similarity_refuses(client, operand, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        client.word_similarity(operand, ("text", "text"))


def test_similarity_takes_mentions_among_texts(either, server):
    scores = either.similarity([Mention("a bank", "bank"), "a text"], Mention("the bank", span=(4, 8)))
    assert scores.shape == (2,)
    request = server.faults.requests[-1]
    assert [operand.WhichOneof("part") for operand in [*request.a, *request.b]] == ["word", None, "span"]
    assert not request.HasField("layers")


def test_top_k_takes_mentions(either):
    assert either.top_k(Mention("a bank", "bank"), [Mention("a bank", "bank"), "b"], 1).indices.tolist() == [0]


def test_similarity_names_the_operand_where_the_server_counts_texts(either, server):
    server.faults.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "texts[3] has 913 tokens; limit 512")]
    with pytest.raises(InvalidArgumentError, match=r": b\[1\] has 913 tokens"):
        either.similarity(["a", "b"], ["c", "d"])


@pytest.mark.parametrize(("word", "span", "found"), [(None, None, "neither"), ("a", (0, 1), "both")])
def test_mention_takes_one_of_word_and_span(word, span, found):
    with pytest.raises(InvalidArgumentError, match=f"got {found}; a whole text is a str"):
        Mention("a", word, span)


def _drop_info(chunk):
    chunk.tokens.texts[0].ClearField("info")
    return chunk


def _widen(chunk):
    if chunk.tokens.texts[0].vectors.shape[-2] % 2 == 0:
        chunk.tokens.texts[0].vectors.shape[-2] //= 2
        chunk.tokens.texts[0].vectors.shape[-1] *= 2
    return chunk


def _set(**fields):
    def mutate(chunk):
        if chunk.chunk_index == 3:
            for name, value in fields.items():
                setattr(chunk, name, value)
        return chunk

    return mutate


def _no_texts(chunk):
    del chunk.tokens.texts[:]
    return chunk


@pytest.mark.parametrize(
    "mutate",
    [
        _drop_info,
        _widen,
        _no_texts,
        _set(first_text=1),
        _set(first_layer=0),
        _set(first_token=1),
        _set(chunk_index=2),
        _set(last_chunk=True),
        _set(sequence=1),
    ],
)
def test_embed_tokens_refuses_chunks_in_disorder(either, server, mutate):
    server.faults.chunk_rows = 4
    server.faults.mutate_chunk = mutate
    with pytest.raises(InvalidReplyError):
        either.embed_tokens(["bank teller", "x"], layers=[0, 1])


def test_embed_tokens_raises_unavailable_where_nobody_listens(monkeypatch):
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.01)
    with Client("127.0.0.1:1") as client, pytest.raises(UnavailableError):
        client.embed_tokens(["a", "b"])


def test_embed_tokens_gives_up_on_a_server_that_stays_full(either, server):
    full = StreamError(code=8, message="full", retry_after_ms=60_000)
    server.faults.on_message = lambda sequence, message, context: full
    with pytest.raises(ResourceExhaustedError):
        either.embed_tokens(["a", "b"], timeout=5)
