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
# Takes the requests, with an error in place of one that cannot be read; the call; and a function that sends a reply.
StreamMethod = Callable[[AsyncIterator[Any], Call, Callable[[Any], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a contract; methods that it lacks answer UNIMPLEMENTED.

    Attributes:
        descriptor: the service in the contract.
        methods: unary methods by name.
        streams: methods that take and give any number of messages, by name.
        bounds: how much a request may hold.
        prefix: put before the names of its methods in metrics and logs.
        refuses_others: whether methods that it lacks are refused by a sentence, and not left to another handler.
    """

    descriptor: ServiceDescriptor
    methods: Mapping[str, Method]
    streams: Mapping[str, StreamMethod] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    prefix: str = ""
    refuses_others: bool = False
