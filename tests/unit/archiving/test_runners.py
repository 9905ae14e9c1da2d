"""The size of a runner's tasks."""

from __future__ import annotations

import pytest

from colorize_core.archiving.runners import LocalRunner
from colorize_core.runtime.local import Pool
from tests.support.plans import listed_file, plan_of


@pytest.mark.parametrize(
    ("photographs", "folder", "file_format", "expected"),
    [
        (3, "/in", "png", 1),
        (27, "/in", "png", 3),  # for two processes, four tasks each at least
        (1000, "/in", "png", 32),
        (27, "s3://bucket", "png", 8),
        (27, "/in", "parquet", 32),  # one shard, not nine
    ],
)
def test_local_tasks_are_small_where_that_brings_results_sooner(
    photographs: int, folder: str, file_format: str, expected: int
) -> None:
    planned = plan_of([listed_file(f"{number}.png", folder=folder) for number in range(photographs)])
    shaped = LocalRunner(Pool(2), file_format).with_task_size(planned)
    assert shaped.files_per_task == expected
    assert sum(task.num_rows for task in shaped.tasks()) == photographs
