"""polyseme bench: offer load to a server, and measure what it does."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import client_from
from polyseme.cli.arguments.tls import tls_from
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import texts_from
from polyseme.cli.load.arguments import add_arguments, checked_plot, checked_processes, checked_statuses

if TYPE_CHECKING:
    from polyseme.cli.load.caller import CallSpec
    from polyseme.cli.load.fleet import Fleet, Timing
    from polyseme.cli.load.shape import LoadShape
    from polyseme.cli.load.tally import Tally
    from polyseme.client import Model

__all__ = ["EXTRA", "add_arguments", "run"]

EXTRA: Final = "plot"  # rich, and matplotlib for --plot

_SWEEP: Final = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
_PROBE_CALLERS: Final = 64


def run(args: argparse.Namespace) -> int:
    """Offer the load; print, write and draw the results."""
    from polyseme.cli.load.fleet import Fleet, Timing
    from polyseme.cli.load.results.document import write
    from polyseme.cli.load.results.report import print_head, print_tallies

    allowed, plot, processes = checked_statuses(args), checked_plot(args), checked_processes(args)
    if plot is not None:
        import matplotlib  # noqa: F401  fails here if it is missing, before the server is called
    texts = _texts(args)
    with client_from(args) as client:
        model = client.model()
    spec = _call_spec(args, texts, model)
    timing = Timing(warm_up_s=args.warm_up, duration_s=None if args.calls else args.duration, calls=args.calls)
    with Fleet(spec, connections=args.connections, processes=processes) as fleet:
        tallies = _tallies(args, fleet, timing)
    if args.json != "-":
        print_head(args, model, len(texts), processes)
        print_tallies(tallies, args.size)
    if args.json is not None:
        write(args, model, processes, tallies)
    if plot is not None:
        from polyseme.cli.load.results.picture import draw

        draw(tallies, plot, f"{model.name} on {model.identity.execution_provider}")
    if any(tally.interrupted_s is not None for tally in tallies):
        return 130
    return int(any(tally.errors(allowed) for tally in tallies))


def _tallies(args: argparse.Namespace, fleet: Fleet, timing: Timing) -> list[Tally]:
    """Offer one load after the other, until one is interrupted."""
    from polyseme.cli.load.results.live import Progress
    from polyseme.cli.load.shape import ClosedLoop, OpenLoop

    tallies: list[Tally] = []
    with Progress() as progress:
        rates: list[float] = args.rates or []
        if not rates:
            callers = ClosedLoop(concurrency=_PROBE_CALLERS if args.sweep else args.concurrency)
            tallies.append(fleet.run(callers, timing, progress.show))
        if args.sweep:
            rates = [share * tallies[0].ok_per_s for share in _SWEEP]
            if not tallies[0].ok_per_s and tallies[0].interrupted_s is None:
                raise CliError("the closed loop had no OK reply: there is no capacity to sweep")
        shapes: list[LoadShape] = [OpenLoop(rate=rate, spacing=args.spacing, seed=args.seed) for rate in rates if rate]
        for shape in shapes:
            if tallies and tallies[-1].interrupted_s is not None:
                break
            tallies.append(fleet.run(shape, timing, progress.show))
    return tallies


def _texts(args: argparse.Namespace) -> list[str]:
    from polyseme.cli.load.messages import built_in_texts

    if args.input is None:
        return built_in_texts()
    return texts_from(argparse.Namespace(texts=[], input=args.input))


def _call_spec(args: argparse.Namespace, texts: list[str], model: Model) -> CallSpec:
    from polyseme.cli.load.caller import CallSpec
    from polyseme.cli.load.messages import METHODS, requests_of

    limit = model.limits.max_texts
    if args.method != "stream" and args.size > limit:
        raise CliError(f"--texts {args.size}: the server takes {limit} in one call", 2)
    token = os.environ.get("POLYSEME_TOKEN")
    return CallSpec(
        target=args.target,
        rpc=METHODS[args.method],
        requests=requests_of(args.method, texts, args.size, args.model),
        timeout_s=args.timeout,
        metadata=[("authorization", f"Bearer {token}")] if token else [],
        tls=tls_from(args),
    )
