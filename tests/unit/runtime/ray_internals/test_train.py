"""Ray still has the private parts that training uses. When Ray changes, the failing test names what is missing."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from colorize_core.runtime.ray_internals import train
from tests.unit.runtime.ray_internals.private_parts import find

MODULE = Path(train.__file__)
# Private parts, by the module of Ray that has them.
USED = {
    "ray._raylet": ["RAY_NODE_ID_KEY"],
    "ray.train.v2._internal.callbacks.datasets": ["DatasetsCallback"],
    "ray.train.v2._internal.callbacks.placement_group_callback": ["PlacementGroupCleanerCallback"],
    "ray.train.v2._internal.constants": ["ENABLE_PREEMPTION_WATCHER_ENV_VAR", "get_env_vars_to_propagate"],
    "ray.train.v2._internal.execution.callback": ["RayTrainCallback"],
    "ray.train.v2._internal.execution.controller": [
        "TrainController.run",
        "TrainController.abort",
        "TrainController.get_result",
    ],
    "ray.train.v2._internal.execution.scaling_policy": [
        "FixedScalingPolicy._send_resource_request",
        "FixedScalingPolicy.make_decision_for_non_running_worker_group",
        "ResizeDecision",
    ],
    "ray.train.v2.api.config": ["ScalingConfig._resources_per_worker_not_none"],
    "ray.train.v2.api.data_parallel_trainer": [
        "DataParallelTrainer._create_default_callbacks",
        "DataParallelTrainer._initialize_and_run_controller",
    ],
    "ray.train._internal.base_worker_group": [  # what ``tf_config`` is given by Ray Train
        "BaseWorkerGroup.execute",
        "BaseWorkerGroup.execute_single_async",
    ],
    "ray.tune.progress_reporter": ["TrialProgressCallback._print"],
}
# Functions of Ray that are overridden or called, and the arguments that this needs.
ARGUMENTS = {
    ("ray.train.v2._internal.execution.scaling_policy", "FixedScalingPolicy._send_resource_request"): ["self"],
    ("ray.train.v2._internal.execution.scaling_policy", "FixedScalingPolicy.__init__"): ["self", "scaling_config"],
    ("ray.train.v2._internal.execution.scaling_policy", "ResizeDecision"): ["num_workers", "resources_per_worker"],
    ("ray.train.v2.api.data_parallel_trainer", "DataParallelTrainer._create_default_callbacks"): ["self"],
    ("ray.tune.progress_reporter", "TrialProgressCallback._print"): ["self", "msg"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in USED.items() for name in names])
def test_ray_has_what_training_uses(module: str, name: str) -> None:
    find(module, name, MODULE.name)


@pytest.mark.parametrize(("place", "arguments"), ARGUMENTS.items())
def test_rays_functions_take_the_arguments_that_training_uses(place: tuple[str, str], arguments: list[str]) -> None:
    taken = list(inspect.signature(find(*place, MODULE.name)).parameters)
    assert taken[: len(arguments)] == arguments, f"Ray {ray.__version__}: {'.'.join(place)} takes {taken}"


def test_what_ray_lacks_is_named_in_one_sentence() -> None:
    for module, name in (("ray.train.v2._internal.gone", "Thing"), ("ray.train.v2.api.config", "ScalingConfig._gone")):
        with pytest.raises(pytest.fail.Exception, match=rf"^Ray 2\.\d+\.\d+ has no {module}\.{name}, which "):
            find(module, name, MODULE.name)


def private_names(path: Path) -> Iterator[str]:
    """Returns the names below ``ray`` that a module uses and that have a part with a leading underscore."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ray":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "ray"]
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            names = [name] if name.startswith("ray.") else []
        else:
            names = []
        yield from (name for name in names if any(part.startswith("_") for part in name.split(".")))


def test_each_private_name_is_checked() -> None:
    known = [f"{module}.{name}" for module, names in USED.items() for name in names]
    for name in private_names(MODULE):
        assert any(each.startswith(name) or name.startswith(each) for each in known), name
