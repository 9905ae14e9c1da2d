"""Starting Ray fails with one line, whatever Ray raises."""

from __future__ import annotations

import pytest
import ray

from colorize_core.errors import ColorizeError
from colorize_core.runtime import cluster


@pytest.mark.parametrize("kind", [Exception, RuntimeError, ConnectionError, ValueError])
def test_a_node_that_does_not_start_is_one_line(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise kind("The current node timed out during startup.\nThe GCS has become overloaded.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    expected = pytest.raises(ColorizeError, match="cannot start Ray on this machine: The current node timed")
    with expected as caught, cluster.connected():
        pass
    assert "\n" not in str(caught.value)
