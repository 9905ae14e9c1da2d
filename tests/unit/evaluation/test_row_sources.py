"""The same functions give the same rows on Ray and in a child process, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core.datasets.splits import SplitRule
from colorize_core.evaluation import row_sources
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.row_sources import FunctionFactory, Rows, opened
from colorize_core.runtime.runner import RunnerName


@dataclass(frozen=True)
class Sized:
    """A row with fields that Arrow has no type for, and bytes that end with zeros."""

    image: ReadImage
    size: tuple[int, int]
    content: bytes


def _measure(prefix: str, images: list[ReadImage]) -> list[Sized]:
    return [Sized(image, image.rgb.shape[:2], f"{prefix}{image.id}".encode() + bytes(2)) for image in images]


def _open(prefix: str, threads: int | None) -> Callable[[list[ReadImage]], list[Sized]]:
    assert threads
    return partial(_measure, prefix)


def _describe(rows: list[Sized]) -> list[str]:
    assert rows
    return [f"{row.content!r} {row.size} {int(row.image.rgb.sum())} {row.image.gray}" for row in rows]


def _is_photograph(image: ReadImage) -> bool:
    return not image.reason


def _is_wide(row: Sized) -> bool:
    return row.size[1] > 500


def _described(images: Rows[ReadImage]) -> list[str]:
    rows = images.where(_is_photograph).map(FunctionFactory(partial(_open, "ab "))).where(_is_wide).map(_describe)
    batches = list(rows.batches())
    assert all(batches)
    return sorted(line for batch in batches for line in batch)


@pytest.fixture
def data(tmp_path: Path, photographs: Mapping[str, NDArray[np.uint8]]) -> str:
    """Photographs of several sizes, most of them narrow, and a file that is not an image."""
    for name, rgb in photographs.items():
        Image.fromarray(rgb).save(tmp_path / f"{name}.png")
        Image.fromarray(rgb[:50, :60]).save(tmp_path / f"{name} small.png")
    (tmp_path / "broken.png").write_bytes(b"not a photograph")
    return f"folder:{tmp_path}"


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("runner", ["local", "ray"])
def test_functions_are_applied_in_order(
    runner: RunnerName, data: str, photographs: Mapping[str, NDArray[np.uint8]]
) -> None:
    with opened(runner, data, ["train"], ["onnx"]) as sources:
        lines = _described(sources["train"])
    wide = {f"{name}.png": rgb for name, rgb in photographs.items() if rgb.shape[1] > 500}
    trained = {name: rgb for name, rgb in wide.items() if SplitRule().of(name) == "train"}
    assert len(trained) >= 2
    assert lines == sorted(
        f"{f'ab {name}'.encode() + bytes(2)!r} {rgb.shape[:2]} {int(rgb.sum())} None" for name, rgb in trained.items()
    )


@pytest.mark.parametrize(("engines", "threads"), [(["onnx"], 1), (["keras"], None), (["onnx", "keras"], None)])
def test_a_network_has_one_thread_unless_its_engine_uses_a_gpu(
    engines: list[str], threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_sources, "has_gpu", lambda engine: engine == "keras")
    granted: list[int | None] = []

    def make(threads_per_network: int | None) -> Callable[[list[ReadImage]], list[str]]:
        granted.append(threads_per_network)
        return lambda images: []

    row_sources._make_worker(make, engines, 2)
    assert granted == [threads]
