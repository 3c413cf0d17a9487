"""A device that engines run on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from polyseme.artifact import Precision

CPU: Final = "CPUExecutionProvider"
"""The execution provider of a device that is no GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A place where engines run, and the precision that they run in.

    Attributes:
        execution_provider: the name of what computes, as replies tell it.
        precision: of weights and arithmetic.
        number: which of several GPUs.
        flash: whether FlashAttention runs on it.
        fell_back: why the device is not the one that was wanted; empty where it is.
    """

    execution_provider: str
    precision: Precision
    number: int = 0
    flash: bool = False
    fell_back: str = ""

    @property
    def kind(self) -> str:
        """The memory of the device: `cpu` or `cuda`."""
        return "cpu" if self.execution_provider == CPU else "cuda"

    def because(self, reason: str) -> Device:
        """Copy the device, and say why it was taken in place of another."""
        return replace(self, fell_back=reason)
