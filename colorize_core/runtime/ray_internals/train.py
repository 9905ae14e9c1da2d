"""Private parts of Ray Train and Ray Tune that training uses; tested for Ray 2.60.

``BackgroundTrainer`` starts the workers of Ray Train without waiting for their end, which Ray Train's public ``fit``
cannot do. ``silent_reporter`` keeps Ray Tune from printing. The test of this module names what a new version of Ray
lacks.
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

_UNUSED_CALLBACKS = DatasetsCallback, PlacementGroupCleanerCallback


class _Controller(TrainController):  # type: ignore[misc]
    """Ray Train's controller without its preemption watcher, a process that lists machines about to be taken away.

    Nothing here reads that list.
    """

    def __init__(self, **settings: Any) -> None:
        os.environ[ENABLE_PREEMPTION_WATCHER_ENV_VAR] = "0"
        super().__init__(**settings)
        # The variable would be passed on to the workers. A worker with environment variables of its own cannot use a
        # process that Ray has already started.
        del os.environ[ENABLE_PREEMPTION_WATCHER_ENV_VAR]


class _ScalingPolicy(FixedScalingPolicy):  # type: ignore[misc]
    """Ray Train's fixed number of workers, without a request to Ray's autoscaler before the workers start.

    The request needs a process of its own, for which the workers would wait. The workers' placement group asks for
    machines, too.
    """

    def _send_resource_request(self) -> None:
        """Does nothing. The controller calls it when it starts."""

    def make_decision_for_non_running_worker_group(self) -> ResizeDecision:
        """Returns the number of workers to start. Called before the first start, and before each restart."""
        per_worker = self.scaling_config._resources_per_worker_not_none
        return ResizeDecision(num_workers=self.scaling_config.num_workers, resources_per_worker=per_worker)


class BackgroundTrainer(DataParallelTrainer):  # type: ignore[misc]
    """Ray Train's trainer, except that ``fit`` starts the workers and returns at once.

    Attributes:
        controller: handle of the actor that starts and replaces the workers; set by ``fit``.
        running: reference that is ready when the workers have ended; set by ``fit``.
    """

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        """Returns Ray Train's callbacks without those that start a process which training does not need.

        Called by ``fit``. The pairs reach the workers without Ray Train's data sets, and the placement group goes when
        the driver ends.
        """
        return [each for each in super()._create_default_callbacks() if not isinstance(each, _UNUSED_CALLBACKS)]

    def _initialize_and_run_controller(self, **settings: Any) -> Result:
        """Starts the controller on the driver's machine, and returns a result without an error. Called by ``fit``.

        Environment variables are set only if there are any: without, the controller can use a process that Ray has
        already started.
        """
        variables = get_env_vars_to_propagate()
        controller = ray.remote(
            num_cpus=0,
            label_selector={ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()},
            **({"runtime_env": {"env_vars": variables}} if variables else {}),
        )(_Controller)
        self.controller = controller.remote(**settings | {"scaling_policy": _ScalingPolicy(self.scaling_config)})
        self.running = self.controller.run.remote()
        return SimpleNamespace(error=None)


def silent_reporter() -> Any:
    """Returns a callback for Ray Tune in place of its own, which names failed trials even with ``verbose=0``."""
    from ray.tune.progress_reporter import TrialProgressCallback

    class SilentReporter(TrialProgressCallback):  # type: ignore[misc]
        """Ray Tune's progress callback, changed to print nothing."""

        def _print(self, msg: str) -> None:
            pass

    return SilentReporter()
