"""The interface between engines and the rest: what an engine returns, and what it needs from a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from colorize_core.color import Floats

if TYPE_CHECKING:
    import keras


class Network(Protocol):
    """A network that is ready to predict. Several threads may call it at once.

    Attributes:
        batch: the number of images per call at which the network is fastest.
    """

    batch: int

    def __call__(self, inputs: Floats) -> Floats:
        """Predicts float32 [n, h', w', 2 or 3] from gray or L, float32 [n, h, w, 1]."""


class Trained(Protocol):
    """The parts of a bundle that engines need. Each engine takes the part that it can run."""

    @property
    def name(self) -> str:
        """The bundle's name, for messages."""

    @property
    def onnx(self) -> bytes:
        """The network as an ONNX file; b'' if the bundle has none."""

    def model(self) -> keras.Model:
        """Returns the network as a Keras model."""
