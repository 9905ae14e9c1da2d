"""Decoded photographs wait for the last stage, within a limit; results are the same with and without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import ArchiveConfig, ArchiveJob
from colorize_core.archiving.run import run_settings
from colorize_core.archiving.stages import kept_photographs
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.kept_photographs import KeptPhotographs
from colorize_core.archiving.stages.predict import predict
from colorize_core.archiving.stages.read import Read
from colorize_core.images import decode
from colorize_core.images.decode import Photograph, read_photograph
from colorize_core.images.metadata import Metadata
from colorize_core.inference.predictor import Networks, Predictor


def photograph(side: int) -> Photograph:
    return Photograph(np.zeros((side, side), np.uint8), None, Metadata(), 8)


def test_each_is_taken_once_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_photographs, "_MOST_BYTES", 250)
    kept, first = KeptPhotographs(), photograph(10)
    for name in ("one", "one", "two", "three"):  # two copies of one file have the same digest
        kept.put(name, 0, first if name == "one" else photograph(10))
    assert kept.take("three", 0) is None
    assert kept.take("one", 8) is None
    assert kept.take("one", 0) is first
    assert kept.take("one", 0) is None
    kept.put("three", 0, photograph(12))
    assert kept.take("three", 0)


@pytest.mark.parametrize("most", [128 << 20, 300_000, 0])
def test_results_are_the_same_with_and_without(
    gray_photographs: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for name, gray in gray_photographs.items():
        Image.fromarray(gray).save(scans / f"{name}.jpg")
        Image.fromarray(gray.astype(np.uint16) * 257).save(scans / f"{name}.tif")
        Image.fromarray(gray).save(scans / f"copy-of-{name}.jpg")
    decoded = []
    monkeypatch.setattr(decode, "read_photograph", lambda *a, **k: decoded.append(1) or read_photograph(*a, **k))
    results = {}
    for folder in ("kept", "not"):
        monkeypatch.setattr(kept_photographs, "_MOST_BYTES", most if folder == "kept" else -1)
        decoded.clear()
        job = ArchiveJob(ArchiveConfig(str(scans), str(tmp_path / folder), "fast", report=False))
        with job.locked(print) as lock:
            planned = job.plan()
            settings = run_settings(job, planned, lock)
            read, finish = Read(settings, job.bundle.recipe, recolor=False), Finish(settings)
            network = Predictor(Networks([job.bundle]), predict, 1)
            for task in planned.tasks():
                kept = KeptPhotographs()
                finish(network(read(task, kept=kept)), kept=kept)
        results[folder] = {path.name: path.read_bytes() for path in (tmp_path / folder).glob("*.png")}
        count = 3 * len(gray_photographs)
        assert len(decoded) == count if folder == "not" or not most else len(decoded) < count
    assert results["kept"] == results["not"]
    assert len(results["not"]) == count
