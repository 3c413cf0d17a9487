"""Made-up sentences with entities, and questions with their answers, from templates: data for two demonstrations.

Usage: python examples/tasks/templates.py {entities,questions} {train,test} > FILE.jsonl

Templates, names, places and companies of `test` are none of `train`'s. What is found in such sentences is a
demonstration: it says how heads are made and served, and not how good they are on texts that people wrote.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from typing import Any

COUNT = {"train": 240, "test": 80}
FIRST = {
    "train": "Anna Omar Lucy Peter Maria James Ines Thomas Priya Samuel Clara Ivan Grace Hugo Mei Daniel",
    "test": "Robert Emily Yusuf Laura David Sofia Karen Ahmed",
}
LAST = {
    "train": "Schmidt Haddad Chen Novak Lopez Carter Costa Baker Sharma Jones Weber Petrov Kim Moreau Hill",
    "test": "Klein Watson Demir Rossi Cohen Brown Nielsen Park",
}
PLACES = {
    "train": "Paris Boston Madrid Toronto Vienna Cairo Lisbon Chicago Prague Sydney Athens Denver Mumbai",
    "test": "London Berlin Seattle Rome Dublin Oslo Tokyo Miami",
}
BRANDS = {
    "train": "Norton Bluewave Granite Acme Delta Sunrise Vertex Redwood Summit Orion Kestrel Atlas Beacon",
    "test": "Harbor Falcon Pioneer Maple Zenith Quantum",
}
TRADES = {
    "train": "Industries Energy Bank Foods Robotics Media Airlines Partners Chemicals Systems",
    "test": "Insurance Motors Software Textiles Group",
}
SENTENCES = {
    "train": (
        "{PER} moved to {LOC} last spring.",
        "{ORG} opened a new office in {LOC}.",
        "{PER} has worked for {ORG} for ten years.",
        "In {LOC}, {PER} met an old friend.",
        "The director of {ORG} is {PER}.",
        "{PER} and {PER} travelled from {LOC} to {LOC} by train.",
        "Shares of {ORG} fell after the report.",
        "The mayor of {LOC} thanked {PER} for her help.",
        "{ORG} and {ORG} signed a contract.",
        "Nobody at {ORG} knew that {PER} had left {LOC}.",
        "Prices in {LOC} rose again, said {PER} of {ORG}.",
        "A letter from {PER} arrived at the factory of {ORG} near {LOC}.",
        "The report praises {ORG}, but not {PER}.",
        "It rained all day and nobody came.",
        "The meeting was moved to the following week.",
    ),
    "test": (
        "Yesterday {PER} flew back from {LOC}.",
        "{ORG} was founded by {PER}.",
        "Workers at {ORG} in {LOC} went on strike.",
        "We asked {PER} about the plans of {ORG}.",
        "The museum was closed on Monday.",
    ),
}
FACTS = {
    "train": (
        ("{PER} was born in {LOC}.", {"Where was {PER} born?": "LOC", "Who was born in {LOC}?": "PER"}),
        ("{PER} works for {ORG}.", {"Who does {PER} work for?": "ORG", "Who works for {ORG}?": "PER"}),
        ("{PER} lives in {LOC} today.", {"Where does {PER} live?": "LOC", "Who lives in {LOC}?": "PER"}),
        ("{PER} sold a car to {ORG}.", {"Who bought a car from {PER}?": "ORG", "Who sold a car to {ORG}?": "PER"}),
    ),
    "test": (
        ("{PER} grew up in {LOC}.", {"In which city did {PER} grow up?": "LOC", "Who grew up in {LOC}?": "PER"}),
        ("{PER} is employed by {ORG}.", {"Which company employs {PER}?": "ORG", "Who is employed by {ORG}?": "PER"}),
    ),
}  # fmt: skip
_SLOT = re.compile(r"\{(\w+)\}")


def entities(part: str) -> list[dict[str, Any]]:
    """Texts with their spans, as `polyseme fit --entities` reads them."""
    draw = random.Random(part)  # noqa: S311  no secret
    made: dict[str, dict[str, Any]] = {}
    while len(made) < COUNT[part]:
        row = _filled(draw.choice(SENTENCES[part]), _names(draw, part))
        made[row["text"]] = row
    return list(made.values())


def questions(part: str) -> list[dict[str, Any]]:
    """Contexts of four facts about two people, with a question and its answer."""
    draw, made = random.Random(part), []  # noqa: S311  no secret
    for _ in range(3 * COUNT[part]):
        names = _names(draw, part)
        people = [names["PER"].pop() for _ in range(2)]
        facts = []
        for sentence, asked in draw.sample(FACTS[part], 2):
            for person in people:
                own = {kind: names[kind].pop() for kind in ("LOC", "ORG") if f"{{{kind}}}" in sentence}
                filled = {"PER": person, **own}
                facts.append((sentence.format(**filled), asked, filled))
        draw.shuffle(facts)
        context = " ".join(sentence for sentence, *_ in facts)
        sentence, asked, filled = draw.choice(facts)
        question, kind = draw.choice(list(asked.items()))
        start = context.index(sentence) + sentence.index(filled[kind])
        made.append({"question": question.format(**filled), "context": context, "answer": filled[kind], "start": start})
    return made


def _names(draw: random.Random, part: str) -> dict[str, list[str]]:
    """Some names of a part by kind; none is twice among them."""
    first, last, brands, trades = (draw.sample(names[part].split(), 5) for names in (FIRST, LAST, BRANDS, TRADES))
    people, companies = (
        [" ".join(pair) for pair in zip(*each, strict=True)] for each in ((first, last), (brands, trades))
    )
    return {"PER": people, "LOC": draw.sample(PLACES[part].split(), 6), "ORG": companies}


def _filled(template: str, names: dict[str, list[str]]) -> dict[str, Any]:
    text, spans, at = "", [], 0
    for match in _SLOT.finditer(template):
        text += template[at : match.start()]
        name, at = names[match[1]].pop(), match.end()
        spans.append({"start": len(text), "end": len(text) + len(name), "label": match[1]})
        text += name
    return {"text": text + template[at:], "entities": spans}


def main() -> None:
    """Print rows of JSON."""
    parser = argparse.ArgumentParser(description="Write made-up data from templates.")
    parser.add_argument("kind", choices=["entities", "questions"])
    parser.add_argument("part", choices=["train", "test"])
    arguments = parser.parse_args()
    for row in (entities if arguments.kind == "entities" else questions)(arguments.part):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
