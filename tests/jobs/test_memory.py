"""A scan of 108 megapixels goes through within the memory of a small machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.support.process_memory import MARK, memory_of

LIMIT = 4 << 30  # bytes, of all processes of the job together: driver, Ray's own, stages and model


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux' /proc to measure memory")
def test_huge_scan(tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]]) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    small = gray_photographs["astronaut"]
    Image.fromarray(np.tile(small, (18, 24))[:9000, :12000]).save(scans / "huge.jpg", quality=85)
    for i in range(4):
        Image.fromarray(small).save(scans / f"small-{i}.jpg")
    mark = uuid.uuid4().hex
    call = [sys.executable, "-m", "jobs.archive", str(scans), str(out)]
    with subprocess.Popen(call, env={**os.environ, MARK: mark}, stdout=subprocess.DEVNULL) as job:
        peak = 0
        while job.poll() is None:
            peak = max(peak, memory_of(mark))
            time.sleep(0.2)
    assert job.returncode == 0
    with Image.open(out / "huge.png") as result:
        assert result.size == (12000, 9000)
    print(f"peak {peak / 1e9:.2f} GB")
    assert 0 < peak < LIMIT
