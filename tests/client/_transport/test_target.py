import pytest

from polyseme.client import Client, InvalidArgumentError
from polyseme.client._transport.target import check_target


@pytest.mark.parametrize(
    "target",
    [
        "localhost:50051", "127.0.0.1:1", "[::1]:50051", "my-host.example:65535", "dns:///host:50051", "dns:host",
        "dns://8.8.8.8/host:1", "ipv4:1.2.3.4:1,1.2.3.5:1", "ipv6:[::1]:1", "unix:/tmp/socket", "unix:///tmp/socket",
        "unix-abstract:name", "xds:///service",
    ],
)  # fmt: skip
def test_check_target_takes_what_grpc_knows(target):
    check_target(target)


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("http://host:50051", "gRPC takes no URL"),
        ("https://host", "gRPC takes no URL"),
        ("grpc://host:50051", "gRPC takes no URL"),
        ("host", "the port is missing"),
        ("::1", "write host:port"),
        ("host:0", "with a port of 1 to 65535"),
        ("host:65536", "with a port of 1 to 65535"),
        ("host:port", "with a port of 1 to 65535"),
        ("host:50051/", "write host:port"),
        ("host :50051", "write host:port"),
        ("", "write host:port"),
        (None, "write host:port"),
        (b"host:1", "write host:port"),
    ],
)
def test_check_target_says_what_to_write(target, hint):
    with pytest.raises(InvalidArgumentError, match=hint):
        Client(target)


def test_check_target_keeps_a_password_to_itself():
    with pytest.raises(InvalidArgumentError) as caught:
        check_target("http://me:s3cret@host:50051")
    assert "s3cret" not in str(caught.value)
