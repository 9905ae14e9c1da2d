"""What a reader gives: a plan of chunks, each the work of one task, and batches of rows when a chunk is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Images: TypeAlias = "Sequence[Pixels] | NDArray[np.uint8]"
NO_LABEL = -(2**31)  # of an image that could not be read, or that its label file leaves out: -1 is a label of CelebA
COLUMNS = ("id", "split", "rgb", "gray", "reason", "message")  # names that no label can have
BLACK: Pixels = np.zeros((0, 0, 3), np.uint8)  # stands in for an image that could not be read


class Reject(NamedTuple):
    """An image that is not there or cannot be used: its id, a short code to count by, and a line for a person."""

    id: str
    reason: str
    message: str


@dataclass(frozen=True)
class RowBatch:
    """A batch of rows, as columns of equal length.

    Attributes:
        id: unique in its data set, the same on every machine.
        split: ``train``, ``val`` or ``test``.
        rgb: sRGB uint8 [H, W, 3] each; one array [n, H, W, 3] where all have one size; ``BLACK`` for a reject.
        reason: short code of what is wrong with the image; '' for a good one.
        message: the same for a person.
        labels: integers that come with the images, by name; ``NO_LABEL`` for a reject.
        gray: the gray photographs uint8 [H, W] that belong to the colors, in data sets that have their own.
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
    def good(cls, identities: Sequence[str], split: Sequence[str], rgb: Images, **more: Any) -> RowBatch:
        """RowBatch without a reject."""
        nothing = [""] * len(identities)
        return cls(identities, split, rgb, nothing, nothing, **more)

    def where(self, keep: Sequence[bool] | NDArray[np.bool_]) -> RowBatch:
        """The rows whose place in ``keep`` is true."""
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

    def columns(self) -> dict[str, Any]:
        """The rows as a batch of a Ray data set: a NumPy array per column."""
        made = {
            "id": _objects(self.id),
            "split": _objects(self.split),
            "rgb": _objects(self.rgb),
            "reason": _objects(self.reason),
            "message": _objects(self.message),
            **self.labels,
        }
        return made if self.gray is None else made | {"gray": _objects(self.gray)}


Chunk = Callable[[], Iterator[RowBatch]]
"""Reads one part of a data set, in batches of rows; pickled to the task that runs it, so a partial of a function."""


@dataclass(frozen=True)
class ReadPlan:
    """A data set before it is read.

    Attributes:
        chunks: always the same, in the same order, for the same files.
        rejects: images that are known to be missing without reading.
    """

    chunks: Sequence[Chunk]
    rejects: Sequence[Reject] = ()


def _objects(values: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 4:
        return values
    column = np.empty(len(values), object)
    for i, value in enumerate(values):  # np.array would stack images of one size, and fail at others
        column[i] = value
    return column
