"""Which split a row belongs to, decided by its id alone, so that adding rows moves none."""

from __future__ import annotations

import hashlib


def split_of(identity: str, *, val: float, test: float) -> str:
    """'train', 'val' or 'test' by a stable hash of the id; ``val`` and ``test`` are fractions in [0, 1]."""
    place = place_of(identity)
    if place < test:
        return "test"
    return "val" if place < test + val else "train"


def place_of(identity: str) -> float:
    """A stable number, uniform in [0, 1), for each id."""
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
