from itertools import repeat

import pytest

from polyseme.server.scheduling.forecast import Forecast


def after_batches(*batches):
    forecast = Forecast()
    for tokens, run_s in batches:
        forecast.note_batch(tokens, run_s)
    return forecast


def test_nothing_is_foreseen_before_a_batch():
    assert Forecast().seconds(1000) == 0
    assert Forecast().token_s == 0


def test_tokens_take_as_long_as_in_recent_batches_and_the_last_of_them_a_batch():
    forecast = after_batches(*repeat((100, 1.0), 3))
    assert forecast.seconds(1000) == pytest.approx(10 + 1)


def test_a_pause_of_the_process_is_no_lack_of_speed():
    forecast = after_batches(*repeat((100, 1.0), 5), (100, 60.0), (100, 60.0))
    assert forecast.token_s == pytest.approx(0.01)


def test_the_speed_is_that_of_the_middle_token_and_not_of_the_middle_batch():
    forecast = after_batches(*repeat((1000, 1.0), 3), *repeat((10, 0.1), 9))
    assert forecast.token_s == pytest.approx(0.001)


def test_what_was_long_ago_is_forgotten():
    forecast = after_batches(*repeat((100, 9.0), 16), *repeat((100, 1.0), 16))
    assert forecast.seconds(0) == pytest.approx(1.0)


def test_forecasts_that_were_too_low_are_corrected():
    forecast = after_batches((100, 1.0))
    for _ in range(10):
        forecast.note_answered(expected_s=2.0, took_s=6.0)
    assert forecast.off == pytest.approx(3.0, rel=0.01)
    for _ in range(300):
        forecast.note_answered(expected_s=2.0, took_s=1.0)
    assert forecast.off == pytest.approx(1.0, rel=0.01)


def test_most_calls_take_at_most_what_is_foreseen():
    """Calls take up to twice what is foreseen, evenly spread: the mean is 1.5, and half of all calls take longer."""
    forecast, later = after_batches((100, 1.0)), 0
    for turn in range(1000):
        took_s = 1.0 + turn * 37 % 100 / 100
        later += took_s > forecast.off and turn >= 100
        forecast.note_answered(expected_s=1.0, took_s=took_s)
    assert later < 0.3 * 900


def test_what_was_not_foreseen_corrects_nothing():
    forecast = Forecast()
    at_first = forecast.off
    forecast.note_answered(expected_s=0.0, took_s=6.0)
    forecast.note_unanswered(expected_s=0.0, took_s=6.0)
    assert forecast.off == at_first


def test_a_server_that_has_just_begun_lets_in_less():
    assert Forecast().off == 2.0


def test_a_call_that_was_given_up_early_does_not_say_that_forecasts_are_good():
    forecast = Forecast()
    for _ in range(100):
        forecast.note_unanswered(expected_s=2.0, took_s=6.0)
    off = forecast.off
    forecast.note_unanswered(expected_s=2.0, took_s=0.1)
    assert forecast.off == pytest.approx(off) == pytest.approx(3.0, rel=0.01)


def test_batches_that_come_alone_count_where_they_are_much_faster():
    """Else a server that was slow for a while would refuse until nothing waits, and see no batch that counts again."""
    forecast = after_batches(*repeat((100, 9.0), 16))
    for _ in range(17):
        forecast.note_batch(10, 0.1, left_work=False)
    assert forecast.token_s == pytest.approx(0.01)


def test_batches_that_come_alone_do_not_count_else():
    forecast = after_batches(*repeat((100, 1.0), 3))
    for _ in range(17):
        forecast.note_batch(10, 0.06, left_work=False)
        forecast.note_batch(10, 9.0, left_work=False)
    assert forecast.token_s == pytest.approx(0.01)
    unknown = Forecast()
    unknown.note_batch(10, 0.1, left_work=False)
    assert unknown.token_s == 0
