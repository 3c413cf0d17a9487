"""Micro-batching across calls: what to run next (backlog, policy: pure), for whom (scheduler), and where (pool)."""

from polyseme.server.scheduling.backlog import Backlog
from polyseme.server.scheduling.entry import NOWHERE, Entry, Origin, Priority
from polyseme.server.scheduling.policy import BatchPolicy
from polyseme.server.scheduling.runner_pool import RunnerPool
from polyseme.server.scheduling.scheduler import BatchReport, Completed, Observer, Outcome, Scheduler

__all__ = [
    "NOWHERE",
    "Backlog",
    "BatchPolicy",
    "BatchReport",
    "Completed",
    "Entry",
    "Observer",
    "Origin",
    "Outcome",
    "Priority",
    "RunnerPool",
    "Scheduler",
]
