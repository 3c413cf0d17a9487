"""The data of examples/probe.py keep their promise, and its head learns."""

import csv
from collections import Counter
from itertools import product

import numpy as np
from examples.probe import DATA, read, trained


def test_no_sentence_and_no_address_is_on_both_sides():
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    train, test = ([row for row in rows if row["part"] == part] for part in ("train", "test"))
    assert {(row["president"], row["year"]) for row in train}.isdisjoint((r["president"], r["year"]) for r in test)
    assert len({row["sentence"] for row in rows}) == len(rows) == 1024


def test_the_classes_are_of_equal_size():
    for part, size in (("train", 160), ("test", 96)):
        read_part = read(part)
        assert Counter(read_part.labels.tolist()) == dict.fromkeys(range(4), size)
        assert len(read_part.sentences) == 4 * size


def test_a_head_finds_what_is_linear():
    corners = np.array(list(product((-1.0, 1.0), repeat=2)))
    labels = np.arange(4)
    near = corners + np.random.default_rng(5).normal(scale=0.1, size=corners.shape)
    np.testing.assert_array_equal(trained(corners, labels).classes(near), labels)


def test_a_head_does_not_depend_on_the_length_of_the_vectors():
    x = np.random.default_rng(6).normal(size=(40, 8))
    labels = np.arange(40) % 4
    np.testing.assert_array_equal(trained(x, labels).classes(x), trained(1000 * x, labels).classes(1000 * x))
