"""What a server promises, in groups, and what shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.reliability import engine, flow, input, lifecycle, security  # noqa: A004  # the field's word
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    Attributes:
        key: its number, and a word where it has several parts.
        says: the promise.
        show: tries it; gives rows of the table.
    """

    key: str
    says: str
    show: Callable[[Place], Iterator[Outcome]]


GROUPS = {
    "Input": (
        Promise("1", "Malformed protobuf is INVALID_ARGUMENT; nothing internal is told.", input.malformed),
        Promise("2", "So is bad UTF-8; the SDK refuses lone surrogates before it sends.", input.not_utf8),
        Promise("3", "Odd characters are embedded, the same each time.", input.naughty),
        Promise("4", "The empty string is embedded, on every path; no texts are refused.", input.empty),
        Promise("5", "Too many texts, or too long ones, are refused before tokenizing.", input.too_much),
        Promise("6", "A message over the limit is RESOURCE_EXHAUSTED.", input.message_limit),
        Promise(
            "7", "A text of too many tokens is refused with its index and counts, or cut and flagged.", input.too_long
        ),
        Promise("8", "The tokenizer's worst texts do not hold up others: p99 below 2x.", input.worst_case),
        Promise("9", "Compression bombs are refused; what is unknown has its status.", input.bombs),
    ),
    "Time and flow": (
        Promise("10", "What is past its deadline is never run.", flow.deadlines),
        Promise("11", "Cancelled calls are not run, but for a batch.", flow.cancels),
        Promise(
            "12",
            "What a killed client held is free within 1 s; a slow reader's memory is bounded.",
            flow.killed_clients,
        ),
        Promise("13", "The queue is bounded; at 5x load goodput stays at 90% of its peak or more.", flow.full_queue),
        Promise(
            "14", "Bulk work takes all there is, and others' p99 is 3x at most; short among long: p50 2x.", flow.shares
        ),
    ),
    "Engine": (
        Promise("15", "A text that breaks the model fails alone.", engine.poison),
        Promise("16", "An exception is INTERNAL with an id; what is not finite is never returned.", engine.exceptions),
        Promise("17", "Out of memory: the batch is split; one text alone is refused.", engine.out_of_memory),
        Promise("18", "A lost or hanging device ends the process, for a restart.", engine.lost_device),
        Promise("19", "Texts in a batch are as alone, in order.", engine.mixes),
    ),
    "Lifecycle": (
        Promise("20-drain", "SIGTERM under load: no call under way fails.", lifecycle.drains),
        Promise("20-restart", "Rolling restarts of two servers: no call fails.", lifecycle.restart),
        Promise("20-kill", "kill -9 of one of two: no call fails.", lifecycle.kill),
        Promise("20-stop", "SIGSTOP of one of two: bounded.", lifecycle.stop),
        Promise(
            "21", "Ready after warm-up only; alive under load; a change is pushed within 100 ms.", lifecycle.readiness
        ),
        Promise("22", "A corrupt artifact, or a wrong setting, is exit status 2 and one line.", lifecycle.corrupt),
        Promise(
            "23", "Hot reload: no call fails, none mixes models; a corrupt artifact changes nothing.", lifecycle.reloads
        ),
    ),
    "Security and soak": (
        Promise("24", "Wrong certificates, old TLS and wrong tokens are refused.", security.strangers),
        Promise(
            "25",
            "Reflection is off unless asked for; no text reaches logs, metrics, traces, statuses.",
            security.canary,
        ),
        Promise("26-ping", "A flood of PINGs: others' p99 is 3x at most.", security.ping_flood),
        Promise("26-reset", "Rapid reset: others' p99 is 3x at most.", security.rapid_reset),
        Promise(
            "26-idle",
            "5,000 idle connections: others' p99 is 3x at most; new ones are taken after.",
            security.idle_connections,
        ),
        Promise("26-fds", "No file descriptors left: others go on, and it recovers.", security.no_descriptors),
        Promise("27-rights", "Container without rights, no pickle, no way out of a folder.", security.container),
        Promise(
            "27-soak",
            "Half an hour with cancels and garbage: memory below 1 MB/h, files and threads flat.",
            security.soaked,
        ),
    ),
}
PROMISES = [promise for promises in GROUPS.values() for promise in promises]
