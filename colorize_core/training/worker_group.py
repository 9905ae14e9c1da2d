"""The workers of a training on Ray Train, started before there is anything to learn from.

Ray Train's own ``fit`` starts them and waits until they have ended. A process that imports TensorFlow needs seconds
until it can compute: here they pass while the driver reads the photographs.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import ray
from ray.train import Result
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.constants import ENABLE_PREEMPTION_WATCHER_ENV_VAR, get_env_vars_to_propagate
from ray.train.v2._internal.execution.callback import RayTrainCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy, ResizeDecision
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

_NOT_NEEDED = DatasetsCallback, PlacementGroupCleanerCallback
_ABORT = 10.0  # seconds that workers have to end


class _Controller(TrainController):  # type: ignore[misc]
    """Ray Train's, without the process that notes which machines are about to go: nobody reads its notes here."""

    def __init__(self, **settings: Any) -> None:
        os.environ[ENABLE_PREEMPTION_WATCHER_ENV_VAR] = "0"
        super().__init__(**settings)
        # It would go to the workers, and with a variable of their own they cannot use processes that Ray has started.
        del os.environ[ENABLE_PREEMPTION_WATCHER_ENV_VAR]


class _Policy(FixedScalingPolicy):  # type: ignore[misc]
    """Ray Train's, without telling Ray's autoscaler before the workers run: they would wait for a process of its own.

    The placement group of the workers asks for machines, too.
    """

    def _send_resource_request(self) -> None:
        """Called when the controller starts."""

    def make_decision_for_non_running_worker_group(self) -> ResizeDecision:
        """Called before the workers start, and before those start again that were lost."""
        each = self.scaling_config._resources_per_worker_not_none
        return ResizeDecision(num_workers=self.scaling_config.num_workers, resources_per_worker=each)


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
        """Called by ``fit``. Leaves out what starts a process beside the workers that a training does not need.

        The pairs come another way; what a controller leaves on the cluster goes with the driver.
        """
        return [each for each in super()._create_default_callbacks() if not isinstance(each, _NOT_NEEDED)]

    def _initialize_and_run_controller(self, **settings: Any) -> Result:
        """Called by ``fit``. A controller without variables of its own may use a process that Ray has started."""
        variables = get_env_vars_to_propagate()
        controller = ray.remote(
            num_cpus=0,
            label_selector={ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()},
            **({"runtime_env": {"env_vars": variables}} if variables else {}),
        )(_Controller)
        self._controller = controller.remote(**settings | {"scaling_policy": _Policy(self.scaling_config)})
        self._running = self._controller.run.remote()
        return SimpleNamespace(error=None)
