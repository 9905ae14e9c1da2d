"""A chunk to its shards and record, without Ray."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from colorize_core.datasets import prepared
from colorize_core.datasets.rows import BLACK, Reject, RowBatch
from colorize_core.datasets.splits import SplitRule
from colorize_core.images.resizing import to_square
from colorize_core.preparation import shards
from colorize_core.preparation.shards import Record, Transform
from colorize_core.storage import parquet

Photographs = dict[str, NDArray[np.uint8]]


@pytest.fixture
def rows(photographs: Photographs) -> RowBatch:
    """Photographs of several sizes, one of them gray, and one that cannot be read."""
    gray = np.repeat(photographs["coffee"][..., :1], 3, axis=-1)
    return RowBatch(
        id=["astronaut", "gray", "broken", "chelsea", "rocket"],
        split=["train", "train", "train", "val", "train"],
        rgb=[photographs["astronaut"], gray, BLACK, photographs["chelsea"], photographs["rocket"]],
        reason=["", "", "damaged", "", ""],
        message=["", "", "cut off", "", ""],
        labels={"label": np.array([3, 4, -1, 5, 6])},
    )


def prepare(rows: RowBatch, output: Path, transform: Transform, number: int = 7) -> Record:
    def chunk() -> Iterator[RowBatch]:
        yield rows.where([True, True, False, False, False])
        yield rows.where([False, False, True, True, True])

    return shards.prepare_chunk(chunk, number, transform, str(output))


def read(output: Path, size: int, wanted: tuple[str, ...]) -> list[RowBatch]:
    facts = {"format": 1, "transform": {"size": size}, "images": {"train": 1}, "pair": {"gray": "", "color_space": ""}}
    (output / "dataset.json").write_text(json.dumps(facts))
    return [
        batch for chunk in prepared.plan_prepared(str(output), SplitRule(wanted=wanted)).chunks for batch in chunk()
    ]


def test_squares_are_stored_without_loss(rows: RowBatch, photographs: Photographs, tmp_path: Path) -> None:
    record = prepare(rows, tmp_path, Transform(48))
    [train] = read(tmp_path, 48, ("train",))
    assert (list(train.id), list(train.split)) == (["astronaut", "gray", "rocket"], ["train"] * 3)
    np.testing.assert_array_equal(train.rgb[0], to_square(photographs["astronaut"], 48, "center"))
    np.testing.assert_array_equal(train.rgb[2], to_square(photographs["rocket"], 48, "center"))
    np.testing.assert_array_equal(train.labels["label"], [3, 4, 6])
    [val] = read(tmp_path, 48, ("val",))
    assert list(val.id) == ["chelsea"]
    assert record.images == {"train": 3, "val": 1}
    assert record.rejects == [Reject("broken", "damaged", "cut off")]
    assert record.sums.pixels == 3 * 24 * 24  # every second one of every second row
    written = [tmp_path / split / "part-00007-00.parquet" for split in ("train", "val")]
    assert record.size == sum(path.stat().st_size for path in written)


def test_pixels_are_plain_bytes_that_any_reader_of_parquet_has(rows: RowBatch, tmp_path: Path) -> None:
    prepare(rows, tmp_path, Transform(16))
    table = pq.read_table(tmp_path / "val" / "part-00007-00.parquet")
    assert table.schema.names == ["id", "rgb", "label"]
    [pixels] = table["rgb"].to_pylist()
    [chelsea] = read(tmp_path, 16, ("val",))
    np.testing.assert_array_equal(np.frombuffer(pixels, np.uint8).reshape(16, 16, 3), chelsea.rgb[0])


def test_near_gray_is_left_out_by_name(rows: RowBatch, tmp_path: Path) -> None:
    record = prepare(rows, tmp_path, Transform(48, min_chroma=2))
    assert record.images == {"train": 2, "val": 1}
    assert [(reject.id, reject.reason) for reject in record.rejects] == [("gray", "near_gray"), ("broken", "damaged")]


def test_a_gray_of_its_own_goes_with_the_color(photographs: Photographs, tmp_path: Path) -> None:
    rgb = photographs["coffee"]
    gray = 255 - rgb[..., 0]  # of no formula
    pair = RowBatch.good(["coffee"], ["train"], [rgb], gray=[gray])
    shards.prepare_chunk(lambda: iter([pair]), 0, Transform(40), str(tmp_path))
    [train] = read(tmp_path, 40, ("train",))
    assert train.gray is not None
    np.testing.assert_array_equal(train.gray[0], to_square(gray, 40, "center"))


def test_done_again_it_writes_the_same_bytes(rows: RowBatch, tmp_path: Path) -> None:
    records = [prepare(rows, tmp_path / name, Transform(32, "pad")) for name in ("a", "b")]
    assert records[0] == records[1]
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_the_record_comes_last(rows: RowBatch, tmp_path: Path) -> None:
    """A run that is killed in between must do the chunk again."""
    (tmp_path / "val").write_text("a file, so that the second shard cannot be written")
    with pytest.raises(OSError, match="val"):
        prepare(rows, tmp_path, Transform(16))
    assert (tmp_path / "train" / "part-00007-00.parquet").exists()
    assert list(shards.read_records(str(tmp_path))) == []


def test_records_are_read_back_in_their_order(rows: RowBatch, tmp_path: Path) -> None:
    made = [prepare(rows, tmp_path, Transform(16), number) for number in (10, 2)]
    (tmp_path / "_chunks" / "plan.json").write_text("{}")
    assert list(shards.read_records(str(tmp_path))) == made[::-1]


@pytest.mark.parametrize("damage", [b"", b"{}", None, 0, 70, 100, -1])
def test_a_damaged_record_counts_as_none(rows: RowBatch, tmp_path: Path, damage: bytes | int | None) -> None:
    made = [prepare(rows, tmp_path, Transform(16), number) for number in (2, 10)]
    path = tmp_path / "_chunks" / "00010.json"
    content = bytearray(path.read_bytes())
    if isinstance(damage, int):
        content[damage] ^= 1
    path.write_bytes(damage if isinstance(damage, bytes) else content[:-1] if damage is None else content)
    assert list(shards.read_records(str(tmp_path))) == made[:1]


def test_a_chunk_of_many_squares_fills_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_SHARD_BYTES", 5 * 8 * 8 * 3)
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 2 * 8 * 8 * 3)
    rgb = np.random.default_rng(0).integers(0, 256, (15, 8, 8, 3), dtype=np.uint8)
    ids = [f"{i:02d}" for i in range(15)]

    def chunk() -> Iterator[RowBatch]:
        for i in range(15):
            yield RowBatch.good(ids[i : i + 1], ["val" if i == 7 else "train"], rgb[i : i + 1])

    record = shards.prepare_chunk(chunk, 3, Transform(8), str(tmp_path))
    assert record.images == {"train": 14, "val": 1}
    files = sorted((tmp_path / "train").iterdir())
    assert [path.name for path in files] == [f"part-00003-{i:02d}.parquet" for i in range(3)]
    assert pq.ParquetFile(files[0]).num_row_groups > 1
    assert record.size == sum(path.stat().st_size for path in tmp_path.glob("*/*.parquet"))
    found = {
        id_: image for part in read(tmp_path, 8, ("train", "val")) for id_, image in zip(part.id, part.rgb, strict=True)
    }
    assert sorted(found) == ids
    np.testing.assert_array_equal(np.stack([found[id_] for id_ in ids]), rgb)


def test_a_damaged_shard_is_said(rows: RowBatch, tmp_path: Path) -> None:
    prepare(rows, tmp_path, Transform(16))
    with pytest.raises(Exception, match=r"part-00007-00.parquet is damaged \(pixels are .*\): prepare again"):
        read(tmp_path, 32, ("val",))
    (tmp_path / "val" / "part-00007-00.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(Exception, match=r"part-00007-00.parquet is damaged"):
        read(tmp_path, 16, ("val",))
