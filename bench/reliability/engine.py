"""Promises 15 to 19: whatever happens to a batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from bench.lib.texts import mixed_texts
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place
from tests.server.faulty_engine import Hold
from tests.server.replies import array
from tests.server.running import CANARY, running

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Code = grpc.StatusCode
Vectors = npt.NDArray[np.float32]
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
POISON_TOKENS = 20  # its batch-mates are as long but for one: those share a batch
MOST_APART = 1e-5  # of a number of a unit vector: float32 sums in another order


def embed(server: Any, texts: Sequence[str]) -> Vectors:
    """The vectors of texts, in one call."""
    vectors: Vectors = array(
        server.embedding.Embed(pb.EmbedRequest(texts=texts, text_options=CUT), timeout=300).embeddings
    )
    return vectors


def text_of(tokens: int) -> str:
    """A text of so many tokens of the tiny model."""
    return "a " * (tokens - 2)


def poison(place: Place) -> Iterator[Outcome]:
    """15: a text that breaks the model."""

    def picky(run: Callable[..., Any], graph: Any, batch: Any, *rest: Any) -> Any:
        if POISON_TOKENS in batch.lengths:
            raise RuntimeError(CANARY)
        return run(graph, batch, *rest)

    rounds, failed, together, texts = place.tries(200, 20), 0, 0, 0
    draw = random.Random(15)
    with running(place.tiny, runners=1, max_batch_texts=8, max_batch_tokens=256) as server:
        alone = {tokens: embed(server, [text_of(tokens)])[0] for tokens in (19, POISON_TOKENS, 21)}
        for _ in range(rounds):
            lengths = [POISON_TOKENS, *draw.choices([one for one in alone if one != POISON_TOKENS], k=7)]
            draw.shuffle(lengths)
            hold = Hold()  # while the first batch waits, the next one gathers
            with server.faults.put(lambda run, *batch, held=hold: held(partial(picky, run), *batch)):
                first = server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300)
                hold.wait_for_a_batch()
                calls = [
                    server.embedding.Embed.future(pb.EmbedRequest(texts=[text_of(n)]), timeout=300) for n in lengths
                ]
                while server.model.engine.queued_texts < len(calls):
                    time.sleep(0.001)
                hold.gate.set()
                first.result()
                for tokens, call in zip(lengths, calls, strict=True):
                    texts += 1
                    if tokens == POISON_TOKENS:
                        failed += call.code() is not Code.INTERNAL or CANARY in call.details()
                    else:
                        good = call.code() is Code.OK
                        failed += not good or apart(array(call.result().embeddings)[0], alone[tokens]) > MOST_APART
            together += sorted(hold.runs[1]) == sorted(lengths)
    yield Outcome(
        what="a text that breaks the model, in a batch of 8: it fails alone, the others are as alone",
        tries=texts,
        failed=failed,
        figure=f"{together} batches held all 8",
        bound=f"{rounds}",
        within=together == rounds,
    )


def apart(a: Vectors, b: Vectors) -> float:
    """The largest difference of two vectors in one number."""
    return float(np.abs(a - b).max())


def exceptions(place: Place) -> Iterator[Outcome]:
    """16: exceptions, and numbers that are not finite."""

    def fail(*_: Any) -> Any:
        raise RuntimeError(CANARY)

    def not_finite(value: float) -> Callable[..., Any]:
        def spoil(run: Callable[..., Any], *batch: Any) -> Any:
            arrays = run(*batch)
            for one in arrays:
                one[..., 3] = value
            return arrays

        return spoil

    faults = (("exception", fail), ("NaN", not_finite(np.nan)), ("infinity", not_finite(np.inf)))
    with running(place.tiny) as server:
        for name, fault in faults:
            tries = place.tries(100, 10)
            failed = 0
            for _ in range(tries):
                with server.faults.put(fault):
                    call = server.embedding.Embed.future(pb.EmbedRequest(texts=[CANARY]), timeout=300)
                    said = call.details()
                    failed += (
                        call.code() is not Code.INTERNAL or not said.startswith("internal error ") or CANARY in said
                    )
                embed(server, ["the next one"])
            counted = sum(
                sample.value
                for metric in server.app._metrics.registry.collect()  # noqa: SLF001
                for sample in metric.samples
                if sample.name == "polyseme_not_finite_total"
            )
            wanted = tries * [one for one, _ in faults].index(name)
            yield Outcome(
                what=f"{name} of the session: INTERNAL with an id and no text; the next call is answered",
                tries=tries,
                failed=failed,
                figure=f"{counted:.0f} counted as not finite",
                bound=f"{wanted}",
                within=counted == wanted,
            )


def out_of_memory(place: Place) -> Iterator[Outcome]:
    """17: memory that does not suffice for a batch."""

    def small(most: int) -> Callable[..., Any]:
        def fault(run: Callable[..., Any], graph: Any, batch: Any, *rest: Any) -> Any:
            if len(batch.lengths) > most:
                bytearray(1 << 62)
            return run(graph, batch, *rest)

        return fault

    rounds = place.tries(50, 5)
    texts = [text_of(20)] * 32
    failed = 0
    with running(place.tiny, runners=1) as server:
        alone = embed(server, texts[:1])[0]
        for turn in range(rounds):
            with server.faults.put(small(1 + turn % 8)):
                failed += sum(apart(vector, alone) > MOST_APART for vector in embed(server, texts))
        refused = 0
        with server.faults.put(small(0)):
            for _ in range(rounds):
                refused += (
                    server.embedding.Embed.future(pb.EmbedRequest(texts=texts[:1]), timeout=300).code() is Code.INTERNAL
                )
        embed(server, texts)
    yield Outcome(
        what="no memory for more than 1 to 8 texts: all 32 are answered, as alone", tries=rounds * 32, failed=failed
    )
    yield Outcome(what="no memory for one text: it alone is refused", tries=rounds, failed=rounds - refused)


def lost_device(place: Place) -> Iterator[Outcome]:
    """18: a device that is lost or hangs."""
    yield place.by_tests(
        "lost device, hang, dead runner thread: exit status 70 and one line",
        *(
            f"server/engine/test_watchdog.py::test_{name}"
            for name in (
                "a_lost_device_ends_the_process_with_its_own_status",
                "a_hanging_device_ends_the_process",
                "an_exception_that_ends_a_thread_ends_the_process",
                "a_runner_thread_that_dies_ends_the_process",
                "an_error_of_one_batch_ends_nothing",
            )
        ),
    )


def mixes(place: Place) -> Iterator[Outcome]:
    """19: texts in batches, and alone."""
    draw = random.Random(19)
    tries = place.tries(1000, 20)
    texts, _ = mixed_texts(place.tries(200, 20))
    worst = 0.0
    failed = 0
    with running(place.model) as server:
        alone = np.stack([embed(server, [text])[0] for text in texts])
        for _ in range(tries):
            chosen = draw.choices(range(len(texts)), k=draw.randint(2, 12))
            off = apart(embed(server, [texts[index] for index in chosen]), alone[chosen])
            worst = max(worst, off)
            failed += off > MOST_APART
    yield Outcome(
        what="mixes of 2 to 12 texts, each as alone, in order",
        tries=tries,
        failed=failed,
        figure=f"apart by {worst:.1e} at most",
        bound=f"{MOST_APART:.0e}",
    )
