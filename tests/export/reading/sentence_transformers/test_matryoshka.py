import json

import pytest

from polyseme.export import CheckpointError
from polyseme.export.reading.sentence_transformers.matryoshka import read_matryoshka_dims, read_truncate_dim

OWN = "config_sentence_transformers.json"


def write(tmp_path, name, **values):
    (tmp_path / name).write_text(json.dumps(values))


def test_no_file_names_any(tmp_path):
    assert read_matryoshka_dims(tmp_path, 384) == ()
    assert read_truncate_dim(tmp_path) is None


def test_all_files_are_read_and_the_lengths_sorted(tmp_path):
    write(tmp_path, OWN, matryoshka_dims=[256, 64], truncate_dim=128)
    write(tmp_path, "config.json", matryoshka_dimensions=64)
    assert read_matryoshka_dims(tmp_path, 384) == (64, 128, 256)
    assert read_truncate_dim(tmp_path) == 128


def test_a_cut_that_is_longer_than_the_vectors_cuts_nothing(tmp_path):
    write(tmp_path, OWN, truncate_dim=1024)
    assert read_matryoshka_dims(tmp_path, 384) == ()


@pytest.mark.parametrize("said", [0, 385, "64", True, [64, -1], list(range(1, 66))])
def test_what_is_no_length_is_refused(tmp_path, said):
    write(tmp_path, OWN, matryoshka_dims=said)
    with pytest.raises(CheckpointError, match=f"^{OWN} matryoshka_dims: "):
        read_matryoshka_dims(tmp_path, 384)
