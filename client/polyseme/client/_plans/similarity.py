"""Compare two lists of texts, or of parts of texts, in one call; refuse what no call can hold, with advice. No I/O."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.client._arguments.integers import as_int
from polyseme.client._arguments.operands import as_operands, mention
from polyseme.client._convert.indices import rename_texts
from polyseme.client._convert.replies import similarity_scores, top_k_indices
from polyseme.client._convert.requests import MODEL_METRIC, metric_value, similarity_request
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.features import neglected, require_features
from polyseme.client._plans.texts.sending import TEXT_INFO_BYTES, check_text_bytes, message_bytes
from polyseme.client._plans.texts.split import is_small
from polyseme.client._transport.rpc import SIMILARITY, Plan, ask
from polyseme.client.errors import InvalidArgumentError, ModelChangedError, PolysemeError
from polyseme.client.models import Limits, Model
from polyseme.client.options import SimilarityOptions
from polyseme.client.results import TopK
from polyseme.client.words import Operands, WordInText
from polyseme.v1 import embedding_service_pb2 as service_pb2

_ADVICE: Final = "embed() the texts and compare the vectors with numpy instead"


class Comparison:
    """The operands and options of one call, checked.

    Attributes:
        rows: number of operands of a, N.
        columns: number of operands of b, M; of a where a is compared with itself.
        single_a: whether a is a single `str` or Mention.
        single_b: whether b is.
        a_bytes: bytes of UTF-8 of each text of a.
        b_bytes: the same of b.
        model: the model's name; "": the default one.
        timeout: seconds; None: without end.
        by_model: whether they are compared as the model's authors mean it.
    """

    def __init__(self, defaults: Defaults, a: Operands, b: Operands | None, options: SimilarityOptions) -> None:
        self._a, self.single_a = as_operands(a, "a")
        self._b, self.single_b = ([], self.single_a) if b is None else as_operands(b, "b")
        self.a_bytes, self.b_bytes = ([len(one.text.encode()) for one in side] for side in (self._a, self._b))
        self.model, self.timeout, self._options = defaults.model_name(options), defaults.timeout(options), options
        self.by_model = options.get("metric") == MODEL_METRIC
        self.rows, self.columns = len(self._a), len(self._b) or len(self._a)

    def request(self, mode: service_pb2.SimilarityMode.ValueType, top_k: int) -> service_pb2.SimilarityRequest:
        """Build the call."""
        message = similarity_request(self._options, model=self.model, mode=mode, top_k=top_k)
        message.a.extend(self._a)
        message.b.extend(self._b)
        return message

    def name(self, index: int) -> str:
        """Name operand `index` of an error whose indices run through a, then b."""
        return f"a[{index}]" if index < self.rows else f"b[{index - self.rows}]"

    def drop_single_axes(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Drop the axis of a single `str` or Mention: [N, M] becomes [N], [M] or []."""
        rows = () if self.single_a else (self.rows,)
        columns = () if self.single_b else (self.columns,)
        return scores.reshape((*rows, *columns))


def compare(
    comparison: Comparison, mode: service_pb2.SimilarityMode.ValueType, defaults: Defaults, *, top_k: int = 0
) -> Plan[service_pb2.SimilarityResponse]:
    """Make the call; ask the server first for what the call needs to know.

    Raises:
        InvalidArgumentError: it is over a limit: got, limit, advice.
        UnimplementedError: the server is older than an option that is set.
        ModelChangedError: the model that answered is not compared as the one before it.
    """
    request = comparison.request(mode, top_k)
    yield from require_features(defaults, request, comparison.model, comparison.timeout)
    if not comparison.by_model:
        return (yield from _send(comparison, request, defaults.catalog))
    return (yield from _compare_by_model(comparison, request, defaults))


def _compare_by_model(
    comparison: Comparison, request: service_pb2.SimilarityRequest, defaults: Defaults
) -> Plan[service_pb2.SimilarityResponse]:
    """Make the call with the model's metric; again where the model was replaced since it was described."""
    name, catalog, timeout = comparison.model, defaults.catalog, comparison.timeout
    model = catalog.known(name) or (yield from catalog.get(name, timeout))
    for _ in range(2):
        request.metric = _metric_of(model, defaults.target)
        reply = yield from _send(comparison, request, catalog)
        before = model
        if reply.model.version == before.identity.version:
            return reply
        model = yield from catalog.get(name, timeout)
        if model.similarity == before.similarity:
            return reply
    raise ModelChangedError(f"the model {model.name} was replaced by one of another metric; call again")


