"""Fixtures that tests of several rooms share: photographs, data sets, Ray on this machine."""

from __future__ import annotations

import io
import logging
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.support import tiers

# By default Ray's workers have low priority, and would stand still while another test computes.
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on loopback
# In every cluster that tests start, the processes that watch Ray would take a quarter of two cores.
os.environ.setdefault("LOG_NAME_UPDATE_INTERVAL_S", "5")
os.environ.setdefault("REPORTER_UPDATE_INTERVAL_MS", "30000")
pytest_plugins = [
    "tests.support.container_files",
    "tests.support.locked_folder",
    "tests.support.ray_cluster",
    "tests.support.s3_server",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tiers.mark(items)


@pytest.fixture(scope="session")
def photographs() -> dict[str, NDArray[np.uint8]]:
    """Returns color photographs by name, from scikit-image's wheel."""
    from skimage import data

    return {name: getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")}


@pytest.fixture(scope="session")
def gray_photographs(photographs: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
    """Returns the same photographs in gray."""
    return {name: np.asarray(Image.fromarray(rgb).convert("L")) for name, rgb in photographs.items()}


@pytest.fixture
def archive_dir(tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """Returns a folder of gray photographs in two levels and three formats."""
    folder = tmp_path / "scans"
    (folder / "album").mkdir(parents=True)
    Image.fromarray(gray_photographs["astronaut"]).save(folder / "astronaut.png")
    Image.fromarray(gray_photographs["chelsea"]).save(folder / "album" / "chelsea.jpg", quality=95)
    Image.fromarray(gray_photographs["coffee"]).save(folder / "album" / "coffee.TIF")
    (folder / "notes.txt").write_text("not a photograph")
    return folder


@pytest.fixture(scope="session")
def color_dir(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """Returns a folder of 160 crops of color photographs, for training."""
    folder = tmp_path_factory.mktemp("color") / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, rgb in photographs.items():
        for i in range(40):
            top, left = rng.integers(0, rgb.shape[0] - 150), rng.integers(0, rgb.shape[1] - 200)
            Image.fromarray(rgb[top : top + 150, left : left + 200]).save(folder / f"{name}-{i:02d}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def cifar_dir(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """Returns a folder of crops in CIFAR-10's official Python layout: batches of 40, pickled with protocol 2."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        rows = []
        for i in range(40):
            rgb = list(photographs.values())[i % 4]
            top, left = rng.integers(0, rgb.shape[0] - 128), rng.integers(0, rgb.shape[1] - 128)
            small = Image.fromarray(rgb[top : top + 128, left : left + 128]).resize((32, 32), Image.Resampling.BOX)
            rows.append(np.asarray(small).transpose(2, 0, 1).reshape(3072))
        fields = {b"data": np.stack(rows), b"labels": [i % 10 for i in range(40)], b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(fields, protocol=2))
    return folder


@pytest.fixture(scope="session")
def ray_here() -> Iterator[None]:
    """Starts Ray with two CPUs in this process. Jobs that are called in the process use it and do not stop it.

    Ray is started once for all tests of a pytest worker, since its start takes longer than most tests.
    """
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def as_png() -> Callable[[NDArray[np.uint8]], bytes]:
    """Returns a function that encodes pixels as a PNG file."""

    def encode(pixels: NDArray[np.uint8]) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    return encode
