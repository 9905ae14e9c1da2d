"""Memory of one worker of ``colorize archive`` on a huge scan, and what the ordinary photographs beside it lose.

    python -m tests.benchmarks.huge_scans [--megapixels 200] [--images 2000] [--rounds 3]

Each kind of scan goes through alone, beside a small photograph; told are the peaks (resident memory, pages shared with
Ray's object store included) of the worker that had most. Then ordinary photographs of 178x218 alone, and with one huge
scan among them, in turns: told is the time from the first finished row to the last ordinary one.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from colorize_core import ArchiveConfig, ArchiveJob
from colorize_core.archiving.run import run
from tests.benchmarks.archive_throughput import make_photographs

KINDS = {
    "8 bits, gray, JPEG to PNG": ("8.jpg", "png"),
    "8 bits, gray, TIFF to TIFF": ("8.tif", "tiff"),
    "16 bits, gray, TIFF to PNG": ("16.tif", "png"),
    "16 bits, gray, TIFF to TIFF": ("16.tif", "tiff"),
}


def make_scans(folder: Path, megapixels: int) -> None:
    """A photograph with grain, enlarged; with 16 bits the lowest ones are noise, as a scanner's are."""
    side = round((1e6 * megapixels) ** 0.5)
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L"))
    rng = np.random.default_rng(0)
    large: NDArray[np.uint16] = cv2.resize(gray.astype(np.uint16) * 250, (side, side), interpolation=cv2.INTER_CUBIC)
    for top in range(0, side, 512):
        band = large[top : top + 512]
        band[:] = np.clip(band + rng.normal(0, 700, band.shape), 0, 65535)
    small = (large >> 8).astype(np.uint8)
    folder.mkdir()
    (folder / "8.jpg").write_bytes(imagecodecs.jpeg_encode(small, level=90))
    tifffile.imwrite(folder / "8.tif", small, rowsperstrip=64)
    tifffile.imwrite(folder / "16.tif", large, rowsperstrip=64)


def peaks(folder: Path, output: Path, file_format: str) -> dict[str, int]:
    """Most resident bytes of a process by its last stage, in a run of its own."""
    call = [sys.executable, "-m", "jobs.archive", str(folder), str(output), "--format", file_format]
    most: dict[str, int] = {}
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, start_new_session=True) as job:
        session = os.getsid(job.pid)
        while job.poll() is None:
            for process in Path("/proc").iterdir():
                try:
                    if process.name.isdigit() and os.getsid(int(process.name)) == session:
                        title = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
                        stage = re.match(r"ray::Map\w+\((?:MapBatches\()?(\w+)", title)
                        lines = (process / "status").read_text().splitlines()
                        peak = sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
                        if stage:
                            most[stage[1]] = max(most.get(stage[1], 0), peak)
                except (OSError, ProcessLookupError):
                    continue  # it has ended meanwhile
            time.sleep(0.2)
    if job.returncode:
        raise SystemExit(f"the run on {folder} ended with status {job.returncode}")
    return most


def ordinary_seconds(folder: Path, output: Path) -> float:
    """From the first finished row to the last one of an ordinary photograph."""
    finished: list[float] = []

    def note(row: object) -> None:
        if "-huge-" not in str(getattr(row, "source", "")):
            finished.append(time.perf_counter())

    job = ArchiveJob(ArchiveConfig(str(folder), str(output)))
    with job.locked(print) as lock:
        run(job, job.plan(), lock, note)
    return finished[-1] - finished[0]


def main() -> None:
    """Prints a line per kind and per round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=int, default=200)
    parser.add_argument("--images", type=int, default=2000, help="ordinary ones")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="colorize-benchmark-"))
    try:
        make_scans(work / "scans", arguments.megapixels)
        for number, (kind, (name, file_format)) in enumerate(KINDS.items()):
            folder = work / f"scan-{number}"
            make_photographs(folder, 1, 178, 218)
            os.link(work / "scans" / name, folder / name)
            most = peaks(folder, work / f"out-{number}", file_format)
            said = ", ".join(f"{name} {peak / 2**30:.2f} GiB" for name, peak in sorted(most.items()))
            print(f"{arguments.megapixels} megapixels, {kind}: {said}", flush=True)
            shutil.rmtree(work / f"out-{number}")
        make_photographs(work / "alone", arguments.images, 178, 218)
        for name in ("8.jpg", "16.tif"):
            make_photographs(work / name, arguments.images, 178, 218)
            os.link(work / "scans" / name, work / name / f"00100-huge-{name}")
        for i in range(arguments.rounds):
            alone, *beside = (ordinary_seconds(work / n, work / f"{n}-{i}") for n in ("alone", "8.jpg", "16.tif"))
            for name, seconds in zip(("8.jpg", "16.tif"), beside, strict=True):
                print(f"{arguments.images} ordinary: alone {alone:.1f} s, beside {name} {seconds:.1f} s", flush=True)
                print(f"images/s beside it: {alone / seconds:.2f} of those alone", flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
