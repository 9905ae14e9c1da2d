"""All jobs in turn on a cluster of several nodes that share an object store and no disk, as on one machine.

And once more, with a node lost by SIGKILL in the middle of each.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import storage
from jobs.cli import group
from jobs.exits import DONE, status_of
from tests.support.nodes import Nodes, nodes
from tests.support.s3_server import S3
from tests.support.small_recipe import SETTINGS, as_arguments

EPOCHS = 4
SCANS = 120
PREPARE = ("--size", "32", "--val-fraction", "0.2", "--test-fraction", "0.2")
TRAIN = as_arguments(SETTINGS | {"training.epochs": EPOCHS, "training.batch_size": 32})
BUNDLE = "s3://nodes/several/bundle"  # evaluates and colorizes everywhere: equal weights, equal results
pytestmark = pytest.mark.timeout(2400)  # four jobs, twice
During = Callable[[str, "subprocess.Popen[str]"], None]


@pytest.fixture(scope="module")
def store(s3_server: S3, color_dir: Path, cifar_dir: Path) -> Iterator[Mapping[str, str]]:
    """Environment of an object store with what to learn from, ``color`` and ``cifar``, and ``scans`` to color."""
    environment = s3_server.environment("")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        s3_server.client().create_bucket(Bucket="nodes")  # type: ignore[attr-defined]
        for path in color_dir.iterdir():
            storage.write(f"s3://nodes/color/{path.name}", path.read_bytes())
        for path in cifar_dir.iterdir():
            storage.write(f"s3://nodes/cifar/{path.name}", path.read_bytes())
        for i in range(SCANS):
            with Image.open(color_dir / f"coffee-{i % 40:02d}.jpg") as image:
                gray = image.convert("L").rotate(i)
            content = io.BytesIO()
            gray.save(content, "PNG")
            storage.write(f"s3://nodes/scans/{i // 10}/{i:03d}.png", content.getvalue())
        yield {**os.environ, **environment}


@pytest.fixture(scope="module")
def cluster(store: Mapping[str, str]) -> Iterator[Nodes]:
    with nodes(store, workers=2) as made:
        yield made


def run(job: str, arguments: Sequence[str], environment: Mapping[str, str], during: During) -> None:
    """Runs a job to its good end; ``during`` is called with it when it has begun."""
    call = [sys.executable, "-m", f"jobs.{job}", *arguments]
    with subprocess.Popen(
        call, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        during(job, process)
        printed, _ = process.communicate(timeout=900)
    assert process.returncode == DONE, printed
    assert "raylet" not in printed


def chain(out: str) -> list[tuple[str, list[str]]]:
    """Prepares, trains on two workers, evaluates and colorizes under ``out``."""
    return [
        ("prepare", ["folder", "s3://nodes/color", f"{out}/prepared", *PREPARE]),
        ("train", ["unet-lab", f"{out}/prepared", f"{out}/bundle", "--num-workers=2", *TRAIN]),
        ("evaluate", [BUNDLE, f"{out}/prepared", f"{out}/report", "--split", "test"]),
        ("archive", ["s3://nodes/scans", f"{out}/colored", "--format", "parquet", "--model", BUNDLE]),
    ]


def run_all(out: str, environment: Mapping[str, str], during: During) -> None:
    """One job after the other."""
    for job, arguments in chain(out):
        run(job, arguments, environment, during)


def left_alone(job: str, process: subprocess.Popen[str]) -> None:
    """Nothing happens to it."""


@pytest.fixture(scope="module")
def several(cluster: Nodes) -> str:
    """What two nodes make that nobody disturbs."""
    run_all("s3://nodes/several", cluster.environment, left_alone)
    return "s3://nodes/several"


def colored(out: str) -> dict[str, tuple[str, bytes]]:
    """Status and image of each scan, which is there once."""
    shards = [entry.path for entry in storage.children(f"{out}/colored") if entry.name.endswith(".parquet")]
    rows = pa.concat_tables([pq.read_table(io.BytesIO(storage.read(path))) for path in shards]).to_pylist()
    assert len({row["source"] for row in rows}) == len(rows) == SCANS
    return {row["source"]: (row["status"], row["image"]) for row in rows}


def history(out: str) -> NDArray[np.float64]:
    """Epochs and losses."""
    rows = list(csv.DictReader(io.StringIO(storage.read(f"{out}/bundle/history.csv").decode())))
    return np.array([[float(row[name]) for name in ("epoch", "loss", "val_loss")] for row in rows])


def assert_alike(out: str, other: str) -> None:
    ours, theirs = (json.loads(storage.read(f"{where}/prepared/dataset.json")) for where in (out, other))
    for name in ("images", "fingerprint", "statistics", "rejected"):
        assert ours[name] == theirs[name]
    np.testing.assert_allclose(history(out), history(other), rtol=1e-3)
    ours, theirs = (json.loads(storage.read(f"{where}/report/metrics.json"))["splits"] for where in (out, other))
    assert ours == theirs
    assert len(ours["test"]) >= 3
    assert storage.read(f"{out}/report/metrics.csv") == storage.read(f"{other}/report/metrics.csv")
    assert colored(out) == colored(other)
    assert {status for status, _ in colored(out).values()} == {"ok"}


def test_a_node_lost_in_the_middle_of_each_job_changes_nothing(several: str, cluster: Nodes) -> None:
    lost = []

    def lose(job: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        while job == "train" and not process.stdout.readline().startswith("epoch 2/"):
            assert process.poll() is None
        works = {"prepare": b"(_run_tasks)", "train": b"RayTrainWorker", "evaluate": b"MapWorker", "archive": b"Chain"}
        cluster.lose_one_with(works[job], process)
        lost.append(job)
        cluster.add()

    run_all("s3://nodes/disturbed", cluster.environment, lose)
    assert lost == ["prepare", "train", "evaluate", "archive"]
    assert_alike("s3://nodes/disturbed", several)


WORKER = """
import sys
import ray
from colorize_core.runtime import cluster, placement
from colorize_core.recipes import load_recipe
from colorize_core.training import pair_splits

