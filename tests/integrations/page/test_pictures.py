"""Pictures of the page for docs/images. `make test-page` with POLYSEME_SCREENSHOTS=FOLDER keeps them.

POLYSEME_ENTITIES=ARTIFACT is of a model with a head that finds entities, as docs/tasks.md fits one.
"""

import os
from pathlib import Path

import pytest
from tests.gateway.running import gateway_to
from tests.integrations.page.browsing import DESKTOP, PHONE, compare, drag, word
from tests.server.running import running

pytestmark = pytest.mark.page

SETTINGS = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
}
NAMES = ("Yesterday Emily Rossi flew back from Dublin.", "Workers at Falcon Motors in Oslo went on strike.",
         "The museum was closed on Monday.")  # fmt: skip


@pytest.fixture(scope="module")
def one_model(minilm_artifact):
    with running(minilm_artifact, runners=1) as server, gateway_to(server.target) as it:
        yield it


@pytest.mark.parametrize("name", SETTINGS)
def test_words(open_page, one_model, picture, name):
    page = open_page(one_model, **SETTINGS[name])
    picture(page, name)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_span(open_page, one_model, picture):
    page = open_page(one_model)
    drag(page, word(page, "bank"), word(page, "river"))
    page.wait_for_selector("#chosen:has-text('To whole sentences')")
    page.locator("h1").hover()
    picture(page, "span")


def test_entities(open_page, picture):
    artifact = os.environ.get("POLYSEME_ENTITIES")
    if not artifact:
        pytest.skip("POLYSEME_ENTITIES is not set")
    with running(Path(artifact), runners=1) as server, gateway_to(server.target) as gateway:
        page = open_page(gateway)
        compare(page, *NAMES)
        page.wait_for_selector("#found li:nth-child(3)")
        picture(page, "entities")
