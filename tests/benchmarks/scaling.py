"""What 10⁸ photographs would take, from constants measured here, and how far the model is from runs of 1, 2, 4 nodes.

    python -m tests.benchmarks.scaling [--images 1500] [--nodes 1 2 4] [--cores 16] [--price 0.3]

Constants: processor seconds a photograph of each stage, on one core, without Ray, and of the driver, which takes the
rows of all; requests and bytes a photograph of an object store, counted by a proxy before moto's server; bytes of the
listing and the ledger and seconds of planning a photograph. The model: as many photographs a second as all cores finish
that the nodes have, up to what one driver takes, and nothing else in the way. Nodes are processes with one CPU each on
this machine, which share as many cores: more nodes than it has cores are told from the cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from colorize_core import ArchiveConfig, ArchiveJob, storage
from colorize_core.archiving.planning.plan import Plan
from colorize_core.archiving.run import run, run_settings
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.kept_photographs import KeptPhotographs
from colorize_core.archiving.stages.predict import predict
from colorize_core.archiving.stages.read import Read
from colorize_core.inference.predictor import Networks, Predictor
from tests.benchmarks import plan_throughput
from tests.benchmarks.archive_throughput import make_photographs
from tests.support import s3_server
from tests.support.nodes import nodes

_STORED = 96  # photographs of which the requests are counted
_PLANNED = 1_000_000
_QUICK = 60_000
_MANY = 10**8
_FILES_PER_TASK = 256  # of so many


def core_seconds(scans: Path, out: Path) -> dict[str, float]:
    """Processor seconds of this process a photograph, by stage; the first tasks warm up and do not count."""
    job = ArchiveJob(ArchiveConfig(str(scans), str(out), file_format="parquet", report=False))
    spent = {"read": 0.0, "predict": 0.0, "finish": 0.0}
    with job.locked(print) as lock:
        planned = job.plan()
        settings = run_settings(job, planned, lock)
        finish = Finish(settings)
        read = Read(settings, job.bundle.recipe, recolor=False)
        network = Predictor(Networks([job.bundle], job.config.saturation), predict, 1)
        counted = 0
        for number, task in enumerate(planned.tasks()):
            clock = [time.process_time()]
            kept = KeptPhotographs()
            small = read(task, kept=kept)
            clock.append(time.process_time())
            predicted = network(small)
            clock.append(time.process_time())
            finish(predicted, kept=kept)
            clock.append(time.process_time())
            if number >= 2:
                counted += task.num_rows
                for stage, begun, ended in zip(spent, clock, clock[1:], strict=False):
                    spent[stage] += ended - begun
    return {stage: seconds / counted for stage, seconds in spent.items()}


def driver_seconds(folder: Path) -> float:
    """Processor seconds of the driver a photograph, between the first row and the last.

    In tasks as large as those of 10⁸. Of files that are none, which cost the other stages next to nothing: at their
    pace what the driver does for each shows, not what it does while it waits.
    """
    broken = folder / "broken"
    broken.mkdir()
    for number in range(_QUICK):
        (broken / f"{number:05d}.png").write_bytes(b"no photograph")
    clock: list[tuple[float, float]] = []
    job = ArchiveJob(ArchiveConfig(str(broken), str(folder / "out"), file_format="parquet", report=False, runner="ray"))
    with job.locked(print) as lock, patch.object(Plan, "files_per_task", _FILES_PER_TASK):
        run(job, job.plan(), lock, lambda row: clock.append((time.process_time(), time.perf_counter())))
    (began, began_at), (ended, ended_at) = clock[0], clock[-1]
    print(f"driver: {len(clock) / (ended_at - began_at):.0f} unreadable files a second, {ended - began:.1f} s")
    return (ended - began) / len(clock)


def store_traffic(scans: Path) -> dict[str, float]:
    """Requests and bytes a photograph, bucket to bucket, of a run on the node that this process is."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        line = next(line for line in server.stderr if "http://127.0.0.1:" in line)
        store = s3_server.S3("http://127.0.0.1:" + line.rpartition(":")[2].split()[0].rstrip("/"))
        os.environ.update(store.environment(""))
        store.client().create_bucket(Bucket="scaling")  # type: ignore[attr-defined]
        for path in sorted(scans.iterdir())[:_STORED]:
            storage.write(f"s3://scaling/scans/{path.name}", path.read_bytes())
        seen = s3_server.Faults()
        with s3_server.faulty_proxy(store.host, seen) as proxy:
            call = [sys.executable, "-m", "jobs.archive", "s3://scaling/scans", "s3://scaling/colored"]
            subprocess.run(
                [*call, "--format", "parquet", "--runner", "ray"],
                env=os.environ | store.environment(proxy),
                stdout=subprocess.DEVNULL,
                check=True,
            )
        server.terminate()
    return {"requests": seen.seen.total() / _STORED, "bytes": seen.sent / _STORED}