class Worker:
    def count(self, pairs):
        return sum(len(batch["id"]) for batch in pairs.iterator().iter_batches())

with cluster.connected() as has:
    beside = placement.beside_workers(has)
    rows = pair_splits.read_splits(sys.argv[1], beside)
    split = pair_splits.load_split(rows["train"], load_recipe("cifar10-dense"), beside)
    print("in memory", flush=True)
    sys.stdin.readline()
    # Again where Ray put it on the lost machine, which it takes some seconds to miss.
    again = {"max_restarts": -1, "max_task_retries": -1}
    worker = ray.remote(num_cpus=1 - placement.CPU_LEFT, **again)(Worker).remote()
    print(ray.get(worker.count.remote(split.pairs), timeout=600), "of", split.images)
"""


def test_rows_that_are_lost_with_a_node_are_made_again_beside_the_workers(
    store: Mapping[str, str],
) -> None:
    """Who hold all CPUs. Blocks of CIFAR-10 are too large to be kept with the driver."""
    with nodes(store, workers=1) as cluster:
        call = [sys.executable, "-c", WORKER, "cifar10:s3://nodes/cifar"]
        with subprocess.Popen(
            call, env=cluster.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as job:
            assert job.stdout
            assert job.stdout.readline() == "in memory\n"
            cluster.lose()
            cluster.add()
            printed, _ = job.communicate("go on\n", timeout=900)
    assert printed == "194 of 194\n"


def test_archive_waits_for_machines_that_come_later(several: str, store: Mapping[str, str]) -> None:
    with nodes(store, workers=0) as cluster:

        def add(job: str, process: subprocess.Popen[str]) -> None:
            assert process.stdout
            assert process.stdout.readline().startswith(f"{SCANS} photographs")
            for _ in range(2):
                cluster.add()

        options = ["--format", "parquet", "--model", BUNDLE]
        run("archive", ["s3://nodes/scans", "s3://nodes/later/colored", *options], cluster.environment, add)
    assert colored("s3://nodes/later") == colored(several)


def test_several_nodes_do_what_one_machine_does(several: str, ray_here: None) -> None:
    for job, arguments in chain("s3://nodes/alone"):
        assert status_of(group, [job, *arguments]) == DONE
    assert_alike("s3://nodes/alone", several)
