"""Pairs of gray and color: names that match, and NumPy files that belong together; a pickle is never loaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import datasets
from colorize_core.datasets import paired
from colorize_core.datasets.splits import SplitRule

Refusal = Callable[[str], str]
Pack = Callable[[Path, Mapping[str, bytes]], str]
Ends = Callable[[str], dict[str, str]]


@pytest.mark.parametrize(
    ("gray", "color"), [("gray", "color"), ("grey", "colour"), ("Grayscale", "RGB"), ("black_and_white", "original")]
)
def test_the_folders_go_by_many_names(
    tmp_path: Path, pack: Pack, shots: Any, ends: Ends, gray: str, color: str
) -> None:
    for folder in (gray, color):
        pack(tmp_path / folder, {"a.png": shots[0].png})
    pack(tmp_path / "labels", {"b.png": shots[0].png})
    assert ends(f"paired:{tmp_path}") == {"a": ""}


def test_names_match_without_their_suffix_and_the_second_of_one_name_is_a_reject(
    tmp_path: Path, pack: Pack, shots: Any, ends: Ends
) -> None:
    pack(tmp_path / "gray", {"x/a.bmp": shots[0].png, "x/a.png": shots[0].png})
    pack(tmp_path / "color", {"x/a.jpg": shots[0].png, "x/a.tif": b"", "a.jpg": shots[0].png})
    assert ends(f"paired:{tmp_path}") == {
        "x/a": "",
        "gray/x/a.png": "duplicate",
        "color/x/a.tif": "duplicate",
        "color/a.jpg": "unpaired",
    }


def test_containers_in_both_trees(tmp_path: Path, pack: Pack, shots: Any, ends: Ends) -> None:
    for folder in ("gray", "color"):
        pack(tmp_path / folder / "1.zip", {"a.png": shots[0].png, "../a.png": shots[0].png})
    assert ends(f"paired:{tmp_path}") == {
        "1.zip/a": "",
        "gray/1.zip/../a.png": "unsafe_name",
        "color/1.zip/../a.png": "unsafe_name",
    }


@pytest.mark.parametrize("bad", ["gray", "color"])
def test_half_a_pair_is_a_reject_whichever_half_is_damaged(
    tmp_path: Path, pack: Pack, shots: Any, bad: str, read_all: Callable[..., Any]
) -> None:
    for folder in ("gray", "color"):
        pack(tmp_path / folder, {"a.png": shots[0].png[:300] if folder == bad else shots[0].png})
    [row] = read_all(datasets.plan(f"paired:{tmp_path}", SplitRule())).values()
    assert row["reason"] == "damaged"
    assert row["rgb"].shape == (0, 0, 3)
    assert row["gray"].shape == (0, 0)


def test_what_has_neither_form_is_refused(tmp_path: Path, pack: Pack, shots: Any, refusal: Refusal) -> None:
    assert "no folder at" in refusal(f"paired:{tmp_path}/nowhere")
    pack(tmp_path / "gray", {"a.png": shots[0].png})
    assert "has no folder named gray or grey beside one named color or colour" in refusal(f"paired:{tmp_path}")
    pack(tmp_path / "color", {"b.png": shots[0].png})
    assert "1 gray and 1 color photographs" in refusal(f"paired:{tmp_path}")


LIGHTNESS: Any = np.random.default_rng(3).integers(0, 256, (6, 8, 10), dtype=np.uint8)
AB: Any = np.random.default_rng(4).integers(100, 156, (6, 8, 10, 2), dtype=np.uint8)


def _save(where: Path, lightness: Any = LIGHTNESS, **ab: Any) -> str:
    where.mkdir(exist_ok=True)
    for name, array in {"gray_scale": lightness, **(ab or {"ab1": AB[:4], "ab2": AB[4:]})}.items():
        np.save(where / f"{name}.npy", array)
    return f"paired:{where}"


def test_rows_follow_each_other_through_batches_chunks_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_all: Callable[..., Any]
) -> None:
    data = _save(tmp_path)
    whole = read_all(datasets.plan(data, SplitRule()))
    monkeypatch.setattr(paired, "_BYTES_AT_ONCE", 2 * 8 * 10 * 3)
    monkeypatch.setattr(paired, "_CHUNK_BATCHES", 1)
    plan = datasets.plan(data, SplitRule())
    assert len(plan.chunks) == 3
    parts = read_all(plan)
    assert list(parts) == [f"{i:06d}" for i in range(6)]
    for identity, row in whole.items():
        np.testing.assert_array_equal(row["rgb"], parts[identity]["rgb"])


class _Call:
    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("name", ["gray_scale", "ab1"])
def test_a_pickle_in_a_numpy_file_is_never_opened(tmp_path: Path, refusal: Refusal, name: str) -> None:
    trace = tmp_path / "ran"
    data = _save(tmp_path / "set")
    array = np.array([_Call(str(trace))], dtype=object)
    np.save(tmp_path / "set" / f"{name}.npy", array, allow_pickle=True)
    assert f"{name}.npy holds object" in refusal(data)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"lightness": LIGHTNESS.astype(np.float32)}, "holds float32: need uint8"),
        ({"ab1": AB.astype(np.int8)}, "holds int8: need uint8"),
        ({"ab1": np.asfortranarray(AB)}, "holds uint8 in Fortran order"),
        ({"ab1": AB[:5]}, "(6, 8, 10), (5, 8, 10, 2) do not fit together"),
        ({"ab1": AB[:4], "ab2": AB}, "do not fit together"),
        ({"ab1": AB[:, :7]}, "do not fit together"),
        ({"ab1": AB[..., :1]}, "do not fit together"),
        ({"ab1": AB[..., 0]}, "do not fit together"),
        ({"ab1": np.uint8(7)}, "do not fit together"),
        ({"lightness": np.uint8(7)}, "do not fit together"),
        ({"lightness": LIGHTNESS[..., None]}, "do not fit together"),
        ({"lightness": LIGHTNESS[:0], "ab1": AB[:0]}, "do not fit together"),
        ({"lightness": LIGHTNESS[:, :0], "ab1": AB[:, :0]}, "do not fit together"),
        ({"ab": AB, "ab1": AB[:0], "ab2": AB[:1]}, "do not fit together"),
        ({"other": AB}, "need one gray_scale.npy and at least one ab*.npy"),
    ],
    ids=repr,
)
def test_arrays_that_cannot_be_used_are_refused(
    tmp_path: Path, refusal: Refusal, arrays: dict[str, Any], says: str
) -> None:
    assert says in refusal(_save(tmp_path / "set", **arrays))


def test_only_one_file_has_the_lightness(tmp_path: Path, refusal: Refusal) -> None:
    data = _save(tmp_path)
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "gray_scale.npy", tmp_path / "copy")
    assert "need one gray_scale.npy" in refusal(data)


@pytest.mark.parametrize("name", ["gray_scale", "ab2"])
@pytest.mark.parametrize("kept", [0, 5, 9, 60, 128, 200, -1])
def test_a_numpy_file_that_was_cut_off_is_refused_before_it_is_read(
    tmp_path: Path, refusal: Refusal, name: str, kept: int
) -> None:
    data = _save(tmp_path)
    path = tmp_path / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:kept])
    message = refusal(data)
    assert str(path) in message
    assert ("is cut off" in message) == (kept in (128, 200, -1))


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.filterwarnings("ignore:Reading `.npy`")  # NumPy's, where it takes a header for one of Python 2
@pytest.mark.parametrize(
    "header",
    [
        HEADER % "(9999999, 9999999, 9999999)",
        HEADER % "(-6, 8, 10)",
        HEADER % "(6, 8.5, 10)",
        HEADER % "(((",
        HEADER % "6",
        "{'descr': '|O', 'fortran_order': False, 'shape': (6, 8, 10), }",
        "{'descr': 'no type', 'fortran_order': False, 'shape': (6, 8, 10), }",
        "{'shape': (6, 8, 10)}",
        "[" * 5000,
        "__import__('os').mkdir('ran')",
        "",
    ],
)
def test_a_header_made_to_break_the_parser_is_refused(tmp_path: Path, refusal: Refusal, header: str) -> None:
    data = _save(tmp_path)
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + LIGHTNESS.tobytes()
    (tmp_path / "gray_scale.npy").write_bytes(content)
    refusal(data)
