import pytest

from polyseme.artifact import Pooling, Precision
from polyseme.server.errors import InvalidInputError
from polyseme.server.wire.v1 import enums
from polyseme.v1 import common_pb2, embedding_service_pb2, tensor_pb2

TABLES = {
    "TRUNCATE": common_pb2.Truncate,
    "PRIORITY": common_pb2.Priority,
    "WIRE_TYPE": tensor_pb2.DataType,
    "OFFSET_UNIT": common_pb2.OffsetUnit,
    "METRIC": embedding_service_pb2.Metric,
    "MODE": embedding_service_pb2.SimilarityMode,
    "COMBINE": common_pb2.Combine,
    "SUBTOKENS": common_pb2.SubtokenPooling,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_number_of_the_contract_has_something_behind_it(table):
    assert set(getattr(enums, table)) == set(TABLES[table].values())


def test_every_pooling_and_precision_can_be_told():
    assert set(enums.POOLING) == set(Pooling)
    assert set(enums.PRECISION) == set(Precision)


def test_known_refuses_other_numbers():
    with pytest.raises(InvalidInputError, match=r"^dtype: got 99, which the contract does not have$"):
        enums.known(enums.WIRE_TYPE, 99, ("dtype",))
