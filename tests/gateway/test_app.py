import pytest
from tests.server.running import CANARY


@pytest.mark.parametrize(("path", "method", "status"), [("/v1/nothing", "GET", 404), ("/v1/embeddings", "GET", 405)])
def test_what_no_route_takes_has_the_form_of_openai_too(gateway, path, method, status):
    answered = gateway.ask(f"{path}?{CANARY}", method=method)
    assert (answered.status, answered.error["type"]) == (status, "invalid_request_error")
    assert CANARY.encode() not in answered.body
