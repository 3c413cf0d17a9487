"""Promises about the contract that a linter does not hold."""

from google.protobuf.descriptor import FieldDescriptor

from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, prediction_service_pb2, tensor_pb2

FILES = (common_pb2, embedding_service_pb2, model_service_pb2, prediction_service_pb2, tensor_pb2)


def fields():
    for file in FILES:
        for message in file.DESCRIPTOR.message_types_by_name.values():
            yield from message.fields


def test_no_repeated_float():
    floats = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
    assert [field.full_name for field in fields() if field.cpp_type in floats] == []


def test_services_have_every_method():
    services = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
    assert {service.name: [method.name for method in service.methods] for service in services} == {
        "EmbeddingService": ["Embed", "EmbedTokens", "EmbedSpans", "Similarity", "StreamEmbed", "Tokenize"],
        "ModelService": ["ListModels", "GetModel"],
        "PredictionService": ["Classify", "TagTokens", "Answer", "Rerank"],
    }


def test_fields_whose_unset_differs_from_zero_are_optional():
    for field in (
        embedding_service_pb2.EmbedRequest.DESCRIPTOR.fields_by_name["normalize"],
        embedding_service_pb2.EmbedRequest.DESCRIPTOR.fields_by_name["dimensions"],
        common_pb2.TextOptions.DESCRIPTOR.fields_by_name["add_special_tokens"],
    ):
        assert field.has_presence
