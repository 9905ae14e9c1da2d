"""Which split a row belongs to, decided by its id alone, so that adding rows moves none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitRule:
    """How rows are dealt out where the data set has no split of its own.

    Attributes:
        val: fraction in [0, 1] that validates.
        test: fraction that is measured on; unused where the data set says which rows are for that.
        seed: another one deals them out anew.
        wanted: the splits to read; rows of others are left out, unread where that is possible.
    """

    val: float = 0.05
    test: float = 0.05
    seed: int = 0
    wanted: Collection[str] = SPLITS

    def of(self, identity: str) -> str:
        """'train', 'val' or 'test' by a stable hash of the id."""
        place = place_of(identity, self.seed)
        if place < self.test:
            return "test"
        return "val" if place < self.test + self.val else "train"

    def of_official(self, identity: str, official: str) -> str:
        """The split that the data set says, with some of its training rows held back for ``val``."""
        if official != "train":
            return official
        return "val" if place_of(identity, self.seed) < self.val else "train"


def place_of(identity: str, seed: int = 0) -> float:
    """A stable number, uniform in [0, 1), for each id; for each seed another one."""
    salt = f"{seed}".encode() if seed else b""
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8, salt=salt).digest()
    return int.from_bytes(digest, "big") / 2**64
