"""The worker processes of a training on Ray Train, started before the photographs are read.

Ray Train's own ``fit`` starts the workers and waits until they have ended. A process that imports TensorFlow needs
seconds until it can compute: here those seconds pass while the driver reads the photographs.
"""

from __future__ import annotations

import ray

from colorize_core.runtime.ray_internals.train import BackgroundTrainer

_ABORT_SECONDS = 10.0  # time that the controller has to stop the workers


class WorkerGroup(BackgroundTrainer):
    """Worker processes, and the controller of Ray Train that starts them and replaces workers that are lost."""

    def start(self) -> None:
        """Starts the controller and the workers, and returns at once."""
        self.fit()

    def has_ended(self, timeout: float) -> bool:
        """Waits for at most ``timeout`` seconds, and returns True if the workers have ended."""
        ended, _ = ray.wait([self.running], timeout=timeout)
        return bool(ended)

    def wait(self) -> None:
        """Waits until the workers have ended. Raises ray.train.TrainingFailedError."""
        ray.get(self.running)
        result = ray.get(self.controller.get_result.remote())
        ray.kill(self.controller)  # otherwise its process stays until this object is deleted
        if result.error:
            raise result.error

    def stop(self) -> None:
        """Stops the workers at any time: asks the controller to abort, and kills it after 10 seconds at most."""
        ray.wait([self.controller.abort.remote()], timeout=_ABORT_SECONDS)
        ray.kill(self.controller)
