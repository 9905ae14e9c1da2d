"""The model bundle: a folder with a trained network and everything that inference needs to repeat the preprocessing.

The folder is local or in object storage. It has the files ``model.onnx``, ``weights.safetensors``, ``bundle.json``,
``history.csv``, ``curves.png``, ``samples.png`` and ``MODEL_CARD.md``. Format 1 has the weights in ``model.keras``, and
no ``model.onnx``. Loading refuses files with a wrong digest, and never runs code from a file.
"""

from colorize_core.bundle.doubt import DoubtScale
from colorize_core.bundle.facts import CURVES, FACTS, FAITHFUL, FORMATS, VIVID, storable
from colorize_core.bundle.loading import (
    DEFAULT,
    is_shipped,
    load_bundle,
    place,
    read_curves,
    read_extras,
)
from colorize_core.bundle.model_bundle import FAITHFUL_COLORS, Bundle, Coloring
from colorize_core.bundle.saving import save_bundle

__all__ = [
    "CURVES",
    "DEFAULT",
    "FACTS",
    "FAITHFUL",
    "FAITHFUL_COLORS",
    "FORMATS",
    "VIVID",
    "Bundle",
    "Coloring",
    "DoubtScale",
    "is_shipped",
    "load_bundle",
    "place",
    "read_curves",
    "read_extras",
    "save_bundle",
    "storable",
]
