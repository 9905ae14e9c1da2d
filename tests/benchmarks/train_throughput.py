"""Images per second of ``colorize train`` with one worker against plain ``keras.Model.fit``, in one run.

    python -m tests.benchmarks.train_throughput [--recipe cifar10-conv] [--images 6000] [--epochs 3] [--rounds 3]

Both train the same model with the same loss, optimizer and batch size on the same pairs of CIFAR-10's size, held in
memory, nothing augmented, each in a process of its own with all CPUs. The first epoch, which compiles, does not count;
nor does validation. Rounds alternate, since machines are noisy; the figure to quote is the ratio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from colorize_core import datasets
from colorize_core.datasets.splits import SplitRule
from colorize_core.preprocessing.pairs import to_pair
from colorize_core.recipes import Recipe, load_recipe
from colorize_core.recipes.network import build_model
from colorize_core.training.config import TrainConfig
from colorize_core.training.trainer import train
from tests.benchmarks.prepare_throughput import make_cifar


def ours(recipe: Recipe, data: Path, output: Path) -> float:
    """Images per second over all epochs but the first."""
    rows: list[dict[str, float]] = []
    train(TrainConfig(recipe, f"cifar10:{data}", str(output)), on_epoch=rows.append)
    return statistics.mean(row["images_per_second"] for row in rows[1:])


def fit(recipe: Recipe, data: Path, answer: multiprocessing.Queue[float]) -> None:
    """Puts images per second of ``Model.fit`` over all epochs but the first."""
    import keras

    plan = datasets.plan(f"cifar10:{data}", SplitRule(wanted=["train"]))
    rgb = np.concatenate([np.asarray(rows.rgb) for chunk in plan.chunks for rows in chunk()])
    inputs, targets = to_pair(rgb, recipe.data.gray, recipe.data.color_space)
    model = build_model(recipe)
    settings = recipe.training
    model.compile(keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay), settings.loss)
    steps = len(rgb) // settings.batch_size
    count = steps * settings.batch_size
    starts: list[float] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: starts.append(time.perf_counter()))
    epochs = settings.epochs
    model.fit(inputs[:count], targets[:count], settings.batch_size, epochs, verbose=0, callbacks=[watch])
    answer.put((epochs - 1) * count / (time.perf_counter() - starts[1]))


def main() -> None:
    """Prints a line per round, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="cifar10-conv", help="one for squares of 32 pixels")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, {"training.epochs": arguments.epochs, "data.flip": False})
    work = Path(tempfile.mkdtemp(prefix="colorize-benchmark-"))
    processes = multiprocessing.get_context("spawn")
    try:
        make_cifar(work / "cifar", arguments.images)
        ratios = []
        for i in range(arguments.rounds):
            answer = processes.Queue()
            plain = processes.Process(target=fit, args=(recipe, work / "cifar", answer))
            plain.start()
            theirs = answer.get(timeout=3600)
            plain.join()
            rate = ours(recipe, work / "cifar", work / f"bundle-{i}")
            ratios.append(rate / theirs)
            print(f"Model.fit {theirs:,.0f} images/s, colorize train {rate:,.0f}: {ratios[-1]:.2f} times", flush=True)
        print(f"median: {statistics.median(ratios):.2f} times")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
