"""Types that all data sets share: a plan of chunks to read, and the batches of rows that a chunk yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from colorize_core.runtime.pickled_rows import Columns

Pixels = NDArray[np.uint8]
Images: TypeAlias = "Sequence[Pixels] | NDArray[np.uint8]"
NO_LABEL = -(2**31)  # label of an image that is unreadable or not in the label file; -1 is a valid label in CelebA
COLUMNS = ("id", "split", "rgb", "gray", "reason", "message")  # names that labels cannot have
BLACK: Pixels = np.zeros((0, 0, 3), np.uint8)  # pixels of an image that cannot be read


class Reject(NamedTuple):
    """An image that is missing or cannot be used.

    Attributes:
        id: id of the image.
        reason: a short code to count by.
        message: one line for the user.
    """

    id: str
    reason: str
    message: str


@dataclass(frozen=True)
class RowBatch:
    """A batch of rows, as columns of equal length.

    Attributes:
        id: id of each image, unique in its data set and the same on every machine.
        split: ``train``, ``val`` or ``test``.
        rgb: sRGB uint8 [H, W, 3] per image, or one array [n, H, W, 3] if all have one size; ``BLACK`` for a reject.
        reason: short code of what is wrong with the image; '' for a good image.
        message: one line for the user; '' for a good image.
        labels: int64 [n] by name of the label; ``NO_LABEL`` for a reject.
        gray: uint8 [H, W] per image, in a data set with gray photographs; else None.
    """

    id: Sequence[str]
    split: Sequence[str]
    rgb: Images
    reason: Sequence[str]
    message: Sequence[str]
    labels: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    gray: Sequence[Pixels] | None = None

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def good(
        cls,
        identities: Sequence[str],
        split: Sequence[str],
        rgb: Images,
        *,
        labels: Mapping[str, NDArray[np.int64]] | None = None,
        gray: Sequence[Pixels] | None = None,
    ) -> RowBatch:
        """Returns a batch of good rows. No ``labels`` stands for a data set without labels."""
        nothing = [""] * len(identities)
        return cls(identities, split, rgb, nothing, nothing, labels or {}, gray)

    def where(self, keep: Sequence[bool] | NDArray[np.bool_]) -> RowBatch:
        """Returns the rows for which ``keep`` [n] is true."""
        at = np.flatnonzero(keep).tolist()
        if len(at) == len(self):
            return self
        rgb = self.rgb[at] if isinstance(self.rgb, np.ndarray) else [self.rgb[i] for i in at]
        return replace(
            self,
            id=[self.id[i] for i in at],
            split=[self.split[i] for i in at],
            rgb=rgb,
            reason=[self.reason[i] for i in at],
            message=[self.message[i] for i in at],
            labels={name: values[at] for name, values in self.labels.items()},
            gray=None if self.gray is None else [self.gray[i] for i in at],
        )

    def columns(self) -> Columns:
        """Converts the rows to a batch of a Ray data set: one NumPy array per column."""
        columns = {
            "id": _objects(self.id),
            "split": _objects(self.split),
            "rgb": _objects(self.rgb),
            "reason": _objects(self.reason),
            "message": _objects(self.message),
            **self.labels,
        }
        return columns if self.gray is None else columns | {"gray": _objects(self.gray)}


Chunk = Callable[[], Iterator[RowBatch]]
"""Reads one part of a data set in batches of rows. It is pickled, so it is a partial of a module's function."""


@dataclass(frozen=True)
class ReadPlan:
    """A list of the parts of a data set to read.

    Attributes:
        chunks: functions that each read one part. Equal files give equal chunks in the same order.
        rejects: images that are known to be missing or unusable before any is read.
    """

    chunks: Sequence[Chunk]
    rejects: Sequence[Reject] = ()


def _objects(values: Sequence[str] | Images) -> NDArray[np.object_] | Pixels:
    if isinstance(values, np.ndarray) and values.ndim == 4:
        return values
    column = np.empty(len(values), object)
    for i, value in enumerate(values):  # np.array would stack images of one size and fail for mixed sizes
        column[i] = value
    return column
