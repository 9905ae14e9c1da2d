"""Assigns rows to splits by a hash of their ids, so that adding rows never moves others to another split."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitRule:
    """A rule that assigns rows to the splits ``train``, ``val`` and ``test``.

    Attributes:
        val: fraction in [0, 1] for validation: of all rows, or of the published training rows.
        test: fraction in [0, 1] for testing; unused if the data set has a published test split.
        seed: another seed assigns the rows to other splits.
        wanted: the splits to read. Rows of other splits are left out, and not read if possible.

    Example:
        >>> SplitRule(val=0.1, test=0.1).of("album/0001.jpg")
        'train'
    """

    val: float = 0.05
    test: float = 0.05
    seed: int = 0
    wanted: Collection[str] = SPLITS

    def of(self, identity: str) -> str:
        """Returns 'train', 'val' or 'test' for an id, by a stable hash."""
        place = place_of(identity, self.seed)
        if place < self.test:
            return "test"
        return "val" if place < self.test + self.val else "train"

    def of_official(self, identity: str, official: str) -> str:
        """Returns the published split of a row, or 'val' for the fraction ``val`` of the training rows."""
        if official != "train":
            return official
        return "val" if place_of(identity, self.seed) < self.val else "train"


def place_of(identity: str, seed: int = 0) -> float:
    """Returns a number in [0, 1) that depends only on id and seed; uniform over the ids."""
    salt = f"{seed}".encode() if seed else b""
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8, salt=salt).digest()
    return int.from_bytes(digest, "big") / 2**64
