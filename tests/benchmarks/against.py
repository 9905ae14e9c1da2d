"""This commit against another one, and against a hand-tuned loop: photographs per second, bytes, memory.

    python -m tests.benchmarks.against COMMIT [--rounds 3] [--kinds small-png,large-jpeg] [--here]

Checks out COMMIT, installs it in an environment of its own (``--here``: runs its code in this environment), and lets
both commits colorize the same files with the same weights, in turns: those of COMMIT's bundle ``default``. The bundle
is converted for this commit if that knows a newer format.

A photograph's cost is the slope between a run of few photographs and one of many, so that starting costs nothing. The
ratio is the median of the rounds, with the smallest and the largest. Memory is the largest sum of all processes' own
and proportional pages (PSS). Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from skimage import data

from tests.support.process_memory import MARK, memory_of

REPOSITORY = Path(__file__).parents[2]
_SAMPLING = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True)
class Kind:
    """Photographs of one kind, and what becomes of them.

    Attributes:
        size: width and height in pixels.
        suffix: of the files: ``.jpg`` for 8 bits, ``.tif`` for 16.
        file_format: the value of ``--format``.
        few: photographs of the short run; 0 for one run of ``many``.
        many: photographs of the long run.
    """

    size: tuple[int, int]
    suffix: str
    file_format: str
    few: int
    many: int


KINDS = {
    "small-png": Kind((178, 218), ".jpg", "png", 200, 1200),
    "small-jpeg": Kind((178, 218), ".jpg", "jpeg", 200, 1200),
    "large-png": Kind((2000, 1500), ".jpg", "png", 16, 96),
    "large-jpeg": Kind((2000, 1500), ".jpg", "jpeg", 16, 96),
    "large-parquet": Kind((2000, 1500), ".jpg", "parquet", 16, 96),
    "deep-png": Kind((2000, 1500), ".tif", "png", 16, 64),
    "deep-tiff": Kind((2000, 1500), ".tif", "tiff", 16, 64),
    "huge-tiff": Kind((16_000, 12_500), ".tif", "tiff", 0, 1),
}


@dataclass(frozen=True)
class Program:
    """A program that colorizes a folder: called with INPUT, OUTPUT and options."""

    command: list[str]
    model: str
    code: Path


def make_photographs(folder: Path, kind: Kind, count: int) -> None:
    """Crops of scikit-image's photographs, gray, enlarged, with the grain of a film."""
    rng = np.random.default_rng(0)
    grays = [cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2GRAY) for name in ("astronaut", "chelsea", "coffee")]
    width, height = kind.size
    folder.mkdir(parents=True)
    for number in range(count):
        gray = grays[number % len(grays)]
        side = min(gray.shape) * 3 // 4
        top, left = (int(rng.integers(0, length - side + 1)) for length in gray.shape)
        part = gray[top : top + side, left : left + side]
        values = cv2.resize(part.astype(np.float32), kind.size, interpolation=cv2.INTER_CUBIC)
        grain = rng.normal(0, 4, (min(height, 2000), width)).astype(np.float32)
        for start in range(0, height, len(grain)):
            rows = values[start : start + len(grain)]
            rows += grain[: len(rows)]
        path = folder / f"{number:05}{kind.suffix}"
        if kind.suffix == ".tif":
            tifffile.imwrite(path, np.clip(values * 257, 0, 65535).astype(np.uint16), rowsperstrip=64)
        else:
            path.write_bytes(imagecodecs.jpeg8_encode(np.clip(values, 0, 255).astype(np.uint8), level=90))


def run(program: Program, kind: Kind, photographs: Path, folder: Path) -> tuple[float, int, int]:
    """Returns seconds, bytes of the results, and the largest memory."""
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    call = [*program.command, str(photographs), str(output), "--format", kind.file_format, "--model", program.model]
    mark = uuid.uuid4().hex
    environment = os.environ | {"PYTHONPATH": str(program.code), MARK: mark}
    started, memory = time.perf_counter(), 0
    with subprocess.Popen(
        call, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=_SAMPLING)
                break
            except subprocess.TimeoutExpired:
                memory = max(memory, memory_of(mark))
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{call}: {errors.decode()[-2000:]}")
    files = [path for path in output.rglob("*") if path.is_file() and "/_" not in str(path.relative_to(folder))]
    return seconds, sum(path.stat().st_size for path in files), memory


def other_program(commit: str, folder: Path, here: bool) -> Program:
    """Checks out a commit, and installs it."""
    code = folder / "other"
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(REPOSITORY), str(code)], check=True)
    subprocess.run(["git", "-C", str(code), "checkout", "--quiet", commit], check=True)
    python = sys.executable
    if not here:
        python = str(folder / "environment" / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "environment")], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", str(code / "constraints.txt"), str(code)]
        subprocess.run(pip, check=True)
    return Program([python, "-m", "jobs.archive"], str(code / "colorize_core" / "pretrained" / "default"), code)


def converted(model: str, folder: Path) -> str:
    """Returns a bundle that both engines of this commit can run, with the weights of another."""
    if (Path(model) / "model.onnx").exists():
        return model
    target = str(folder / "bundle")
    subprocess.run(
        [sys.executable, "-m", "jobs.export", model, target, "--format", "bundle"], check=True, cwd=REPOSITORY
    )
    return target


def measure(name: str, programs: dict[str, Program], folder: Path, rounds: int) -> None:
    """Prints a line of the table for each program."""
    kind = KINDS[name]
    inputs = {count: folder / f"in-{count}" for count in (kind.few, kind.many) if count}
    for count, photographs in inputs.items():
        make_photographs(photographs, kind, count)
    costs: dict[str, list[float]] = {label: [] for label in programs}
    facts: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for label, program in programs.items():
            if label == "hand-tuned" and (kind.file_format == "parquet" or not kind.few):
                continue
            runs = {count: run(program, kind, photographs, folder) for count, photographs in inputs.items()}
            short = runs[kind.few][0] if kind.few else 0.0
            costs[label].append((runs[kind.many][0] - short) / (kind.many - kind.few))
            facts[label] = runs[kind.many][1:]
    for label, seconds in costs.items():
        if seconds:
            ratios = sorted(one / own for one, own in zip(seconds, costs["this"], strict=True))
            size, memory = facts[label]
            print(
                f"| {name} | {label} | {1 / statistics.median(seconds):.2f} | {statistics.median(ratios):.2f} "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f}) | {size / kind.many / 1e6:.3f} | {memory / 2**30:.2f} |",
                flush=True,
            )
    for photographs in inputs.values():
        shutil.rmtree(photographs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--here", action="store_true", help="run the other commit in this environment")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        other = other_program(arguments.commit, folder, arguments.here)
        model = converted(other.model, folder)
        programs = {
            "this": Program([sys.executable, "-m", "jobs.archive"], model, REPOSITORY),
            arguments.commit: other,
            "hand-tuned": Program([sys.executable, "-m", "tests.benchmarks.hand_tuned"], model, REPOSITORY),
        }
        print("| photographs | program | per second | its cost over this one's | MB each | peak GiB |")
        print("|---|---|---|---|---|---|", flush=True)
        for name in arguments.kinds.split(","):
            measure(name, programs, folder, arguments.rounds)


if __name__ == "__main__":
    main()
