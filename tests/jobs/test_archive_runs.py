"""What archives are given and how runs follow each other: containers, lists, copies, estimates, lines for programs."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core import storage
from colorize_core.archiving.state import ledger
from colorize_core.storage import parquet
from jobs.exits import DONE, TOO_MANY_FAILED, USAGE
from tests.support.archive_job import archive, results, runs
from tests.support.s3_server import S3

AsPng = Callable[[NDArray[np.uint8]], bytes]


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def boxes(tmp_path: Path, gray_photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """A tar and a zip file with names that nobody should use."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    names = [
        "a.png",
        "../../escaped.png",
        "/absolute.png",
        "new\nline.png",
        "b" * 150 + "/" + "c" * 251 + ".png",
        "-x.png",
    ]
    rolled = [png(np.roll(gray_photographs["coffee"], i, axis=0)[:90, :120]) for i in range(len(names))]
    with tarfile.open(folder / "1.tar", "w") as tar:
        for name, content in zip(names, rolled, strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with zipfile.ZipFile(folder / "2.zip", "w") as archive_:
        archive_.writestr("a.png", rolled[0])
        archive_.writestr("bad.jpg", b"no photograph")
    return folder


def test_containers_are_colorized_in_place_and_nothing_leads_out(boxes: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "out"
    before = set(tmp_path.rglob("*")) | {tmp_path / "deep", tmp_path / "deep" / "er", out}
    assert archive(boxes, out) == TOO_MANY_FAILED
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} == before
    shortened = re.compile(r"c{223}\.[0-9a-f]{16}\.png")  # of 255 bytes, in which pages would have no room
    assert sorted(shortened.sub("c.png", name) for name in results(out)) == sorted(
        [
            "1.tar/a.png",
            "1.tar/_/_/escaped.png",
            "1.tar/absolute.png",
            "1.tar/new\nline.png",
            "1.tar/" + "b" * 150 + "/c.png",
            "1.tar/-x.png",
            "2.zip/a.png",
        ]
    )
    rows = ledger.latest(str(out))
    assert len(rows) == 8
    assert rows[f"{boxes}/2.zip/bad.jpg"].reason == "not_an_image"
    assert archive(boxes, out) == DONE
    assert (runs(out)[-1]["finished_before"], runs(out)[-1]["failed_before"]) == (7, 1)


def test_a_folder_its_tar_file_and_its_parquet_file_are_colorized_alike(archive_dir: Path, tmp_path: Path) -> None:
    assert archive(archive_dir, tmp_path / "as-files", "--format", "parquet") == DONE
    [shard] = [name for name in results(tmp_path / "as-files") if name.endswith(".parquet")]
    rows = {Path(row["source"]).stem: row for row in pq.read_table(tmp_path / "as-files" / shard).to_pylist()}
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(archive_dir, "scans")
    assert archive(tmp_path / "all.tar", tmp_path / "as-tar", "--format", "tar") == DONE
    [packed] = [name for name in results(tmp_path / "as-tar") if name.endswith(".tar")]
    with tarfile.open(tmp_path / "as-tar" / packed) as tar:
        names = tar.getnames()
        images = {name: tar.extractfile(name).read() for name in names if name.endswith(".png")}  # type: ignore[union-attr]
    assert sorted(images) == [
        "scans/album/chelsea%2Ejpg.png",
        "scans/album/coffee%2ETIF.png",
        "scans/astronaut%2Epng.png",
    ]
    for name, content in images.items():
        with (
            Image.open(io.BytesIO(content)) as ours,
            Image.open(io.BytesIO(rows[Path(name).stem.partition("%")[0]]["image"])) as theirs,
        ):
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    # What was written as Parquet is read as Parquet.
    assert archive(tmp_path / "as-files", tmp_path / "again", "--saturation", "0", "--recolor") == DONE
    assert len(results(tmp_path / "again")) == 3


def test_a_list_of_paths_names_what_is_done(archive_dir: Path, tmp_path: Path) -> None:
    lines = ["scans/album/chelsea.jpg", f"{archive_dir}/astronaut.png", "scans/album/chelsea.jpg", "scans/gone.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    assert archive(tmp_path / "list.txt", tmp_path / "out") == TOO_MANY_FAILED
    assert sorted(results(tmp_path / "out")) == sorted(
        ["scans/album/chelsea.png", f"{archive_dir}/astronaut.png".lstrip("/")]
    )
    rows = ledger.latest(str(tmp_path / "out"))
    assert [row.reason for row in rows.values() if row.status == "failed"] == ["unreadable"]
    assert runs(tmp_path / "out")[-1]["photographs"] == 3


def test_equal_files_are_colorized_once(archive_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    shutil.copy(archive_dir / "astronaut.png", archive_dir / "zz-copy.png")
    (archive_dir / "bad.jpg").write_bytes(b"no photograph")
    shutil.copy(archive_dir / "bad.jpg", archive_dir / "bad too.jpg")
    assert archive(archive_dir, out, "--dedupe") == TOO_MANY_FAILED
    made = results(out)
    assert made["zz-copy.png"] == made["astronaut.png"]
    rows = {Path(source).name: row for source, row in ledger.latest(str(out)).items()}
    assert rows["zz-copy.png"].message == f"equal to {archive_dir}/astronaut.png"
    assert rows["zz-copy.png"].content == rows["astronaut.png"].content != rows["chelsea.jpg"].content
    assert (rows["bad.jpg"].reason, rows["bad too.jpg"].reason) == ("not_an_image", "not_an_image")
    assert sorted(made) == ["album/chelsea.png", "album/coffee.png", "astronaut.png", "zz-copy.png"]

    # One that comes later is known, too; what has changed is no original any more.
    shutil.copy(archive_dir / "album" / "chelsea.jpg", archive_dir / "later.jpg")
    shutil.copy(archive_dir / "zz-copy.png", archive_dir / "astronaut again.png")
    shutil.copy(archive_dir / "album" / "coffee.TIF", archive_dir / "astronaut.png")
    assert archive(archive_dir, out, "--dedupe") == DONE
    rows = {Path(source).name: row for source, row in ledger.latest(str(out)).items()}
    assert rows["later.jpg"].message == f"equal to {archive_dir}/album/chelsea.jpg"
    assert rows["astronaut again.png"].message == f"equal to {archive_dir}/zz-copy.png"
    assert rows["astronaut.png"].message == f"equal to {archive_dir}/album/coffee.TIF"
    made = results(out)
    assert made["later.png"] == made["album/chelsea.png"]
    assert made["astronaut.png"] == made["album/coffee.png"]
    assert made["astronaut again.png"] == made["zz-copy.png"]
    capsys.readouterr()
    assert archive(archive_dir, tmp_path / "shards", "--dedupe", "--format", "parquet") == USAGE
    assert "--dedupe needs a format with one file per photograph" in capsys.readouterr().err


def test_programs_read_a_json_object_per_line(
    archive_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (archive_dir / "bad.jpg").write_bytes(b"no photograph")
    assert archive(archive_dir, out, "--log-json") == TOO_MANY_FAILED
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["plan", "failed", "summary"]
    assert (events[0]["photographs"], events[0]["planned"], events[0]["estimated_seconds"]) == (4, 4, None)
    assert (events[1]["source"], events[1]["reason"]) == (f"{archive_dir}/bad.jpg", "not_an_image")
    summary = {name: value for name, value in events[2].items() if name not in ("time", "event")}
    assert summary == runs(out)[-1]
    assert set(summary["stage_seconds"]) == {"read", "predict", "finish"}
    assert all(seconds > 0 for seconds in summary["stage_seconds"].values())

    shutil.copy(archive_dir / "astronaut.png", archive_dir / "new.png")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert archive(archive_dir, out, "--dry-run", "--log-json") == DONE
    [plan] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (plan["planned"], plan["finished_before"], plan["failed_before"]) == (1, 3, 1)
    assert plan["bytes"] == (archive_dir / "new.png").stat().st_size
    assert plan["estimated_seconds"] == pytest.approx(1 / float(str(summary["images_per_second"])))
    assert archive(archive_dir, out, "--dry-run") == DONE
    assert "at the pace of the largest of the last runs here" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_rows_stay_in_order_when_the_clock_is_set_back(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out) == DONE
    for path in (out / "_ledger").iterdir():
        table = pq.read_table(path)
        ahead = [row | {"finished_at": row["finished_at"].replace(year=2099)} for row in table.to_pylist()]
        path.write_bytes(parquet.to_parquet(type(table).from_pylist(ahead, ledger.SCHEMA)))  # with a wrong clock
    Image.new("L", (40, 30), 90).save(archive_dir / "astronaut.png")
    assert archive(archive_dir, out) == DONE
    assert runs(out)[-1]["ok"] == 1
    assert archive(archive_dir, out) == DONE
    assert (runs(out)[-1]["ok"], runs(out)[-1]["finished_before"]) == (0, 3)
    assert ledger.latest(str(out))[f"{archive_dir}/astronaut.png"].width == 40


def test_an_unchanged_archive_leaves_nothing_but_a_summary(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert archive(archive_dir, out) == DONE
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert archive(archive_dir, out) == DONE
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    [summary] = set(after) - set(before)
    assert summary.parent == out / "_runs"
    assert {path: after[path] for path in before} == before


def test_a_gallery_that_is_not_there_is_made_though_nothing_is_left_to_do(archive_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    page = out / "_report" / "index.html"
    assert archive(archive_dir, out, "--no-report") == DONE
    assert not page.exists()
    assert archive(archive_dir, out, "--no-report") == DONE
    assert not page.exists()
    assert archive(archive_dir, out) == DONE
    assert "astronaut.png" in (page.parent / "photographs.js").read_text()
    before = page.stat().st_mtime_ns
    assert archive(archive_dir, out) == DONE
    assert page.stat().st_mtime_ns == before


def test_what_others_left_in_output_or_took_from_it(
    gray_photographs: dict[str, NDArray[np.uint8]], tmp_path: Path, as_png: AsPng
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    (scans / "album.png").write_bytes(as_png(gray_photographs["coffee"][:40, :60]))
    os.mkfifo(os.fsencode(scans) + b"/caf\xe9.jpg")
    assert archive(scans, out) == TOO_MANY_FAILED
    assert {row.reason for row in ledger.latest(str(out)).values()} == {"", "unreadable"}
    os.unlink(os.fsencode(scans) + b"/caf\xe9.jpg")

    (out / "mine.png").write_bytes(b"a drawing")
    (scans / "mine.jpg").write_bytes(as_png(gray_photographs["coffee"][40:80, :60]))
    assert archive(scans, out) == TOO_MANY_FAILED
    assert (out / "mine.png").read_bytes() == b"a drawing"
    assert ledger.latest(str(out))[str(scans / "mine.jpg")].reason == "taken"
    (out / "mine.png").rename(tmp_path / "mine.png")
    assert archive(scans, out) == DONE

    whole = scans / "album.png"
    whole.rename(scans / "single.png")
    (scans / "album.png").mkdir()
    (scans / "album.png" / "page.jpg").write_bytes(as_png(gray_photographs["coffee"][80:120, :60]))
    assert archive(scans, out) == DONE
    pages = [name for name in results(out) if name.endswith("/page.png")]
    assert [name.startswith("album.png.") for name in pages] == [True]

    (out / "mine.png").unlink()
    shutil.copy(scans / "mine.jpg", scans / "same.jpg")
    assert archive(scans, out, "--dedupe") == DONE
    assert (out / "same.png").is_file()


def test_a_lock_in_s3(archive_dir: Path, bucket: str, s3_server: S3, capsys: pytest.CaptureFixture[str]) -> None:
    """moto's server refuses to create an object twice, as Amazon's does."""
    from colorize_core.archiving.state.lock import Holder, Lock

    first = Lock(f"{bucket}/out", Holder.current("first"))
    with first.hold(print):
        assert first.is_exclusive
        assert archive(archive_dir, f"{bucket}/out") == 1
    assert "OUTPUT is being written by run first" in capsys.readouterr().err
    assert not storage.find(f"{bucket}/out")
