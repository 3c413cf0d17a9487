"""What holds of every request, whatever is asked: limits, deadlines, callers that leave, servers that are not there."""

import json
import logging
import threading

from tests.gateway.running import gateway_to, until
from tests.server.running import CANARY, running

HEAD = (
    b"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
BODY = json.dumps({"input": CANARY}).encode()
QUIET_S = 1.0


def in_background(call):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()

    def answer():
        thread.join(300)
        return answers[0]

    return answer


def ended(server, code):
    """How many calls of the server have ended so."""
    return server.metric("polyseme_calls_total", method="Embed", code=code, model="tiny")


def test_a_server_that_is_full_is_429_with_the_time_that_it_names(tiny_artifact):
    with running(tiny_artifact, max_queue_tokens=1, runners=1) as server, gateway_to(server.target) as gateway:
        with server.faults.held() as held:
            first = in_background(lambda: gateway.embed(CANARY))
            held.wait_for_a_batch()
            second = in_background(lambda: gateway.embed(CANARY))
            until(lambda: server.model.engine.queued_texts)
            refused = gateway.embed(CANARY)
        assert (first().status, second().status) == (200, 200)
    assert (refused.status, refused.error["type"], refused.error["code"]) == (
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
    )
    assert int(refused.headers["retry-after"]) >= 1
    assert int(refused.headers["retry-after-ms"]) > 0
    assert CANARY.encode() not in refused.body


def test_no_answer_in_time_is_504(tiny_artifact):
    with running(tiny_artifact, runners=1) as server, gateway_to(server.target, timeout_s=QUIET_S) as gateway:
        with server.faults.held():
            late = gateway.embed(CANARY)
        assert (late.status, late.error["type"], late.error["code"]) == (504, "server_error", "timeout")
        assert CANARY.encode() not in late.body
        assert gateway.embed("a").status == 200


def test_nobody_behind_the_gateway_is_503_with_a_time_to_try_again(nobody, caplog):
    with gateway_to(nobody) as gateway:
        answered = gateway.embed(CANARY)
    assert (answered.status, answered.headers["retry-after"]) == (503, "1")
    assert answered.error["message"] == "no server is ready to answer; try again"
    assert [record.levelno for record in caplog.records if record.name == "polyseme.gateway.requests"] == [
        logging.WARNING
    ]
    assert nobody in caplog.text
    assert CANARY not in caplog.text


def test_a_caller_that_leaves_cancels_its_call(server, gateway):
    before = ended(server, "CANCELLED")
    with server.faults.held() as held:
        with gateway.raw() as caller:
            caller.sendall(HEAD % len(BODY) + BODY)
            held.wait_for_a_batch()
        until(lambda: ended(server, "CANCELLED") > before)
    assert gateway.embed("a").status == 200


def test_a_caller_that_leaves_within_its_body_is_no_fault(gateway, caplog):
    with gateway.raw() as caller:
        caller.sendall(HEAD % len(BODY) + BODY[:-1])
    assert gateway.embed("a").status == 200
    assert caplog.text == ""


def test_a_body_that_does_not_come_is_408(server):
    with gateway_to(server.target, timeout_s=QUIET_S) as gateway, gateway.raw() as caller:
        caller.sendall(HEAD % len(BODY) + BODY[:-1])
        answered = caller.makefile("rb").read()
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 1 s" in answered
    assert CANARY.encode() not in answered


def test_more_requests_than_the_gateway_takes_are_429(server):
    with gateway_to(server.target, max_requests=1) as gateway:
        with server.faults.held() as held:
            first = in_background(lambda: gateway.embed("a"))
            held.wait_for_a_batch()
            refused = gateway.embed("a")
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert refused.error["message"] == "1 requests are under way; limit 1 (--max-requests)"
            assert gateway.ask("/healthz").status == 200
        assert first().status == 200
        assert gateway.embed("a").status == 200


def test_a_fault_of_the_engine_is_500_with_an_id_and_no_text(server, gateway, caplog):
    def fail(run, *batch):
        raise ValueError(CANARY)

    with server.faults.put(fail):
        answered = gateway.embed(CANARY)
    assert (answered.status, answered.error["type"]) == (500, "server_error")
    assert CANARY.encode() not in answered.body
    assert b"Traceback" not in answered.body
    ours = [record for record in caplog.records if record.name.startswith("polyseme.gateway")]
    assert len(ours) == 1
    assert answered.headers["x-request-id"] in ours[0].getMessage()
    assert CANARY not in ours[0].getMessage()


def test_a_fault_of_the_gateway_is_500_and_its_place_is_in_the_log(gateway, caplog, monkeypatch):
    def fail(*_):
        raise ValueError(CANARY)

    monkeypatch.setattr("polyseme.gateway.openai.endpoints.embeddings_request", fail)
    answered = gateway.embed(CANARY)
    identity = answered.headers["x-request-id"]
    assert (answered.status, answered.error["message"]) == (500, f"the gateway failed; its log has {identity}")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"request {identity}: ValueError in fail, line ")
    assert CANARY not in line


def test_requests_of_one_connection_are_answered_one_after_the_other(gateway):
    with gateway.raw() as caller:
        caller.sendall((HEAD % len(BODY) + BODY) * 3)
        answered = b""
        while answered.count(b'"total_tokens"') < 3:
            answered += caller.recv(1 << 16)
    assert answered.count(b"HTTP/1.1 200 OK") == 3
