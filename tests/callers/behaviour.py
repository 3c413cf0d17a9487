"""What every program does, in whatever language: imported by the test of each."""

import pytest
from tests.callers.programs import (
    compare,
    compare_answers,
    compare_classes,
    compare_entities,
    compare_ranking,
    refusing,
)

from polyseme.server.errors import InvalidInputError, NotReadyError, QueueFullError


class Behaviour:
    """Tests of a fixture `program`; `unit` counts a text as the language does."""

    @pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
    def test_vectors_are_those_of_the_sdk_bit_for_bit(self, program, server, dtype):
        compare(program, server, self.unit, dtype)

    def test_prints_shapes_and_words(self, program, server):
        done = program.run("--target", server.target)
        assert done.returncode == 0, done.stderr
        assert "[384]" in done.stdout
        assert "bank at 14 to 18" in done.stdout

    def test_prints_its_usage(self, program):
        done = program.run("--help")
        assert done.returncode == 0, done.stderr
        assert "-target" in done.stdout + done.stderr

    @pytest.mark.parametrize(
        "error", [NotReadyError("starting"), QueueFullError("the queue is full", retry_after_s=0.02)]
    )
    def test_tries_again_where_that_helps(self, program, server, error):
        with refusing(server, error, error) as left:
            assert program.run("--target", server.target).returncode == 0
        assert not left

    def test_does_not_try_again_where_it_does_not(self, program, server):
        error = InvalidInputError("texts[3] has 913 tokens; limit 512 (truncate=none)")
        with refusing(server, error, error) as left:
            done = program.run("--target", server.target)
        assert done.returncode == 1
        assert str(error) in done.stderr
        assert len(left) == 1


class Predictions:
    """Tests of a fixture `program` that asks heads too."""

    def test_entities_are_those_of_the_sdk_at_the_offsets_of_its_own_strings(self, program, tagger):
        compare_entities(program, tagger, self.unit)

    def test_answers_are_those_of_the_sdk_at_the_offsets_of_its_own_strings(self, program, answerer):
        compare_answers(program, answerer, self.unit)

    def test_classes_are_those_of_the_sdk(self, program, classifier):
        compare_classes(program, classifier)

    def test_order_is_that_of_the_sdk(self, program, ranker):
        compare_ranking(program, ranker)

    @pytest.mark.parametrize(
        ("kind", "head", "line"),
        [
            ("entities", "tagger", "text 4: "),
            ("answers", "answerer", " at "),
            ("classes", "classifier", "text 4: "),
            ("ranking", "ranker", "place 1: text "),
        ],
    )
    def test_prints_predictions(self, request, program, kind, head, line):
        server = request.getfixturevalue(head)
        done = program.run("--target", server.target, f"--{kind}", server.model.manifest.name)
        assert done.returncode == 0, done.stderr
        assert line in done.stdout

    @pytest.mark.parametrize("kind", ["entities", "answers", "classes", "ranking"])
    def test_says_where_a_model_has_no_such_head(self, program, server, kind):
        done = program.run("--target", server.target, f"--{kind}", server.model.manifest.name)
        assert done.returncode == 1
        assert "FailedPrecondition" in done.stderr or "FAILED_PRECONDITION" in done.stderr
