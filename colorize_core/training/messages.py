"""What workers tell the driver before they train."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entered:
    """The first worker's process runs; it imports TensorFlow now."""


@dataclass(frozen=True)
class Verdict:
    """What the first worker found out about the recipe's model: why it cannot be trained; '' where it can."""

    wrong: str
