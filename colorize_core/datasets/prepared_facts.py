"""The content of ``dataset.json``, which describes a prepared data set."""

from __future__ import annotations

from typing import TypedDict

from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.images.resizing import Crop


class TransformFacts(TypedDict):
    """The settings of the stored squares: pixels per side, crop, smallest mean chroma in units of ab."""

    size: int
    crop: Crop
    min_chroma: float


class PairFacts(TypedDict):
    """The pairs that ``load_pairs`` computes: formula of the gray input, color space of the target."""

    gray: GrayFormula
    color_space: ColorSpace


class SplitFacts(TypedDict):
    """The rule that assigned images to splits: fractions of validation and test images, and the seed."""

    val: float
    test: float
    seed: int


class RejectFacts(TypedDict):
    """An image that is missing or cannot be used: its id, a short code to count by, and one line for the user."""

    id: str
    reason: str
    message: str


class StoredFacts(TypedDict):
    """The stored images: their number by split, rejects by reason, bytes, mean and std by channel, fingerprint."""

    images: dict[str, int]
    rejected: dict[str, int]
    bytes: int
    bytes_per_image: float
    statistics: dict[str, dict[str, float]]
    fingerprint: str


class DataSetFacts(StoredFacts):
    """The whole content of ``dataset.json``: what was read, with which settings, by which version, and what is stored.

    ``rejects`` lists at most 1,000 images. ``identity`` is a digest of the settings and of the files that were read.
    """

    format: int
    dataset: str
    source: str
    transform: TransformFacts
    pair: PairFacts
    split: SplitFacts
    rejects: list[RejectFacts]
    identity: str
    version: str
