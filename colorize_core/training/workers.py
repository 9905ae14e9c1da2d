"""The workers of a training as the driver sees them: how many, with which resources, and what they are doing."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from colorize_core.errors import ColorizeError, OutputError, RecipeError, one_line
from colorize_core.recipes import Recipe
from colorize_core.runtime import cluster, placement
from colorize_core.training import batches, checkpoints, model_check, pair_splits
from colorize_core.training.config import Workers
from colorize_core.training.history import History
from colorize_core.training.message_queue import MessageListener
from colorize_core.training.messages import Message
from colorize_core.training.progress import TrainingProgress
from colorize_core.training.worker import TrainingData, WorkerConfig, train_worker

if TYPE_CHECKING:
    from colorize_core.training.worker_group import WorkerGroup

_POLL_SECONDS = 0.1
_MAX_LOST_WORKERS = 3  # workers that may be lost in a row without an epoch in between; one more ends the training


@dataclass(frozen=True)
class WorkerResources:
    """The workers and what each of them reserves on the cluster.

    Attributes:
        number: number of workers.
        use_gpu: whether each worker has a GPU.
        cpus: number of CPUs of each worker.
    """

    number: int
    use_gpu: bool
    cpus: int

    @classmethod
    def on_cluster(cls, workers: Workers, resources: cluster.Resources) -> WorkerResources:
        """Gives each worker as many CPUs as the machines have for all of them.

        Raises:
            RecipeError: the cluster has fewer CPUs (or GPUs) than there are workers.
        """
        use_gpu = resources.gpus >= 1 if workers.use_gpu is None else workers.use_gpu
        kind, key = ("GPUs", "GPU") if use_gpu else ("CPUs", "CPU")
        available = resources.gpus if use_gpu else resources.cpus
        if workers.number > available:
            raise RecipeError(
                f"the cluster has too few {kind} for --num-workers {workers.number}: it has {available:.0f}, and each "
                "worker needs one"
            )
        nodes = [(int(node.get("CPU", 0)), int(node.get(key, 0))) for node in cluster.nodes()]

        def places(cpus: int) -> int:
            return sum(min(node_cpus // cpus, units) for node_cpus, units in nodes)

        most = max(node_cpus for node_cpus, _ in nodes)
        cpus = max((count for count in range(1, most + 1) if places(count) >= workers.number), default=1)
        return cls(workers.number, use_gpu, cpus)

    def per_worker(self) -> dict[str, float]:
        """Returns what Ray reserves for each worker, by resource name."""
        return {"CPU": self.cpus - placement.CPU_LEFT, **({"GPU": 1} if self.use_gpu else {})}


class TrainingWorkers:
    """The running workers of a training, which leave checkpoints and the best weights in ``scratch``.

    Use it as a context manager: the workers start at the beginning of the block, and none is left after its end.

    Args:
        recipe: what to train.
        scratch: folder for checkpoints and progress files.
        resources: number of workers, and what each reserves.
        progress: takes what the workers report.
    """

    def __init__(self, recipe: Recipe, scratch: str, resources: WorkerResources, progress: TrainingProgress) -> None:
        self._recipe = recipe
        self._scratch = scratch
        self._resources = resources
        self._progress = progress
        self._context = ExitStack()
        self._started_at = time.monotonic()
        self._has_ended = False

    def __enter__(self) -> TrainingWorkers:
        with ExitStack() as stack:
            self._listener = stack.enter_context(MessageListener[Message, TrainingData](self._progress.handle))
            self._ray_train_folder = stack.enter_context(tempfile.TemporaryDirectory())
            self._group = self._start()
            self._context = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._context:
            if not self._has_ended:
                self._group.stop()

    def _start(self) -> WorkerGroup:
        from ray.train import FailureConfig, RunConfig, ScalingConfig

        from colorize_core.training.tf_config import TFConfigBackend
        from colorize_core.training.worker_group import WorkerGroup

        resources = self._resources
        recipe = model_check.with_absolute_paths(self._recipe)
        config = WorkerConfig(recipe, resources.use_gpu, self._scratch, self._listener.queue)
        group = WorkerGroup(
            partial(train_worker, config),
            backend_config=TFConfigBackend(),
            scaling_config=ScalingConfig(
                num_workers=resources.number, use_gpu=resources.use_gpu, resources_per_worker=resources.per_worker()
            ),
            # Ray Train keeps its own state in this folder. Checkpoints are written by `checkpoints`, since Ray Train
            # does not write its own atomically.
            run_config=RunConfig(
                storage_path=self._ray_train_folder, failure_config=FailureConfig(max_failures=_MAX_LOST_WORKERS)
            ),
        )
        group.start()
        return group

    def wait_until_started(self, timeout: float) -> None:
        """Waits until a worker's process runs, or until ``timeout`` seconds after the workers were started.

        Call it before photographs are read. Workers take the longest to get ready, and the tasks that read photographs
        would take their CPUs.
        """
        while not self._progress.worker_started.is_set() and time.monotonic() - self._started_at < timeout:
            if self._group.has_ended(_POLL_SECONDS):
                return  # `run` raises the reason

    def check_model(self, wait_after: float = 0.0) -> None:
        """Waits for the first worker's result of the model check.

        Args:
            wait_after: the call does not wait until the workers were started this number of seconds ago.

        Raises:
            RecipeError: the recipe's model cannot be trained.
        """
        while not self._progress.model_checked.is_set() and time.monotonic() - self._started_at >= wait_after:
            if self._group.has_ended(_POLL_SECONDS):
                return  # `run` raises the reason
        if self._progress.error:
            raise self._progress.error

    def run(self, splits: Mapping[str, pair_splits.Split]) -> History:
        """Gives the workers their pairs, waits until they have trained, and returns the history.

        Raises:
            OutputError: ``scratch`` holds a checkpoint of another training.
            ColorizeError: the training failed.
        """
        self._listener.queue.publish(self._training_data(splits))
        self._wait_until_trained()
        self._has_ended = True
        self._context.close()  # waits for the last messages of the workers
        if self._progress.error:
            raise ColorizeError(one_line(self._progress.error)) from self._progress.error
        state = checkpoints.load_newest(self._scratch)  # messages may have been lost together with a worker
        if state is None:
            raise ColorizeError(f"the workers ended without a checkpoint in {self._scratch}")
        return state.history

    def _training_data(self, splits: Mapping[str, pair_splits.Split]) -> TrainingData:
        """Returns what the workers need to know of the data, and shows the history of a training that is resumed.

        Raises:
            InputError: the data do not fill one batch.
            OutputError: ``scratch`` holds a checkpoint of another training.
        """
        steps = pair_splits.count_steps(self._recipe, splits, self._resources.number)
        # The learning rate may change between two runs: a training that diverged is resumed with a lower one.
        settings = self._recipe.model_dump_json(exclude={"training": {"learning_rate"}})
        identity = hashlib.sha256(f"{settings}\n{splits['train'].fingerprint}".encode()).hexdigest()
        state = checkpoints.load_newest(self._scratch)
        if state and state.identity != identity:
            raise OutputError(
                f"the checkpoint in {self._scratch} was written with another recipe or data set: give the same ones "
                f"again, or remove {self._scratch}"
            )
        self._progress.restore(state.history if state else [])
        class_weights = batches.class_weights(splits["train"].pairs.iterator(), self._recipe)
        pairs = {name: split.pairs for name, split in splits.items()}
        return TrainingData(pairs, steps, identity, class_weights)

    def _wait_until_trained(self) -> None:
        """Waits for the workers. Starts them again if they were lost, but had finished an epoch since the last start.

        Raises:
            ray.train.TrainingFailedError: the workers failed before they had finished another epoch.
        """
        from ray.train import TrainingFailedError

        while True:
            epoch_before = checkpoints.newest_epoch(self._scratch)
            try:
                self._group.wait()
                return
            except TrainingFailedError:
                if self._progress.error or checkpoints.newest_epoch(self._scratch) == epoch_before:
                    raise  # spot machines may be taken away as often as they like if epochs are finished in between
            self._group = self._start()
