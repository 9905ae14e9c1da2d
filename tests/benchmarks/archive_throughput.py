"""Images per second of ``colorize archive`` against the loop that a notebook has, in one run.

    python -m tests.benchmarks.archive_throughput [--images 1000] [--width 178 --height 218] [--rounds 3] [--runner ray]

The loop: scikit-image for the colors, one image per ``Model.predict``, Pillow for the files. Both colorize the same
gray JPEG files with the same model into PNG. Steady state: the loop is timed after its first image, the archive from
the first finished task to the last (start-up is given apart). Rounds alternate, since machines are noisy; the figure to
quote is the ratio.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import color, data, transform

from colorize_core import ArchiveConfig, ArchiveJob, load_bundle
from colorize_core.archiving.run import run
from colorize_core.preprocessing.network_size import network_size
from colorize_core.runtime.runner import RUNNERS, RunnerName


def make_photographs(folder: Path, count: int, width: int, height: int) -> None:
    """Gray JPEG crops of scikit-image's photographs, enlarged where they are too small."""
    rng = np.random.default_rng(0)
    photographs = [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    folder.mkdir(parents=True)
    for i in range(count):
        whole = Image.fromarray(photographs[i % len(photographs)]).convert("L")
        scale = max(1.0, 1.2 * width / whole.width, 1.2 * height / whole.height)
        whole = whole.resize((round(whole.width * scale), round(whole.height * scale)), Image.Resampling.BICUBIC)
        left, top = rng.integers(0, whole.width - width + 1), rng.integers(0, whole.height - height + 1)
        whole.crop((left, top, left + width, top + height)).save(folder / f"{i:05d}.jpg", quality=90)


def notebook_loop(photographs: list[Path], output: Path) -> float:
    """Images per second of the loop, without its first image."""
    output.mkdir()
    bundle = load_bundle("default")
    model, recipe = bundle.model(), bundle.recipe
    started = 0.0
    for i, path in enumerate(photographs):
        if i == 1:
            started = time.perf_counter()
        gray = np.asarray(Image.open(path).convert("RGB"))
        lightness = color.rgb2lab(gray)[..., 0]
        height, width = lightness.shape
        size = network_size(recipe, width, height)
        small = transform.resize(lightness, size[::-1], anti_aliasing=True)
        ab = model.predict(small[None, ..., None] / 50 - 1, verbose=0)[0] * 128
        lab = np.dstack([lightness, transform.resize(ab, (height, width))])
        Image.fromarray((color.lab2rgb(lab) * 255).astype(np.uint8)).save(output / f"{path.stem}.png")
    return (len(photographs) - 1) / (time.perf_counter() - started)


def archive_run(folder: Path, output: Path, runner: RunnerName) -> tuple[float, float]:
    """Images per second of the archive job in steady state, and the seconds before its first result."""
    started = time.perf_counter()
    finished: list[float] = []
    job = ArchiveJob(ArchiveConfig(str(folder), str(output), runner=runner))
    with job.locked(print) as lock:
        run(job, job.plan(), lock, lambda row: finished.append(time.perf_counter()))
    first = finished[0]
    later = sum(moment > first + 0.01 for moment in finished)  # rows of the first task come together
    return later / (finished[-1] - first), first - started


def main() -> None:
    """Prints a line per round, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000, help="for the archive job")
    parser.add_argument("--loop-images", type=int, default=60, help="for the loop, which is slow")
    parser.add_argument("--width", type=int, default=178)
    parser.add_argument("--height", type=int, default=218)
    parser.add_argument("--runner", choices=RUNNERS, default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="colorize-benchmark-"))
    try:
        make_photographs(work / "gray", arguments.images, arguments.width, arguments.height)
        paths = sorted((work / "gray").iterdir())[: arguments.loop_images]
        ratios = []
        for i in range(arguments.rounds):
            loop = notebook_loop(paths, work / f"loop-{i}")
            ours, start_up = archive_run(work / "gray", work / f"archive-{i}", arguments.runner)
            ratios.append(ours / loop)
            print(
                f"{arguments.width}x{arguments.height}: loop {loop:.1f} images/s, colorize archive {ours:.1f} images/s "
                f"after {start_up:.0f} s of start-up: {ratios[-1]:.1f} times",
                flush=True,
            )
        print(f"median {statistics.median(ratios):.1f} times")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
