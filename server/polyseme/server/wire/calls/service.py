"""A service of a contract: its methods, and what its requests may hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.messages.intake import Bounds

Method = Callable[[Any, Call], Awaitable[Message]]
# Requests, or why one could not be read; the call; where replies go.
StreamMethod = Callable[[AsyncIterator[Any], Call, Callable[[Any], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a contract; methods that it has not answer UNIMPLEMENTED.

    Attributes:
        descriptor: as the contract has it.
        methods: take one message and give one, by name.
        streams: take and give any number of messages, by name.
        bounds: what its requests may hold.
        prefix: stands before the names of its methods where they are counted.
    """

    descriptor: ServiceDescriptor
    methods: Mapping[str, Method]
    streams: Mapping[str, StreamMethod] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    prefix: str = ""
