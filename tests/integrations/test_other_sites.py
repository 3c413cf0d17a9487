"""Web pages of other sites, in Debian's Chromium, beside a gateway on their reader's machine: `make test-page`."""

import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.gateway.running import gateway_to
from tests.server.running import running

playwright = pytest.importorskip("playwright.sync_api", reason="make test-page brings it")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.page, pytest.mark.skipif(not CHROMIUM, reason="needs Debian's chromium")]

SITE = "other.example"
FLAGS = [
    f"--host-resolver-rules=MAP {SITE} 127.0.0.1",  # the site points its name at this machine
    "--disable-features=LocalNetworkAccessChecks",  # a check of Chromium's own, which other browsers lack
    "--no-proxy-server",
    "--no-sandbox",
]
FETCH = """
async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return [answer.status, (await answer.text()).includes('"data"')];
  } catch (error) {
    return error.name;
  }
}
"""
BODY = '{"input": "a"}'
ASKS = {
    "read": ("/v1/models", {}),
    "read blindly": ("/v1/models", {"mode": "no-cors"}),
    "embed": ("/v1/embeddings", {"method": "POST", "body": BODY, "headers": {"content-type": "application/json"}}),
    "embed as text": ("/v1/embeddings", {"method": "POST", "body": BODY}),
}


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, runners=1) as it:
        yield it


@pytest.fixture(scope="module")
def gateway(server):
    with gateway_to(server.target) as it:
        yield it


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        it = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield it
        it.close()


@pytest.fixture
def ask(browser, gateway, server):
    """Has a page ask; gives what its script was told, and how many calls the server answered for it."""

    def embedded():
        return server.metric("polyseme_calls_total", method="Embed", code="OK", model="tiny")

    def ask(page_url, url, options):
        before = embedded()
        page = browser.new_page()
        page.goto(page_url)
        told = page.evaluate(FETCH, [url, options])
        page.close()
        return told, embedded() - before

    return ask


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def other_site():
    """The URL of a page of the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as it:
        threading.Thread(target=it.serve_forever).start()
        yield f"http://{SITE}:{it.server_port}/"
        it.shutdown()


def test_a_page_of_the_gateway_may_ask(ask, gateway):
    """What is refused below is answered here: it is refused for who asks alone."""
    assert ask(f"{gateway.url}/openapi.json", *ASKS["read"]) == ([200, True], 0)
    assert ask(f"{gateway.url}/openapi.json", *ASKS["embed"]) == ([200, True], 1)


@pytest.mark.parametrize("what", ASKS)
def test_a_site_that_points_its_name_at_the_gateway_gets_nothing(ask, gateway, what):
    assert ask(f"http://{SITE}:{gateway.port}/openapi.json", *ASKS[what]) == ([421, False], 0)


@pytest.mark.parametrize("what", ASKS)
def test_a_page_of_another_site_reads_nothing_and_has_nothing_embedded(ask, gateway, what):
    path, options = ASKS[what]
    with other_site() as page:
        assert ask(page, f"{gateway.url}{path}", options) == ("TypeError", 0)
