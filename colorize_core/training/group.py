"""The workers of a training on Ray Train, started before there is anything to learn from.

Ray Train's own ``fit`` starts them and waits until they have ended. A process that imports TensorFlow needs seconds
until it can compute: here they pass while the driver reads the photographs.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ray
from ray.train import Result
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.execution.callback import RayTrainCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

_ABORT = 10.0  # seconds that workers have to end


class Group(DataParallelTrainer):  # type: ignore[misc]
    """Workers under a controller of Ray Train's, which replaces those that are lost."""

    def start(self) -> None:
        """Starts the controller and the workers, and returns at once."""
        self.fit()

    def is_over(self, timeout: float) -> bool:
        """Waits so many seconds at most, and returns whether the workers have ended."""
        ended, _ = ray.wait([self._running], timeout=timeout)
        return bool(ended)

    def wait(self) -> None:
        """Waits until the workers have ended. Raises ray.train.TrainingFailedError."""
        ray.get(self._running)
        result = ray.get(self._controller.get_result.remote())
        ray.kill(self._controller)  # its process would wait until this object goes
        if result.error:
            raise result.error

    def end(self) -> None:
        """Ends the workers, whatever they do."""
        ray.wait([self._controller.abort.remote()], timeout=_ABORT)
        ray.kill(self._controller)

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        """Called by ``fit``. The pairs come another way: without data sets this callback starts a process for none."""
        return [each for each in super()._create_default_callbacks() if not isinstance(each, DatasetsCallback)]

    def _initialize_and_run_controller(self, **settings: Any) -> Result:
        """Called by ``fit``. A controller without variables of its own may use a process that Ray has started."""
        variables = get_env_vars_to_propagate()
        controller = ray.remote(
            num_cpus=0,
            label_selector={ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()},
            **({"runtime_env": {"env_vars": variables}} if variables else {}),
        )(TrainController)
        self._controller = controller.remote(**settings)
        self._running = self._controller.run.remote()
        return SimpleNamespace(error=None)