def _metric_of(model: Model, target: str) -> service_pb2.Metric.ValueType:
    if model.similarity is None:
        raise neglected(target, "Model.similarity")
    return metric_value(model.similarity)


def _send(
    comparison: Comparison, message: service_pb2.SimilarityRequest, catalog: Catalog
) -> Plan[service_pb2.SimilarityResponse]:
    """Make the call; check a comparison that is not small against the server's limits first."""
    request = message.SerializeToString()
    model = catalog.known(comparison.model)
    if model is None and not is_small(comparison.a_bytes + comparison.b_bytes):
        model = yield from catalog.get(comparison.model, comparison.timeout)
    if model is not None:
        columns = {
            service_pb2.SIMILARITY_MODE_MATRIX: comparison.columns,
            service_pb2.SIMILARITY_MODE_TOP_K: message.top_k,
        }
        _check(comparison, len(request), comparison.rows * columns.get(message.mode, 1), model.limits)
    try:
        return (yield from ask(SIMILARITY, request, service_pb2.SimilarityResponse, comparison.timeout))
    except PolysemeError as error:
        raise rename_texts(error, comparison.name)  # noqa: B904  the same error, its words changed


def _check(comparison: Comparison, request_bytes: int, scores: int, limits: Limits) -> None:
    check_text_bytes(comparison.a_bytes, limits, "a")
    check_text_bytes(comparison.b_bytes, limits, "b")
    operands = len(comparison.a_bytes) + len(comparison.b_bytes)
    if limits.max_texts and operands > limits.max_texts:
        raise InvalidArgumentError(f"a and b have {operands} texts; limit {limits.max_texts} (max_texts): {_ADVICE}")
    reply_bytes = scores * 10 + operands * TEXT_INFO_BYTES
    largest, limit = max(request_bytes, reply_bytes), message_bytes(limits)
    if largest > limit:
        raise InvalidArgumentError(
            f"comparing a and b needs a message of {largest} bytes; limit {limit} (max_message_bytes): {_ADVICE}"
        )


def plan_similarity(
    defaults: Defaults, a: Operands, b: Operands | None, options: SimilarityOptions
) -> Plan[npt.NDArray[np.float32]]:
    """Plan `Client.similarity`."""
    comparison = Comparison(defaults, a, b, options)
    reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_MATRIX, defaults)
    return comparison.drop_single_axes(similarity_scores(reply, (comparison.rows, comparison.columns)))


def plan_similarity_pairwise(
    defaults: Defaults, a: Operands, b: Operands, options: SimilarityOptions
) -> Plan[npt.NDArray[np.float32]]:
    """Plan `Client.similarity_pairwise`."""
    comparison = Comparison(defaults, a, b, options)
    if comparison.rows != comparison.columns:
        raise InvalidArgumentError(
            f"a has {comparison.rows} texts and b has {comparison.columns}; pairs need as many of each"
        )
    reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_PAIRWISE, defaults)
    scores = similarity_scores(reply, (comparison.rows,))
    return scores.reshape(()) if comparison.single_a and comparison.single_b else scores


def plan_top_k(
    defaults: Defaults, queries: Operands, texts: Operands, k: int, options: SimilarityOptions
) -> Plan[TopK]:
    """Plan `Client.top_k`."""
    comparison = Comparison(defaults, queries, texts, options)
    k = _checked_k(k, comparison.columns)
    reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_TOP_K, defaults, top_k=k)
    shape = (comparison.rows, k)
    scores, indices = similarity_scores(reply, shape), top_k_indices(reply, shape, comparison.columns)
    return TopK(scores[0].copy(), indices[0].copy()) if comparison.single_a else TopK(scores, indices)


def plan_word_similarity(defaults: Defaults, a: WordInText, b: WordInText, options: SimilarityOptions) -> Plan[float]:
    """Plan `Client.word_similarity`."""
    comparison = Comparison(defaults, mention(a, "a"), mention(b, "b"), options)
    reply = yield from compare(comparison, service_pb2.SIMILARITY_MODE_PAIRWISE, defaults)
    return float(similarity_scores(reply, (1,))[0])


def _checked_k(k: object, most: int) -> int:
    number = as_int(k)
    if number is None or not 1 <= number <= most:
        raise InvalidArgumentError(f"k is {k!r}; 1 to {most}, the number of texts, are valid", field="k")
    return number
