import os
import shutil
from pathlib import Path

import pytest
from tests.gateway.page.taggers import export_tagger
from tests.gateway.running import gateway_to
from tests.integrations.page.browsing import Opened
from tests.server.running import running


@pytest.fixture(scope="package")
def server(minilm_artifact, tmp_path_factory):
    """A real server of all-MiniLM-L6-v2, and of a tiny model that finds entities."""
    with running(minilm_artifact, export_tagger(tmp_path_factory.mktemp("tagger")), runners=1) as it:
        yield it


@pytest.fixture(scope="package")
def gateway(server):
    with gateway_to(server.target) as it:
        yield it


@pytest.fixture(scope="module")  # a driver that is not ended lets no other begin
def browser():
    """Debian's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="make test-page brings it")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs Debian's chromium")
    with playwright.sync_playwright() as driver:
        it = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield it
        it.close()


@pytest.fixture
def open_page(browser, gateway):
    """Opens the page; in the end no script has failed, no policy was broken, and nothing came from elsewhere."""
    pages = []

    def open_(at=gateway, *, until="#result:not([hidden])", meant=(), **settings):
        pages.append(Opened(browser, at.url, meant, settings))
        pages[-1].page.goto(f"{at.url}/")
        pages[-1].page.wait_for_selector(until)
        return pages[-1].page

    yield open_
    for page in pages:
        page.close()
    assert [page.wrong for page in pages] == [[]] * len(pages)


@pytest.fixture
def picture():
    """Keeps a picture of a page in the folder POLYSEME_SCREENSHOTS, where it is set."""
    folder = os.environ.get("POLYSEME_SCREENSHOTS")

    def keep(page, name):
        if folder:
            page.screenshot(path=str(Path(folder) / f"page-{name}.png"), full_page=True, animations="disabled")

    return keep
