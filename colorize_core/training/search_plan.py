"""The plan of a search: the settings of each trial, and the folders in which trials leave checkpoints and failures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from colorize_core import storage
from colorize_core.errors import InputError
from colorize_core.recipes import Recipe
from colorize_core.training import checkpoints
from colorize_core.training.search_space import Setting
from colorize_core.training.trials import Trial


@dataclass(frozen=True)
class SearchPlan:
    """The plan of a search, which is sent to the process of each trial.

    Attributes:
        recipe: each trial replaces some of its settings.
        trial_settings: settings of each trial, by dotted name such as ``training.learning_rate``.
        scratch: folder for the checkpoints of all trials.
        fingerprint: digest of the training images.
        use_gpu: whether each trial has a GPU.
    """

    recipe: Recipe
    trial_settings: list[dict[str, Setting]]
    scratch: str
    fingerprint: str
    use_gpu: bool

    @property
    def identity(self) -> str:
        """Digest of recipe, settings and data; a search with another identity must not be resumed."""
        content = json.dumps([self.recipe.model_dump(), self.trial_settings, self.fingerprint])
        return hashlib.sha256(content.encode()).hexdigest()

    def folder(self, number: int) -> str:
        """Returns the folder for the checkpoints of a trial."""
        return storage.join(self.scratch, f"{number:04d}")

    def failure_path(self, number: int) -> str:
        """Returns the path of the file in which a trial writes why it failed."""
        return storage.join(self.folder(number), "failure")

    def check(self) -> None:
        """Writes the identity into ``scratch``. Raises InputError if ``scratch`` holds another search."""
        path = storage.join(self.scratch, "search")
        if storage.exists(path) and storage.read(path).decode(errors="replace") != self.identity:
            raise InputError(
                f"{self.scratch} holds a search with another recipe, space, data set or --trials: give the same ones "
                f"again, or remove {self.scratch}"
            )
        storage.write(path, self.identity.encode())

    def epochs(self) -> list[int]:
        """Returns the number of finished epochs of each trial, in the order of the trials' numbers."""
        return [checkpoints.newest_epoch(self.folder(number)) for number in range(len(self.trial_settings))]

    def trial(self, number: int, lost: str) -> Trial:
        """Reads the result of a trial from its files.

        Args:
            number: number of the trial.
            lost: reason from ``run_trials`` if Ray Tune gave the trial up; else ''.
        """
        state = checkpoints.load_newest(self.folder(number))
        path = self.failure_path(number)
        failure = lost or (storage.read(path).decode() if storage.exists(path) else "")
        history = state.history if state else []
        return Trial(
            number, self.trial_settings[number], history, failure or ("" if history else "no epoch was finished")
        )
