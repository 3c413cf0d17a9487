"""The picture of `polyseme senses`: heat-maps layer by layer, a map of the occurrences, the sentences."""

from polyseme.cli.senses.picture.document import draw

__all__ = ["draw"]
