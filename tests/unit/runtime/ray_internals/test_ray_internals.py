"""The private parts of Ray that colorize uses exist, do what they are used for, and are used in one room alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.job_submission import JobSubmissionClient

from colorize_core.runtime import ray_internals
from tests.unit.runtime.ray_internals.private_parts import find

REPO = Path(__file__).parents[4]
USED = {  # private name: the function that uses it
    "ray._private.worker:global_worker": "task_attempt_number",
    "ray._private.worker:global_worker.connected": "task_attempt_number",
    "ray._raylet:CoreWorker.get_current_task_attempt_number": "task_attempt_number",
    "ray._private.worker:print_to_stdstream": "hide_worker_messages",
    "ray.job_submission:JobSubmissionClient._do_request": "limit_answer_time",
}


@pytest.mark.parametrize("name", USED)
def test_ray_still_has_what_is_used(name: str) -> None:
    module, _, path = name.partition(":")
    find(module, path, f"ray_internals.{USED[name]}")


def test_each_function_names_what_it_uses() -> None:
    for name, function in USED.items():
        assert name.rpartition(":")[2].split(".")[-1] in Path(ray_internals.__file__).read_text()
        assert "``" in str(getattr(ray_internals, function).__doc__)


def test_attempt_number_is_0_outside_of_tasks() -> None:
    assert ray_internals.task_attempt_number() == 0


@pytest.mark.usefixtures("ray_here")
def test_attempt_number_counts_the_deaths_of_a_task() -> None:
    def die_once() -> int:
        import os

        if not (died := ray_internals.task_attempt_number()):
            os._exit(1)
        return died

    assert ray.get(ray.remote(max_retries=1)(die_once).remote()) == 1


def test_worker_messages_are_hidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from ray._private import worker

    # What Ray's thread for messages of workers calls; set back when the test ends.
    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    ray_internals.hide_worker_messages()
    worker.print_to_stdstream({"lines": ["lost"], "pid": 1}, ignore_prefix=True)
    assert capsys.readouterr() == ("", "")
    assert "print_to_stdstream" in worker.listen_error_messages.__code__.co_names, (
        f"Ray {ray.__version__} prints errors of workers by another function than print_to_stdstream: "
        "hide_worker_messages hides nothing"
    )


def test_requests_of_a_client_have_a_time_limit_and_the_cluster_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def answer(*_: Any, **arguments: Any) -> Any:
        asked.append(arguments)
        facts = {"ray_version": "2.59.1", "ray_commit": "", "version": "4"}
        return SimpleNamespace(status_code=200, text="", json=lambda: facts, raise_for_status=lambda: None)

    monkeypatch.setattr("requests.request", answer)
    client = JobSubmissionClient("http://127.0.0.1:8265")
    assert ray_internals.cluster_ray_version(client) == "2.59.1"
    ray_internals.limit_answer_time(client, 7.0)
    client.get_version()
    assert "timeout" not in asked[0]
    assert asked[-1]["timeout"] == 7.0


def _private_names(source: str) -> set[str]:
    """Returns the private names of Ray that a module imports or spells out, as ``ray._private.worker``."""
    dotted = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            dotted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            dotted |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            dotted.add(ast.unparse(node))
    return {name for name in dotted if re.fullmatch(r"ray\.[\w.]*?\b_(?!_)[\w.]*", name)}


def test_no_other_module_touches_private_parts() -> None:
    found = {
        str(path.relative_to(REPO)): names
        for room in ("colorize_core", "jobs")
        for path in (REPO / room).rglob("*.py")
        if path.parent != Path(ray_internals.__file__).parent and (names := _private_names(path.read_text()))
    }
    assert found == {}


def test_private_names_are_seen_in_any_form() -> None:
    assert _private_names("from ray._private import worker") == {"ray._private.worker"}
    assert _private_names("import ray\nray._raylet.KEY") == {"ray._raylet", "ray._raylet.KEY"}
    assert _private_names("from ray.train import Result\nimport ray.data\nray.__version__") == set()
