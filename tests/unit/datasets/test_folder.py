"""Folders, tar and zip files of photographs: each photograph ends as a row or as a reject."""

from __future__ import annotations

import os
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.datasets import files
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import printable

Pack = Callable[[Path, Mapping[str, bytes]], str]
Ends = Callable[[str], dict[str, str]]
Refusal = Callable[[str], str]


def test_adding_files_moves_no_row_to_another_split(
    tmp_path: Path, pack: Pack, shots: Any, read_all: Callable[..., Any]
) -> None:
    pack(tmp_path / "set", {f"{i:02d}.png": shot.png for i, shot in enumerate(shots)})
    rule = SplitRule(0.25, 0.25)
    old = {name: row["split"] for name, row in read_all(datasets.plan(f"folder:{tmp_path}/set", rule)).items()}
    pack(tmp_path / "set", {f"album/{i:02d}.png": shot.png for i, shot in enumerate(shots)})
    pack(tmp_path / "set" / "0.zip", {f"{i:02d}.png": shot.png for i, shot in enumerate(shots)})
    new = {name: row["split"] for name, row in read_all(datasets.plan(f"folder:{tmp_path}/set", rule)).items()}
    assert len(new) == 3 * len(old)
    assert {name: new[name] for name in old} == old


@pytest.mark.parametrize("place", ["tree", "x.tar", "x.zip", "X.ZIP"])
@pytest.mark.parametrize("files", [{}, {"notes.txt": b"1"}], ids=["nothing", "no photograph"])
def test_an_empty_place_is_refused(
    tmp_path: Path, pack: Pack, refusal: Refusal, place: str, files: dict[str, bytes]
) -> None:
    assert refusal(f"folder:{pack(tmp_path / place, files)}").startswith("0 photographs below")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.tar", "nowhere.zip", "notes.txt"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, refusal: Refusal, name: str) -> None:
    (tmp_path / "notes.txt").write_text("a text")
    assert "no folder, .tar or .zip file at" in refusal(f"folder:{tmp_path / name}")


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz"])
def test_a_compressed_tar_file_is_refused_with_the_way_out(
    tmp_path: Path, pack: Pack, refusal: Refusal, shots: Any, suffix: str
) -> None:
    assert "unpack it to a .tar" in refusal(f"folder:{pack(tmp_path / f'x.{suffix}', {'a.png': shots[0].png})}")


@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
@pytest.mark.parametrize("keep", [0, 700, -1500], ids=["nothing", "begin", "all but the end"])
@pytest.mark.parametrize("below", [True, False], ids=["in a tree", "alone"])
def test_a_damaged_container_is_refused(
    tmp_path: Path, pack: Pack, refusal: Refusal, shots: Any, name: str, keep: int, below: bool
) -> None:
    path = tmp_path / "tree" / name
    pack(path, {f"{i}.png": shot.png for i, shot in enumerate(shots)})
    pack(tmp_path / "tree", {"fine.png": shots[0].png})
    path.write_bytes(path.read_bytes()[: keep or None] if keep else b"garbage" * 300)
    if keep < 0 and name == "x.tar":  # the end mark alone is more than 1500 bytes
        path.write_bytes(path.read_bytes()[:-9000])
    assert str(path) in refusal(f"folder:{path.parent if below else path}")


