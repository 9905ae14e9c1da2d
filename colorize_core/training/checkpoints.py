"""The state of a training run after an epoch, as one file that is there whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colorize_core import storage

_FACTS = "facts"
Arrays = dict[str, NDArray[np.generic]]
History = list[dict[str, float]]


@dataclass(frozen=True)
class State:
    """All that the next epoch starts from.

    Attributes:
        identity: of the recipe and the data; a run of another one must not go on from here.
        history: a row per epoch so far.
        arrays: weights, optimizers and random generators, by name.
        best: weights of the epoch with the lowest validation loss.
    """

    identity: str
    history: History
    arrays: Arrays = field(repr=False)
    best: Arrays = field(repr=False)

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return int(self.history[-1]["epoch"])


def save(folder: str, state: State, keep: int) -> None:
    """Writes the state of an epoch, then removes all but the newest ``keep``. Raises OSError."""
    buffer = io.BytesIO()
    facts = json.dumps({"identity": state.identity, "history": state.history}).encode()
    arrays = {f"{kind}/{name}": a for kind in ("arrays", "best") for name, a in getattr(state, kind).items()}
    np.savez(buffer, **{_FACTS: np.frombuffer(facts, np.uint8)}, **arrays)  # type: ignore[arg-type]
    storage.write(storage.join(folder, f"epoch-{state.epoch:05d}.npz"), buffer.getbuffer())
    for path in _paths(folder)[:-keep]:
        storage.remove(path)


def load_newest(folder: str) -> State | None:
    """The state of the last epoch; of the one before where that file is damaged; None where there is none.

    Raises OSError.
    """
    for path in reversed(_paths(folder)):
        content = storage.read(path)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                facts = json.loads(bytes(file[_FACTS]))
                parts: dict[str, Arrays] = {"arrays": {}, "best": {}}
                for name in file.files:
                    if name != _FACTS:
                        kind, _, rest = name.partition("/")
                        parts[kind][rest] = file[name]
            return State(facts["identity"], facts["history"], **parts)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return None


def _paths(folder: str) -> list[str]:
    if not storage.exists(folder):
        return []
    return sorted(entry.path for entry in storage.children(folder) if entry.name.startswith("epoch-"))
