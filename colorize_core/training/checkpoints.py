"""Checkpoints: the state of a training after an epoch, each in one file that is written atomically."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from colorize_core import storage
from colorize_core.training.history import History, HistoryRow

_FACTS = "facts"
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class State:
    """Everything that the next epoch starts from.

    Attributes:
        identity: digest of recipe and data; a training with another identity must not resume from this state.
        history: one row per epoch so far.
        arrays: variables of networks, optimizers and random generators, by name.
        best: weights of the epoch with the lowest validation loss, by name.
    """

    identity: str
    history: History
    arrays: Arrays = field(repr=False)
    best: Arrays = field(repr=False)

    @property
    def epoch(self) -> int:
        """Number of epochs that are done."""
        return self.history[-1].epoch


def save(folder: str, state: State, keep: int) -> None:
    """Writes the state of an epoch, then removes all checkpoints but the newest ``keep``. Raises OSError."""
    buffer = io.BytesIO()
    facts = json.dumps({"identity": state.identity, "history": [asdict(row) for row in state.history]}).encode()
    arrays = {f"{kind}/{name}": a for kind in ("arrays", "best") for name, a in getattr(state, kind).items()}
    np.savez(buffer, **{_FACTS: np.frombuffer(facts, np.uint8)}, **arrays)  # type: ignore[arg-type]
    storage.write(storage.join(folder, f"epoch-{state.epoch:05d}.npz"), buffer.getbuffer())
    for path in _paths(folder)[:-keep]:
        storage.remove(path)


def load_newest(folder: str) -> State | None:
    """Returns the state of the last epoch, or None if there is no checkpoint. Skips damaged files.

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
            history = [HistoryRow(**row) for row in facts["history"]]
            return State(facts["identity"], history, **parts)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            continue
    return None


def newest_epoch(folder: str) -> int:
    """Returns the number of epochs in the newest checkpoint; 0 if there is none. Raises OSError."""
    state = load_newest(folder)
    return state.epoch if state else 0


def _paths(folder: str) -> list[str]:
    if not storage.exists(folder):
        return []
    return sorted(entry.path for entry in storage.children(folder) if entry.name.startswith("epoch-"))
