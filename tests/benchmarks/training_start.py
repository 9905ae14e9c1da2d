"""Seconds from the call of ``train`` to the end of the first training step, in this tree and in another, in turns.

    python -m tests.benchmarks.training_start PHOTOGRAPHS [--other TREE] [--recipe unet-lite] [--rounds 3]

PHOTOGRAPHS is a folder with some hundred color photographs; TREE is a folder with another version of the source. Each
measurement is a process of its own. The first step is not reported by itself: the first report comes three seconds or
more later, and says how many steps were done at which rate since then.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[2]
CODE = """
import inspect, sys, tempfile, time
begun = time.monotonic()
from colorize_core.recipes import load_recipe
from colorize_core.training.trainer import train
random_weights = {"model.encoder_weights": "none"} if "lite" in sys.argv[1] else {}
recipe = load_recipe(sys.argv[1], {"training.epochs": 1, **random_weights})
reports = []
def report(moment):
    if not reports:
        reports.append((time.monotonic() - begun, moment))
names = inspect.signature(train).parameters
callback = {"on_progress" if "on_progress" in names else "on_moment": report}  # as another tree may call it
train(recipe, "folder:" + sys.argv[2], tempfile.mkdtemp() + "/bundle", **callback)
[(seconds, moment)] = reports
part = moment.fraction if hasattr(moment, "fraction") else moment.part
steps = round(part * moment.seconds * moment.images_per_second / recipe.training.batch_size)
print(seconds - (steps - 1) * recipe.training.batch_size / moment.images_per_second)
"""


def first_step(tree: Path, recipe: str, photographs: str) -> float:
    """Returns the seconds from the start of the process to the end of its first step."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, recipe, photographs],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Prints each measurement, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs")
    parser.add_argument("--other", type=Path)
    parser.add_argument("--recipe", default="unet-lite")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    trees = [HERE, *([given.other.absolute()] if given.other else [])]
    seconds: dict[Path, list[float]] = {tree: [] for tree in trees}
    for _ in range(given.rounds):
        for tree in trees:
            seconds[tree].append(first_step(tree, given.recipe, os.path.abspath(given.photographs)))
            print(f"{tree}: {seconds[tree][-1]:.1f} s", flush=True)
    if given.other:
        here, there = (statistics.median(seconds[tree]) for tree in trees)
        print(f"this tree takes {here / there:.2f} of the other's time")


if __name__ == "__main__":
    main()
