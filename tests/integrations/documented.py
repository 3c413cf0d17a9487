"""The examples of docs/integrations.md, and what the page says they print."""

from docs.blocks import ROOT, blocks


def example(library):
    """The block that imports a library, and the output below it."""
    found = blocks(ROOT / "docs/integrations.md")
    place = next(i for i, block in enumerate(found) if block.language == "python" and library in block.text)
    return found[place].text, found[place + 1].text
