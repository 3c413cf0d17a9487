import asyncio

import pytest

from polyseme.server.inference.validation import Limits
from polyseme.server.wire.messages.intake import Intake
from polyseme.server.wire.v1.bounds import bounds
from polyseme.v1 import embedding_service_pb2, model_service_pb2, prediction_service_pb2

LIMITS = Limits(max_texts=64, max_text_bytes=4096, max_spans=16, max_reply_bytes=1 << 20)
METHODS = [
    *embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].methods,
    *model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].methods,
    *prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].methods,
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_list_of_a_request_is_bounded(method):
    assert Intake(method.input_type, bounds(LIMITS), asyncio.Lock())
