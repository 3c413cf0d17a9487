"""polyseme bench: schedules under a clock of the test's, counts that add up, a run that is cut short, ghz itself."""

import asyncio
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from tests.client.fake_server import fake_server
from tests.server.running import running

from polyseme.cli.load.histogram import Histogram
from polyseme.cli.load.loops import NOT_SENT, Samples, offer
from polyseme.cli.load.messages import built_in_texts, requests_of
from polyseme.cli.load.shape import ClosedLoop, OpenLoop, Window, arrivals, share, split
from polyseme.cli.load.tally import Tally
from polyseme.cli.main import main
from polyseme.v1 import embedding_service_pb2

ROOT = Path(__file__).parents[3]
SECOND = Window(start=0, counted_from=0, end=1)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer: seconds pass in no time, and always the same."""

    def __init__(self):
        super().__init__(selectors.SelectSelector())
        self.now = 0.0
        select = self._selector.select

        def jump(timeout=None):
            self.now += timeout or 0
            return select(0)

        self._selector.select = jump

    def time(self):
        return self.now


def offered(shape, window, call, timeout_s=30.0):
    """What a loop saw of calls that a coroutine answers, on a clock that jumps."""
    samples = Samples()
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(offer(shape, window, call, timeout_s, samples))
    tally = Tally(shape, window)
    tally.add(samples.drain())
    return tally


async def stalls(_):
    """A server that takes 1 ms, but answers nothing between 5 s and 6 s."""
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(6 - now if 5 <= now < 6 else 0.001)
    return 0, 10


TEN_SECONDS = Window(start=0, counted_from=0, end=10)


def test_a_stall_hides_in_a_closed_loop():
    tally = offered(ClosedLoop(concurrency=2), TEN_SECONDS, stalls)
    assert tally.from_due.percentiles_s((99,))[0] == pytest.approx(0.001, rel=1e-3)
    assert tally.from_due.max_s == pytest.approx(1, abs=0.002)


def test_a_stall_shows_in_an_open_loop():
    tally = offered(OpenLoop(rate=100, spacing="constant"), TEN_SECONDS, stalls)
    p50, p99 = tally.from_due.percentiles_s((50, 99))
    assert p50 == pytest.approx(0.001, rel=1e-2)
    assert p99 == pytest.approx(0.91, abs=0.01)  # of 1000 calls 100 wait 1.00, 0.99, ... s: the 10th longest
    assert tally.late == 0


def test_a_call_that_is_sent_late_is_measured_from_its_schedule():
    tally = offered(OpenLoop(rate=100, spacing="constant", max_in_flight=1), TEN_SECONDS, stalls)
    assert tally.from_sent.percentiles_s((99,))[0] == pytest.approx(0.001, rel=1e-2)
    assert tally.from_due.percentiles_s((99,))[0] > 0.9
    assert tally.late > 100


def test_a_call_that_waits_too_long_to_be_sent_is_given_up():
    async def never_quick(_):
        await asyncio.sleep(10)
        return 0, 0

    tally = offered(OpenLoop(rate=10, spacing="constant", max_in_flight=1), SECOND, never_quick, timeout_s=2)
    assert tally.statuses == {0: 1, NOT_SENT: 9}
    assert tally.errors() == 9


def test_percentiles_of_a_known_schedule():
    async def known(number):
        await asyncio.sleep((number + 1) / 1000)
        return 0, 1

    tally = offered(OpenLoop(rate=1000, spacing="constant"), SECOND, known)
    got = tally.from_due.percentiles_s((50, 90, 99, 99.9, 100))
    assert got == pytest.approx([0.5, 0.9, 0.99, 0.999, 1.0], rel=2e-3)
    assert (tally.calls, tally.received_bytes) == (1000, 1000)


def test_warm_up_is_not_counted():
    window = Window(start=0, counted_from=1, end=3)
    tally = offered(ClosedLoop(concurrency=1), window, stalls)
    assert tally.calls == pytest.approx(2000, abs=2)
    assert tally.ok_per_s == pytest.approx(1000, rel=1e-2)


@pytest.mark.parametrize("shape", [ClosedLoop(concurrency=3), OpenLoop(rate=50)])
def test_a_number_of_calls_is_kept_to(shape):
    window = Window(start=0, counted_from=0.5, calls=20)
    assert offered(shape, window, stalls).calls == 20


@pytest.mark.parametrize("spacing", ["constant", "poisson"])
def test_parts_of_a_schedule_make_the_whole(spacing):
    whole = OpenLoop(rate=1000, spacing=spacing, seed=7)
    window = Window(start=5, counted_from=5, end=15)
    parts = [list(arrivals(split(whole, part, 3), window)) for part in range(3)]
    due = sorted(chain.from_iterable(parts))
    assert len(due) == pytest.approx(10_000, rel=0.04)  # 4 standard deviations of a Poisson count
    assert parts == [list(arrivals(split(whole, part, 3), window)) for part in range(3)], "the seed decides"
    if spacing == "constant":
        np.testing.assert_allclose(np.diff(due), 1e-3, rtol=1e-6)
    else:
        assert np.std(np.diff(due)) == pytest.approx(1e-3, rel=0.1), "gaps are exponential: deviation = mean"


def test_shares_add_up():
    assert [share(10, part, 4) for part in range(4)] == [3, 3, 2, 2]


def test_the_histogram_is_exact_to_a_thousandth():
    seconds = np.random.default_rng(1).lognormal(-4, 2, 50_000)
    histogram = Histogram()
    for some in np.array_split(seconds, 7):
        histogram.add(some)
    percents = (1, 50, 90, 99, 99.9, 99.99, 100)
    want = np.sort(seconds)[[499, 24_999, 44_999, 49_499, 49_949, 49_994, 49_999]]  # nearest rank
    np.testing.assert_allclose(histogram.percentiles_s(percents), want, rtol=1.1e-3, atol=1e-6)
    assert histogram.mean_s == pytest.approx(seconds.mean())
    assert sum(count for _, count in histogram.to_json()) == histogram.count == 50_000


def test_requests_take_texts_in_turn():
    taken = [
        embedding_service_pb2.EmbedRequest.FromString(message).texts
        for [message] in requests_of("embed", ["a", "b", "c"], 2, None)
    ]
    assert [list(texts) for texts in taken] == [["a", "b"], ["c", "a"]]
    [stream] = requests_of("stream", ["a", "b"], 2, None)
    assert [embedding_service_pb2.StreamEmbedRequest.FromString(part).embed.texts[0] for part in stream] == ["a", "b"]


def test_built_in_texts_are_those_of_ghz():
    requests = json.loads((ROOT / "bench/load/ghz/data/single.json").read_text(encoding="utf-8"))
    assert built_in_texts() == [request["texts"][0] for request in requests]


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact) as it:
        yield it


@pytest.fixture
def bench(tmp_path, capsys):
    """Run it; gives exit code, output, and the JSON document."""

    def call(target, *arguments):
        code = main(["bench", "--target", target, "--warm-up", "0.1", "--json", str(tmp_path / "x.json"), *arguments])
        return code, capsys.readouterr().out, json.loads((tmp_path / "x.json").read_text())

    return call


def test_closed_loop_of_a_server(server, bench):
    code, out, document = bench(server.target, "--calls", "60", "--concurrency", "4", "--processes", "2")
    [run] = document["runs"]
    assert code == 0
    assert run["calls"] == run["statuses"]["OK"] == 60
    assert sum(count for _, count in run["histograms_ms"]["from_send"]) == 60
    assert run["latency_ms"]["from_send"] == run["latency_ms"]["from_schedule"]
    assert run["received_bytes"] > 60 * 32 * 4
    assert document["format"] == "polyseme.bench/1"
    assert (document["model"]["name"], document["processes"], len(run["generators"])) == ("tiny", 2, 2)
    assert "closed loop, 4 callers: 60 calls counted" in out


def test_rates_of_a_server_and_their_picture(server, bench, tmp_path):
    picture = tmp_path / "x.svg"
    rates = ("--rates", "40,80", "--spacing", "constant", "--duration", "0.5", "--plot", str(picture))
    code, out, document = bench(server.target, "--method", "words", *rates)
    assert code == 0
    assert [(run["rate"], run["calls"]) for run in document["runs"]] == [(40, 20), (80, 40)]
    assert all(sum(n for _, n in run["histograms_ms"]["lateness"]) == run["calls"] for run in document["runs"])
    assert "late p99" in out
    assert "offered calls a second" in picture.read_text()


def test_refusals_are_counted_and_can_be_allowed(tiny_artifact, bench):
    with running(tiny_artifact, max_concurrent_calls=1) as small:
        many = ("--concurrency", "8", "--calls", "200", "--allow", "unavailable,resource_exhausted")
        code, out, document = bench(small.target, *many)
    [run] = document["runs"]
    refused = run["statuses"]["RESOURCE_EXHAUSTED"]
    assert (code, sum(run["statuses"].values())) == (0, 200)
    assert refused == 200 - run["statuses"].get("OK", 0) > 0
    assert sum(count for _, count in run["histograms_ms"]["not_ok_from_send"]) == refused
    assert "RESOURCE_EXHAUSTED" in out


def test_errors_within_a_stream_are_errors(bench):
    with fake_server() as fake:
        fake.faults.on_message = lambda at, request, context: embedding_service_pb2.StreamError(code=13, message="no")
        code, _, document = bench(fake.target, "--method", "stream", "--texts", "3", "--calls", "5")
    assert (code, document["runs"][0]["statuses"]) == (1, {"INTERNAL": 5})
    assert document["runs"][0]["messages"] == {"INTERNAL": "no"}


def test_ctrl_c_ends_with_what_there_is(tmp_path):
    enough, count = threading.Event(), iter(range(1 << 30))

    def count_one(request, context):
        if next(count) > 200:
            enough.set()

    with fake_server() as fake:
        fake.faults.before_embed = count_one
        arguments = ["bench", "--target", fake.target, "--warm-up", "0", "--duration", "600", "--json", "x.json"]
        command = [sys.executable, "-m", "polyseme.cli.main", *arguments]
        # As in a terminal, every process of the group gets the signal.
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert enough.wait(300)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=300)
    [run] = json.loads((tmp_path / "x.json").read_text())["runs"]
    assert (process.returncode, err) == (130, "")
    assert "interrupted" in out
    assert run["interrupted"]
    assert run["calls"] > 0
    assert 0 < run["seconds"] < 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plot", "x.pdf", "--sweep"), ".png, .svg, .html"),
        (("--plot", "x.svg"), "--plot needs --sweep, or --rates"),
        (("--allow", "TEAPOT"), "--allow TEAPOT: no such status"),
        (("--connections", "1", "--processes", "2"), "--processes 2"),
        (("--texts", "5000"), "--texts 5000: the server takes 1024 in one call"),
    ],
)
def test_refusals_are_one_line(server, capsys, arguments, message):
    assert main(["bench", "--target", server.target, *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err


def test_a_target_where_nobody_listens_is_one_line(capsys):
    assert main(["bench", "--target", "127.0.0.1:1", "--timeout", "1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["embed", "embed-protoset", "texts-32", "words", "stream"])
def test_ghz_with_the_configurations_of_this_repository(server, name):
    ghz = shutil.which("ghz")
    if ghz is None:
        pytest.skip("ghz is not installed: go install github.com/bojand/ghz/cmd/ghz@v0.120.0")
    command = [ghz, "--config", f"bench/load/ghz/{name}.json", "--total", "20", "--format", "json", server.target]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["statusCodeDistribution"] == {"OK": 20}
