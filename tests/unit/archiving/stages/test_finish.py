"""The last stage, without Ray."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tifffile

from colorize_core.archiving.planning.plan import PlannedPhotograph
from colorize_core.archiving.stages import finish, pages
from colorize_core.archiving.stages.finish import Finish
from colorize_core.archiving.stages.pages import PageInput, PageRow
from colorize_core.archiving.stages.run_settings import RunSettings
from colorize_core.archiving.state.lock import Holder, Lock
from colorize_core.images import decode
from colorize_core.images.encode import Encoding
from colorize_core.inference.colorizer import PredictedColors


def _pages(count: int) -> pa.Table:
    """Returns the table of a photograph with ``count`` pages after the stage ``predict``."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for number in range(count):
            file.write(np.random.default_rng(number).integers(0, 256, (64, 64)).astype(np.uint8))
    content = buffer.getvalue()
    planned = PlannedPhotograph(
        path=b"a.tif", source="a.tif", name="a.tif", size=len(content), fingerprint="1-1", output="a.png", task=0
    )
    ab = np.full((2, 2, 2), 9, np.float32)
    gray = np.zeros((2, 2), np.uint8)
    rows = [
        PageRow.of(planned).with_input(PageInput(number, frame, gray)).with_prediction(PredictedColors(ab, None), 0.0)
        for number, frame in enumerate(decode.open_photograph(content).frames, 1)
    ]
    return pages.to_table(rows, [content] + [b""] * (count - 1))


@pytest.mark.parametrize(("most", "status"), [(1 << 20, "ok"), (10_000, "failed")])
def test_results_that_are_held_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, status: str
) -> None:
    monkeypatch.setattr(finish, "MAX_BYTES", most)
    lock = Lock(str(tmp_path), Holder.current("20260102T030405Z-abcdef"))
    with lock.hold(print):
        settings = RunSettings(
            run_id="20260102T030405Z-abcdef",
            output=str(tmp_path),
            file_format="png",
            encoding=Encoding("png"),
            model="m",
            digest="d",
            settings="format=png",
            fence=lock.fence,
            not_before=datetime(2026, 1, 2, tzinfo=timezone.utc),
        )
        [row] = Finish(settings)(_pages(4)).to_pylist()
    assert (row["status"], row["pages"]) == (status, 4 if status == "ok" else 0)
    assert len(list(tmp_path.glob("*.png"))) == row["pages"]
    if status == "failed":
        assert row["reason"] == "too_large"
        assert row["message"].startswith("2 of 4 pages make")
