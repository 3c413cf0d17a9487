"""What a server sends beside an error's message, built with Google's own generated code."""

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

Trailers = tuple[tuple[str, bytes], ...]


def status_details(*details: object) -> Trailers:
    """google.rpc.Status with these details."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=3, message="why", details=packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def bad_request(*fields: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(field_violations=[violation(field=it, description="why") for it in fields])


def retry_info(seconds: int, nanos: int = 0) -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds, nanos=nanos))
