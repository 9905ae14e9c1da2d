"""What an engine gives, and what it needs of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from colorize_core.color import Floats

if TYPE_CHECKING:
    import keras


class Network(Protocol):
    """A network that is ready to predict. It may be called by several threads at once.

    Attributes:
        batch: the number of images in one call at which it is fastest.
    """

    batch: int

    def __call__(self, inputs: Floats) -> Floats:
        """Predicts float32 [n, h', w', 2 or 3] from gray or L, float32 [n, h, w, 1]."""


class Trained(Protocol):
    """What an engine opens: a bundle, of which each engine takes its own part."""

    @property
    def name(self) -> str:
        """The name for messages."""

    @property
    def onnx(self) -> bytes:
        """The network as an ONNX file; b'' if the bundle has none."""

    def model(self) -> keras.Model:
        """Returns the network as a Keras model."""
