"""Parquet files of images: damage gives a one-line error, and each row ends as a row or as a reject."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core import datasets
from colorize_core.datasets.rows import NO_LABEL
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError

Refusal = Callable[[str], str]
Ends = Callable[[str], dict[str, str]]


def _write(path: Path, columns: dict[str, Any], **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return f"parquet:{path}"


def _rows(data: str, rule: SplitRule | None = None) -> list[Any]:
    return [rows for chunk in datasets.plan(data, rule or SplitRule()).chunks for rows in chunk()]


def test_a_single_file_is_a_data_set(tmp_path: Path, shots: Any, ends: Ends) -> None:
    data = _write(tmp_path / "a[1].parquet", {"image": [shot.png for shot in shots[:3]]}, row_group_size=2)
    assert ends(data) == {f"a[1].parquet/{i:08d}": "" for i in range(3)}


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.struct({"bytes": pa.binary(), "path": pa.string()})]
)
def test_images_are_bytes_plain_or_with_a_path(tmp_path: Path, shots: Any, kind: pa.DataType) -> None:
    images = [{"bytes": shots[0].png, "path": "a.png"} if pa.types.is_struct(kind) else shots[0].png]
    [rows] = _rows(_write(tmp_path / "x.parquet", {"whatever": pa.array(images, kind)}))
    np.testing.assert_array_equal(rows.rgb[0], shots[0].rgb)


def test_of_several_columns_of_bytes_the_one_with_an_images_name_is_read(tmp_path: Path, shots: Any) -> None:
    columns = {"mask": [shots[1].png], "img": [shots[0].png], "thumbnail": [shots[2].png]}
    [rows] = _rows(_write(tmp_path / "x.parquet", columns))
    np.testing.assert_array_equal(rows.rgb[0], shots[0].rgb)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"label": [1]}, "has 0 columns of bytes"),
        ({"image": ["a path"]}, "has 0 columns of bytes"),
        ({"mask": [b""], "thumbnail": [b""]}, "has 2 columns of bytes and none named image, img"),
        ({"image": pa.array([], pa.binary())}, "no row in the .parquet files"),
        ({"image": [b""], "split": ["holdout"]}, "a row of split 'holdout': need one of test, train"),
        ({"image": [b""], "split": [None]}, "a row of split None"),
        ({"image": [b""], "split": [0]}, "a row of split 0"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(
    tmp_path: Path, refusal: Refusal, columns: dict[str, Any], says: str
) -> None:
    assert says in refusal(_write(tmp_path / "x.parquet", columns))


def test_labels_that_are_too_large_are_refused(tmp_path: Path, refusal: Refusal, shots: Any) -> None:
    labels = pa.array([2**64 - 1], pa.uint64())
    assert "is damaged" in refusal(_write(tmp_path / "x.parquet", {"image": [shots[0].png], "label": labels}))


def test_files_of_another_schema_are_refused(tmp_path: Path, refusal: Refusal, shots: Any) -> None:
    _write(tmp_path / "a.parquet", {"image": [shots[0].png], "label": [1], "x_label": [1]})
    _write(tmp_path / "b.parquet", {"x_label": [1], "label": [1], "caption": [""], "image": [shots[0].png]})
    assert len(_rows(f"parquet:{tmp_path}")) == 2
    _write(tmp_path / "c.parquet", {"image": [shots[0].png], "label": [1]})
    message = refusal(f"parquet:{tmp_path}")
    assert "c.parquet has the columns image, label, but" in message
    assert "a.parquet has image, label, x_label" in message


@pytest.mark.parametrize("place", ["nowhere", "nowhere.parquet", ""])
def test_a_place_without_a_parquet_file_is_refused(tmp_path: Path, refusal: Refusal, place: str) -> None:
    (tmp_path / "notes.txt").write_text("a text")
    assert "no .parquet file at" in refusal(f"parquet:{tmp_path / place}")


@pytest.mark.parametrize("kept", [0, 3, 8, 1000, -1, -8, -200])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, refusal: Refusal, shots: Any, kept: int) -> None:
    data = _write(tmp_path / "x.parquet", {"image": [shot.png for shot in shots]})
    path = tmp_path / "x.parquet"
    path.write_bytes(path.read_bytes()[:kept])
    assert "x.parquet cannot be read as Parquet" in refusal(data)


@pytest.mark.parametrize("content", [b"garbage" * 99, b"PAR1" + b"garbage" * 99 + b"\x40\x00\x00\x00PAR1"])
def test_garbage_is_refused(tmp_path: Path, refusal: Refusal, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    assert "cannot be read as Parquet" in refusal(f"parquet:{tmp_path}")


def test_a_damaged_page_is_refused(tmp_path: Path, refusal: Refusal, shots: Any) -> None:
    data = _write(tmp_path / "x.parquet", {"image": [shots[0].rgb.tobytes()] * 9}, use_dictionary=False)
    path = tmp_path / "x.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    assert "x.parquet is damaged" in refusal(data)


def test_damage_of_the_footer_gives_all_rows_or_an_input_error(tmp_path: Path) -> None:
    data = _write(tmp_path / "x.parquet", {"image": [b"x"] * 3}, write_statistics=False, store_schema=False)
    path = tmp_path / "x.parquet"
    good = path.read_bytes()
    for at in range(len(good) - 8 - int.from_bytes(good[-8:-4], "little"), len(good)):
        for byte in (0, 2, 255):
            path.write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
            with suppress(InputError):
                assert sum(map(len, _rows(data))) == 3


def test_values_that_are_no_image_are_rejects_without_a_label(tmp_path: Path, shots: Any) -> None:
    values = [shots[0].png, None, b"", b"noise", shots[1].png[:300], shots[2].png]
    [rows] = _rows(_write(tmp_path / "x.parquet", {"image": values, "label": [0, 1, 2, 3, 4, None]}))
    assert list(rows.reason) == ["", "empty", "empty", "not_an_image", "damaged", ""]
    assert rows.labels["label"].tolist() == [0, *[NO_LABEL] * 5]


@pytest.mark.parametrize("value", [None, {"bytes": None, "path": "/etc/passwd"}, {"bytes": b"", "path": None}])
def test_a_struct_without_bytes_is_a_reject_and_its_path_is_not_opened(tmp_path: Path, value: Any) -> None:
    images = pa.array([value], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    [rows] = _rows(_write(tmp_path / "x.parquet", {"image": images}))
    assert list(rows.reason) == ["empty"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("test-00000-of-00002.parquet", "test"),
        ("validation.parquet", "val"),
        ("valid_0.parquet", "val"),
        ("data/val/0.parquet", "val"),
        ("Test/0.parquet", "test"),
        ("testing-0.parquet", None),
        ("latest.parquet", None),
        ("part-test.parquet", None),
    ],
)
def test_the_split_is_in_the_first_word_of_a_file_or_in_a_folder(
    tmp_path: Path, shots: Any, name: str, split: str | None
) -> None:
    _write(tmp_path / "set" / name, {"image": [shots[0].png] * 3})
    for rule, hashed in ((SplitRule(0, 0), "train"), (SplitRule(0, 1), "test"), (SplitRule(1, 0), "val")):
        [rows] = _rows(f"parquet:{tmp_path}/set", rule)
        assert set(rows.split) == {split or hashed}


def test_a_split_column_counts_more_than_the_name(tmp_path: Path, shots: Any) -> None:
    data = _write(tmp_path / "test.parquet", {"image": [shots[0].png] * 3, "split": ["Train", "VALIDATION", "test"]})
    [rows] = _rows(data, SplitRule(0, 1))
    assert list(rows.split) == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("train.parquet", None, {"val"}),  # held back
        ("train.parquet", ["train", "train", "test"], {"val", "test"}),
        ("train.parquet", ["train", "train", "validation"], {"train", "val"}),
        ("val.parquet", None, {"train", "val"}),
    ],
)
def test_nothing_is_held_back_where_the_data_set_says_what_validates(
    tmp_path: Path, shots: Any, name: str, column: list[str] | None, expected: set[str]
) -> None:
    columns = {"image": [shots[0].png] * 3, **({"split": column} if column else {})}
    _write(tmp_path / "set" / name, columns)
    _write(tmp_path / "set" / "train-1.parquet", columns)
    rows = _rows(f"parquet:{tmp_path}/set", SplitRule(val=1, test=0))
    assert {split for part in rows for split in part.split} == expected