UNSAFE = ["../x.jpg", "../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "album/../../x.jpg"]


@pytest.mark.parametrize("place", ["x.tar", "x.zip", "tree/x.zip"])
def test_names_that_lead_outside_are_rejects(tmp_path: Path, pack: Pack, ends: Ends, shots: Any, place: str) -> None:
    path = pack(tmp_path / place, dict.fromkeys([*UNSAFE, "album../fine.png"], shots[0].png))
    prefix = "x.zip/" if "tree" in place else ""
    found = ends(f"folder:{tmp_path / 'tree' if prefix else path}")
    assert found == {**{prefix + printable(name): "unsafe_name" for name in UNSAFE}, prefix + "album../fine.png": ""}
    assert not (tmp_path.parent / "x.jpg").exists()


@pytest.mark.parametrize("suffix", ["tar", "zip"])
@pytest.mark.parametrize("second", ["a.png", "./a.png"])
def test_of_two_files_of_one_name_the_first_is_used(
    tmp_path: Path, shots: Any, suffix: str, second: str, read_all: Callable[..., Any]
) -> None:
    path = tmp_path / f"x.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns about what this test makes on purpose
        for i, name in enumerate(["a.png", second]):
            if suffix == "zip":
                with zipfile.ZipFile(path, "a") as archive:
                    archive.writestr(name, shots[i].png)
            else:
                (tmp_path / "file").write_bytes(shots[i].png)
                with tarfile.open(path, "a") as tar:
                    tar.add(tmp_path / "file", name)
    plan = datasets.plan(f"folder:{path}", SplitRule())
    [row] = read_all(plan).values()
    first = 1 if second < "a.png" else 0  # sorted by name, then as they lie in the file
    np.testing.assert_array_equal(row["rgb"], shots[first].rgb)
    assert [(reject.id, reject.reason) for reject in plan.rejects] == [("a.png", "duplicate")]


def test_two_names_that_look_alike_stay_two(tmp_path: Path, shots: Any, ends: Ends) -> None:
    (tmp_path / "\\xe9.png").write_bytes(shots[0].png)
    with open(os.fsencode(tmp_path) + b"/\xe9.png", "wb") as file:
        file.write(shots[1].png)
    plan = datasets.plan(f"folder:{tmp_path}", SplitRule())
    assert not plan.rejects
    assert sorted(name for chunk in plan.chunks for rows in chunk() for name in rows.id) == ["\\\\xe9.png", "\\xe9.png"]


@pytest.mark.parametrize("place", ["tree", "x.tar", "x.zip"])
def test_names_of_any_bytes_make_ids_that_can_be_written(
    tmp_path: Path, pack: Pack, shots: Any, ends: Ends, place: str
) -> None:
    names = ["été.png", "a\nb.png", "日本.png", *(["caf\udce9.png"] if place != "x.zip" else [])]
    path = pack(tmp_path / place, dict.fromkeys(names, shots[0].png))
    found = ends(f"folder:{path}")
    assert found == {name.replace("\udce9", "\\xe9"): "" for name in names}
    "".join(found).encode()


def test_a_damaged_container_of_a_strange_name_is_refused_in_words_that_can_be_printed(
    tmp_path: Path, refusal: Refusal
) -> None:
    with open(os.fsencode(tmp_path) + b"/\xe9.zip", "wb") as file:
        file.write(b"garbage")
    assert "\\xe9.zip" in refusal(f"folder:{tmp_path}").encode().decode()


def _png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\1IDAT"
    )


def test_damaged_members_are_rejects_and_the_others_rows(tmp_path: Path, pack: Pack, shots: Any, ends: Ends) -> None:
    bad = {"bomb.png": _png_header(100_000, 100_000), "cut.png": shots[0].png[:200], "empty.png": b"", "x.png": b"x"}
    path = Path(pack(tmp_path / "x.zip", bad | {"a.png": shots[0].png, "crc.png": shots[1].png}))
    content = path.read_bytes()
    at = content.index(b"crc.png") + len(shots[1].png) // 2
    path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    assert ends(f"folder:{path}") == {
        "a.png": "",
        "bomb.png": "too_large",
        "crc.png": "damaged",
        "cut.png": "damaged",
        "empty.png": "empty",
        "x.png": "not_an_image",
    }


def test_links_are_followed_to_files_and_said_where_they_lead_nowhere(tmp_path: Path, shots: Any, ends: Ends) -> None:
    (tmp_path / "a.png").write_bytes(shots[0].png)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "tree" / "broken.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "tree" / "loop").symlink_to(tmp_path / "tree")
    assert ends(f"folder:{tmp_path / 'tree'}") == {"link.png": "", "broken.png": "storage"}


def test_chunks_are_bounded_in_files_and_in_bytes(
    tmp_path: Path, pack: Pack, shots: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "tree", {f"{i:02d}.png": shot.png for i, shot in enumerate(shots)})
    monkeypatch.setattr(files, "_FILES_PER_CHUNK", 7)
    sizes = [sum(map(len, chunk())) for chunk in datasets.plan(f"folder:{path}", SplitRule()).chunks]
    assert sizes == [7, 7, 7, 3]
    monkeypatch.setattr(files, "_BYTES_PER_CHUNK", 1)
    assert len(datasets.plan(f"folder:{path}", SplitRule()).chunks) == len(shots)


def test_rows_come_shuffled_so_that_no_album_comes_alone(tmp_path: Path, pack: Pack, shots: Any) -> None:
    path = pack(tmp_path / "tree", {f"{i // 12}/{i:02d}.png": shot.png for i, shot in enumerate(shots)})
    [chunk] = datasets.plan(f"folder:{path}", SplitRule()).chunks
    albums = [identity[0] for rows in chunk() for identity in rows.id]
    assert 3 < albums[:12].count("0") < 9
