import pytest

from polyseme.client import InvalidArgumentError, options
from polyseme.client._convert.enums import enum_name, enum_value
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

LITERALS = [
    (options.Combine, common_pb2.Combine, "COMBINE_"),
    (options.Dtype, tensor_pb2.DataType, "DATA_TYPE_"),
    (options.Metric, service_pb2.Metric, "METRIC_"),
    (options.OffsetUnit, common_pb2.OffsetUnit, "OFFSET_UNIT_"),
    (options.Priority, common_pb2.Priority, "PRIORITY_"),
    (options.Subtokens, common_pb2.SubtokenPooling, "SUBTOKEN_POOLING_"),
    (options.Truncate, common_pb2.Truncate, "TRUNCATE_"),
]


@pytest.mark.parametrize(("literal", "enum", "prefix"), LITERALS, ids=[prefix for _, _, prefix in LITERALS])
def test_enum_value_takes_exactly_what_the_types_allow(literal, enum, prefix):
    names = [name for name in literal.__args__ if (literal, name) != (options.Metric, "model")]  # asked of the catalog
    values = [enum_value(enum, prefix, "option", name) for name in names]
    assert sorted(values) == [value for value in sorted(enum.values()) if value]
    assert [enum_name(enum, prefix, value) for value in values] == names


@pytest.mark.parametrize("name", ["unspecified", "END", "", None, 1])
def test_enum_value_refuses(name):
    with pytest.raises(InvalidArgumentError, match=r"^truncate is .*; valid: none, end, start$"):
        enum_value(common_pb2.Truncate, "TRUNCATE_", "truncate", name)


def test_enum_name_of_a_value_from_the_future_is_its_number():
    assert enum_name(common_pb2.Truncate, "TRUNCATE_", 99) == "99"
