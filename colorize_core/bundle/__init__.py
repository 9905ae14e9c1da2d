"""The model bundle: a folder with a trained network and everything that inference needs to repeat the preprocessing.

The folder is local or in object storage. It has the files ``model.onnx``, ``model.keras``, ``bundle.json``,
``history.csv``, ``curves.png``, ``samples.png`` and ``MODEL_CARD.md``; format 1 has no ``model.onnx``. Loading refuses
files with a wrong digest, and never runs code from a file.
"""

from colorize_core.bundle.facts import CURVES, FACTS, FAITHFUL, FORMATS, VIVID, storable
from colorize_core.bundle.loading import (
    DEFAULT,
    is_shipped,
    load_bundle,
    place,
    read_curves,
    read_extras,
    start_from,
)
from colorize_core.bundle.model_bundle import Bundle, Coloring
from colorize_core.bundle.saving import save_bundle

__all__ = [
    "CURVES",
    "DEFAULT",
    "FACTS",
    "FAITHFUL",
    "FORMATS",
    "VIVID",
    "Bundle",
    "Coloring",
    "is_shipped",
    "load_bundle",
    "place",
    "read_curves",
    "read_extras",
    "save_bundle",
    "start_from",
    "storable",
]
