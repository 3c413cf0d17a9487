from types import SimpleNamespace

import numpy as np
import pytest

from polyseme.export.fitting.pictures import draw_confusion


@pytest.mark.parametrize(("count", "named"), [(3, True), (60, False)])
def test_many_classes_are_drawn_without_their_names(tmp_path, count, named):
    classes = tuple(f"class $_{number}$ {'x' * 40}" for number in range(count))
    fitted = SimpleNamespace(confusion=np.eye(count, dtype=np.int64), classes=classes)
    draw_confusion(fitted, tmp_path / "picture.svg")
    picture = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert ("class $_0$ xxxxxxxxxxxx…" in picture) == named