def rate(scans: Path, out: Path, count: int) -> float:
    """Photographs a second on so many nodes, head and driver beside them, between the first finished task and the last.

    All on as many cores as there are nodes, if this machine has those.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        with nodes({}, workers=count) as cluster:
            call = [sys.executable, "-m", "jobs.archive", str(scans), str(out), "--format", "parquet", "--no-report"]
            subprocess.run(call, env=cluster.environment, stdout=subprocess.DEVNULL, check=True)
    finally:
        os.sched_setaffinity(0, cores)
    shards = [pq.read_table(path, columns=["finished_at", "run_id"]) for path in out.glob("part-*.parquet")]
    ended: list[datetime] = sorted(max(shard["finished_at"].to_pylist()) for shard in shards)
    later = sum(shard.num_rows for shard in shards) - shards[0].num_rows
    return later / (ended[-1] - ended[0]).total_seconds()


def main() -> None:
    """Prints the constants, the model against runs, and what it says of 10⁸ photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cores", type=int, default=16, help="of a node of the cluster to come")
    parser.add_argument("--price", type=float, default=0.3, help="of such a node, USD an hour")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="colorize-benchmark-") as folder:
        work = Path(folder)
        make_photographs(work / "scans", arguments.images, 178, 218)
        spent = core_seconds(work / "scans", work / "one")
        total = sum(spent.values())
        print("processor seconds a photograph:", ", ".join(f"{stage} {s:.4f}" for stage, s in spent.items()))
        table = pa.concat_tables([pq.read_table(path) for path in (work / "one" / "_ledger").glob("*.parquet")])
        size = sum(path.stat().st_size for path in (work / "one" / "_ledger").glob("*.parquet")) / table.num_rows
        traffic = store_traffic(work / "scans")
        print(f"object store, a photograph: {traffic['requests']:.2f} requests, {traffic['bytes'] / 1000:.1f} KB read")
        (work / "driver").mkdir()
        driver = driver_seconds(work / "driver")
        listed = plan_throughput.listing(_PLANNED)
        begun = time.perf_counter()
        request = plan_throughput.plan.Request("model", "settings", ".png")
        made = plan_throughput.plan.make_plan(listed, plan_throughput.ledger(_PLANNED), request)
        assert not list(made.tasks())
        planning = (time.perf_counter() - begun) / _PLANNED
        print(
            f"a photograph: ledger {size:.0f} bytes, planning {1e6 * planning:.1f} us, driver {1e6 * driver:.0f} us",
            flush=True,
        )
        for count in arguments.nodes:
            measured = rate(work / "scans", work / f"nodes-{count}", count)
            said = min(count, cores) / total
            print(
                f"{count} nodes of 1 CPU on {cores} cores: {measured:.1f} photographs/s, the model says {said:.1f}: "
                f"{measured / said:.2f} of it",
                flush=True,
            )
        for count in (1, 10, 100, 1000):
            pace = min(count * arguments.cores / total, 1 / driver)
            hours = _MANY / pace / 3600
            cost = 1e6 / pace / 3600 * count * arguments.price
            print(
                f"{count:4} nodes of {arguments.cores} CPUs: {pace:8,.0f} photographs/s, 10^8 in {hours:8,.1f} hours, "
                f"{cost:6.2f} USD a million for machines at {arguments.price} USD an hour; reading "
                f"{pace * traffic['bytes'] / 1e6:,.0f} MB/s in {pace * traffic['requests']:,.0f} requests/s"
            )
        print(f"10^8: ledger {_MANY * size / 1e9:.0f} GB, planning {_MANY * planning / 60:.0f} minutes")


if __name__ == "__main__":
    main()
