"""The photographs that a gallery shows, and the thumbnails that it keeps."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorize_core.archiving.gallery import gallery_page
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.summary import RunSummary
from colorize_core.images.thumbnails import Thumbnails, thumbnail

MakeRow = Callable[..., LedgerRow]
RUN = RunSummary(
    run_id="20260102T030405Z-abcdef",
    status="done",
    started_at="2026-01-02T03:04:05+00:00",
    finished_at="2026-01-02T03:05:05+00:00",
    seconds=60.0,
    input="/in </script>",
    output="/out",
    format="png",
    bundle="unet",
    bundle_digest="ab" * 32,
    saturation=1.0,
    photographs=3,
    other_files=0,
    folders_not_listed=[],
    finished_before=0,
    failed_before=0,
    planned=3,
    ok=2,
    skipped=0,
    failed=1,
    reasons={"damaged": 1},
    bytes_written=99,
    doubt_quartiles=[4.0, 6.0, 9.0],
    stage_seconds={},
    images_per_second=1.0,
    versions={},
)
LAST = datetime(2026, 1, 2, 3, 5, 4, 678000, timezone.utc)
GRAY = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
COLOR = np.stack([GRAY, GRAY // 2, 255 - GRAY], axis=-1)


def _data(output: Path) -> dict[str, Any]:
    text = (output / "_report" / "photographs.js").read_text()
    data: dict[str, Any] = json.loads(text.removeprefix("start(").removesuffix(");\n"))
    return data


def _rows(output: Path) -> list[dict[str, Any]]:
    data = _data(output)
    return [dict(zip(data["columns"], row, strict=True)) for row in data["photographs"]]


def _album(output: Path, name: str, *contents: str) -> None:
    album = gallery_page.ThumbnailScripts(str(output), name)
    for content in contents:
        album.add(content, Thumbnails(thumbnail(GRAY), thumbnail(COLOR)))
    album.close()


def test_pictures_by_the_digest_of_their_files(tmp_path: Path) -> None:
    _album(tmp_path, "run-1", "ab" * 32, "cd" * 32)
    text = (tmp_path / "_report" / "pictures" / "run-1.js").read_text()
    name, files = json.loads(f"[{text.removeprefix('pictures(').removesuffix(chr(10)).removesuffix(');')}]")
    assert (name, list(files)) == ("run-1", ["ab" * 8, "cd" * 8])
    before, after = (Image.open(io.BytesIO(base64.b64decode(file))) for file in files["ab" * 8])
    assert before.size == after.size == (192, 96)
    assert np.ptp(np.asarray(before), axis=-1).max() <= 2
    assert np.ptp(np.asarray(after), axis=-1).max() > 100


def test_a_task_without_results_leaves_nothing(tmp_path: Path) -> None:
    _album(tmp_path, "run-1")
    assert not (tmp_path / "_report").exists()


def test_the_last_row_of_each_photograph(tmp_path: Path, make_row: MakeRow) -> None:
    first = make_row("/in/b.jpg", pictures="run-1", content="ab" * 32, colorfulness=12.5, pages=2)
    later = first.finished_at + timedelta(hours=1)
    failed = make_row("/in/a.jpg", status="failed", reason="damaged", message="<cut>", output="", pictures="")
    again = make_row("/in/b.jpg", pictures="run-2", content="cd" * 32, finished_at=later)
    ledger.append(str(tmp_path), "one", [first, failed])
    ledger.append(str(tmp_path), "two", [again])
    for name in ("run-1", "run-2", "run-3"):
        _album(tmp_path, name, "ab" * 32)
    gallery_page.write(str(tmp_path), RUN, LAST)
    a, b = _rows(tmp_path)
    assert (a["source"], a["status"], a["reason"], a["script"]) == ("/in/a.jpg", "failed", "damaged", None)
    assert (b["source"], b["content"], b["script"]) == ("/in/b.jpg", "cd" * 8, 0)
    assert _data(tmp_path)["scripts"] == ["run-2"]
    assert [path.name for path in (tmp_path / "_report" / "pictures").iterdir()] == ["run-2.js"]
    page = (tmp_path / "_report" / "index.html").read_text()
    assert "/in </script>" not in page
    assert "/in &lt;/script&gt;" in page


def test_a_page_is_current_until_a_later_row(tmp_path: Path) -> None:
    assert not gallery_page.is_current(str(tmp_path), LAST)
    gallery_page.write(str(tmp_path), RUN, LAST)
    assert gallery_page.is_current(str(tmp_path), LAST)
    assert not gallery_page.is_current(str(tmp_path), LAST + timedelta(milliseconds=1))


def test_no_more_than_a_browser_can_take(tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_page, "MAX_PHOTOGRAPHS", 5)
    when = make_row("x").finished_at
    for part in range(4):
        rows = [
            make_row(f"/in/{part}{i}.jpg", finished_at=when + timedelta(seconds=10 * (part % 3) + i)) for i in range(4)
        ]
        ledger.append(str(tmp_path), f"{part}", rows)
    gallery_page.write(str(tmp_path), RUN, LAST)
    assert [row["source"] for row in _rows(tmp_path)] == [
        "/in/13.jpg",
        *(f"/in/2{i}.jpg" for i in range(4)),
    ]


def test_of_more_than_can_be_shown_those_with_pictures_are(
    tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_page, "MAX_PHOTOGRAPHS", 3)
    when = make_row("x").finished_at
    rows = [
        make_row(f"/in/{i}.jpg", pictures="run-1" if i < 2 else "", finished_at=when + timedelta(seconds=i))
        for i in range(8)
    ]
    failed = make_row("/in/9.jpg", status="failed", reason="damaged", output="", pictures="")
    ledger.append(str(tmp_path), "one", [*rows, failed])
    gallery_page.write(str(tmp_path), RUN, LAST)
    assert [row["source"] for row in _rows(tmp_path)] == ["/in/0.jpg", "/in/1.jpg", "/in/9.jpg"]


def test_a_large_task_leaves_several_scripts(tmp_path: Path) -> None:
    album = gallery_page.ThumbnailScripts(str(tmp_path), "run-1")
    black = np.zeros((4, 6, 3), np.uint8)
    names = []
    for i in range(70):
        album.add(f"{i:016x}", Thumbnails(black, black))
        names.append(album.current_script)
    album.close()
    assert names == ["run-1"] * 32 + ["run-1.1"] * 32 + ["run-1.2"] * 6
    scripts = sorted((tmp_path / "_report" / "pictures").iterdir())
    assert [path.name for path in scripts] == ["run-1.1.js", "run-1.2.js", "run-1.js"]
    assert scripts[1].read_text().startswith('pictures("run-1.2", {')


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (100, 200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_look_at_any_size(shape: tuple[int, int], dtype: type[np.uint8 | np.uint16]) -> None:
    pixels = np.full(shape, np.iinfo(dtype).max // 2, dtype)
    look = Thumbnails(thumbnail(pixels), thumbnail(np.stack([pixels] * 3, axis=-1)))
    assert look.before.shape == look.after.shape
    assert max(look.before.shape[:2]) <= 192
    assert set(look.before.ravel()) == {127}
    assert all(Image.open(io.BytesIO(file)).format == "JPEG" for file in look.files())
