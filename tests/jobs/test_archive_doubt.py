"""The doubt of each photograph reaches the ledger, the run file, the screen, the list for review and the shards."""

from __future__ import annotations

import csv
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import Colorizer, load_bundle
from colorize_core.archiving.state import ledger
from colorize_core.bundle import save_bundle
from colorize_core.images import resizing
from tests.support.archive_job import archive, runs


@pytest.fixture
def scans(gray_photographs: dict[str, NDArray[np.uint8]], tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, gray in gray_photographs.items():
        Image.fromarray(gray).save(folder / f"{name}.png")
    Image.new("L", (90, 60), 128).save(folder / "flat.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def doubts_of(out: Path) -> dict[str, float | None]:
    return {Path(source).stem: row.doubt for source, row in ledger.latest(str(out)).items()}


def test_doubt_is_that_of_the_model_and_reaches_every_record(
    scans: Path, gray_photographs: dict[str, NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, review = tmp_path / "out", tmp_path / "review.csv"
    assert archive(scans, out, "--model", "fast", "--review", review, "--review-rows", "2", "--max-failed", "1") == 0
    doubts = doubts_of(out)
    assert doubts.pop("broken") is None
    colorizer = Colorizer(load_bundle("fast"))
    for name, gray in gray_photographs.items():
        small = resizing.resize(gray, colorizer.size_for(gray.shape[1], gray.shape[0]))
        [colors] = colorizer.predict_with_doubt([small])
        assert doubts[name] == pytest.approx(colors.doubt, rel=0.02)
    known = {name: doubt for name, doubt in doubts.items() if doubt is not None}
    assert known.keys() == doubts.keys()
    with review.open(newline="") as file:
        _, *rows = csv.reader(file)
    worst = sorted(known, key=lambda name: known[name], reverse=True)[:2]
    assert [Path(row[1]).stem for row in rows] == worst
    assert [Path(row[2]) for row in rows] == [out / f"{name}.png" for name in worst]
    assert [float(row[0]) for row in rows] == [pytest.approx(known[name], abs=0.006) for name in worst]
    [facts] = runs(out)
    ranked = sorted(known.values())
    quartiles = [ranked[int(np.ceil(share * len(ranked))) - 1] for share in (0.25, 0.5, 0.75)]
    assert facts["doubt_quartiles"] == [pytest.approx(quartile, abs=0.051) for quartile in quartiles]
    screen = capsys.readouterr()
    assert "doubt, quartiles" in screen.out
    assert f"review: 2 results in {review}, the most doubtful first" in screen.err
    page = (out / "_report" / "look-at-these-first.html").read_text()
    assert "Look at these first" in page


def test_shards_have_the_same_doubt(scans: Path, tmp_path: Path) -> None:
    for file_format in ("png", "parquet", "tar"):
        out = tmp_path / file_format
        assert archive(scans, out, "--model", "fast", "--format", file_format, "--max-failed", "1", "--no-report") == 0
    expected = doubts_of(tmp_path / "png")
    assert doubts_of(tmp_path / "parquet") == doubts_of(tmp_path / "tar") == expected
    [shard] = (tmp_path / "parquet").glob("*.parquet")
    rows = pq.read_table(shard, columns=["source", "doubt"]).to_pylist()
    assert {Path(row["source"]).stem: row["doubt"] for row in rows} == expected
    [shard] = (tmp_path / "tar").glob("*.tar")
    with tarfile.open(shard) as tar:
        names = [name for name in tar.getnames() if name.endswith(".json")]
        facts = [json.load(tar.extractfile(name)) for name in names]  # type: ignore[arg-type]
    assert {Path(fact["source"]).stem: fact["doubt"] for fact in facts} == {
        name: doubt for name, doubt in expected.items() if doubt is not None
    }


def test_a_bundle_without_doubt_says_so(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_bundle(replace(load_bundle("fast"), doubt=None), str(tmp_path / "bundle"), {})
    out = tmp_path / "out"
    assert archive(scans, out, "--model", tmp_path / "bundle", "--review", tmp_path / "r.csv", "--max-failed", "1") == 0
    assert set(doubts_of(out).values()) == {None}
    assert runs(out)[0]["doubt_quartiles"] is None
    screen = capsys.readouterr()
    assert "quartiles" not in screen.out
    assert "has no doubt" in screen.err
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 1
    assert not (out / "_report" / "look-at-these-first.html").exists()
    assert "most doubtful" not in (out / "_report" / "index.html").read_text()
