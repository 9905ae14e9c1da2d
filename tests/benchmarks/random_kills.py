"""Kills runs of ``colorize archive`` at random moments, runs each again, and compares with an undisturbed run.

    python -m tests.benchmarks.random_kills [--photographs 2000] [--moments 10] [--seed 0] [--kinds node]

For each kind of process (driver, worker, model actor; or a node of three with all its processes) and moment: a new
OUTPUT, one SIGKILL, a second run. Every photograph has to be in the ledger once, every output to be there with the
bytes of the undisturbed run, and nothing beside them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.exits import DONE
from tests.support import kills
from tests.support.archive_job import results
from tests.support.nodes import Nodes, nodes


def make_scans(folder: Path, count: int) -> Path:
    """Crops of scikit-image's coffee, 300x200, gray."""
    from skimage import data

    gray = np.asarray(Image.fromarray(data.coffee()).convert("L"))
    folder.mkdir()
    for i in range(count):
        shifted = np.roll(np.roll(gray, 2 * i, axis=1), i // 300, axis=0)
        Image.fromarray(shifted[:200, :300]).save(folder / f"{i:05d}.png")
    return folder


def problems(scans: Path, out: Path, undisturbed: dict[str, bytes]) -> list[str]:
    """What does not hold in an OUTPUT that was disturbed and run again."""
    listed, found = kills.sources_in_ledger(out), results(out)
    wrong = []
    if listed != sorted(str(path) for path in scans.iterdir()):
        wrong.append(f"{len(listed)} rows of {len(set(listed))} photographs in the ledger")
    if extra := found.keys() - undisturbed.keys():
        wrong.append(f"beside the outputs: {sorted(extra)[:3]}")
    if missing := undisturbed.keys() - found.keys():
        wrong.append(f"{len(missing)} outputs are missing")
    if other := [name for name in found.keys() & undisturbed.keys() if found[name] != undisturbed[name]]:
        wrong.append(f"{len(other)} outputs have other bytes")
    return wrong


def loser(cluster: Nodes, number: int) -> kills.Kill:
    """Takes this worker from a cluster, and gives it another one."""

    def lose(job: object, mark: str) -> bool:
        cluster.lose(number)
        cluster.add()
        return True

    return lose


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=[*kills.NAMES, "node"], default=list(kills.NAMES))
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        scans = make_scans(Path(folder) / "scans", options.photographs)
        begun = time.monotonic()
        assert kills.run(scans, Path(folder) / "undisturbed") == DONE
        took = time.monotonic() - begun
        undisturbed = results(Path(folder) / "undisturbed")
        print(f"undisturbed: {len(undisturbed)} outputs, {took:.0f} s", flush=True)
        for kind in options.kinds:
            for i, moment in enumerate(rng.uniform(0, took, options.moments)):
                out = Path(folder) / f"{kind}-{i}"
                if kind == "node":
                    with nodes({}, workers=2) as cluster:
                        lose = loser(cluster, int(rng.integers(2)))
                        first = kills.run(scans, out, kill=lose, moment=moment, on=cluster.environment)
                else:
                    runner, who = kills.NAMES[kind]
                    first = kills.run(
                        scans, out, "--runner", *runner.split(), kill=kills.KILLS[runner, who], moment=moment
                    )
                done = len(kills.sources_in_ledger(out)) if (out / "_ledger").exists() else 0
                second = kills.run(scans, out)
                wrong = problems(scans, out, undisturbed)
                wrong += [f"exit status {second}"] * (second != DONE)
                wrong += [f"exit status {first} of the killed run"] * (
                    first not in ((-signal.SIGKILL, DONE) if kind == "driver" else (DONE,))
                )
                failed += bool(wrong)
                print(f"{kind:11} at {moment:4.1f} s, {done:5d} done: {'; '.join(wrong) or 'whole'}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
