"""Every reader of Parquet files refuses a file with a column of pickles before it reads a value."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from colorize_core.archiving.inputs import listing
from colorize_core.archiving.state import ledger
from colorize_core.datasets import prepared, table
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import InputError, OutputError
from colorize_core.storage import parquet

OF_RAY = {"ARROW:extension:name": "ray.data.arrow_pickled_object", "ARROW:extension:metadata": ""}


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def write(path: Path, ran: Path, column: str = "image", nested: str = "") -> Path:
    """Writes a Parquet file with one row. Its column holds a pickle that creates the file ``ran`` when it is loaded."""
    content: Any = pickle.dumps(_Touch(ran))
    field = pa.field(column, pa.large_binary(), metadata=OF_RAY)
    if nested == "struct":
        field, content = pa.field(column, pa.struct([field.with_name("bytes")])), {"bytes": content}
    if nested == "list":
        field, content = pa.field(column, pa.list_(field)), [content]
    others = {"id": "a", "image": b"x", "rgb": b"x", "source": "a", "output": "a"}
    others.pop(column, None)
    fields = [pa.field(name, pa.string() if isinstance(value, str) else pa.binary()) for name, value in others.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([others | {column: content}], pa.schema([*fields, field])), path)
    return path


@pytest.mark.parametrize("nested", ["", "struct", "list"])
@pytest.mark.parametrize("knows_the_type", [False, True])
def test_a_column_of_pickles_is_seen_wherever_it_is(nested: str, knows_the_type: bool, tmp_path: Path) -> None:
    path, ran = write(tmp_path / "a.parquet", tmp_path / "ran", nested=nested), tmp_path / "ran"
    code = f"""
import sys
{"import ray.data" if knows_the_type else ""}
from colorize_core.storage import parquet
assert ("ray" in sys.modules) == {knows_the_type}
try:
    parquet.open_parquet(open({str(path)!r}, "rb"), "a.parquet")
except Exception as error:
    print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("InputError a.parquet has pickles in its column 'image', which could run anything: ")
    assert not ran.exists()


def test_without_that_a_look_at_a_value_would_run_it(tmp_path: Path) -> None:
    import ray.data  # noqa: F401 - it makes the type known

    path, ran = write(tmp_path / "a.parquet", tmp_path / "ran"), tmp_path / "ran"
    pq.ParquetFile(path).read()["image"].to_pylist()
    assert ran.exists()


def test_other_files_are_opened(tmp_path: Path) -> None:
    import ray.data.extensions

    tensors = pa.array([[1, 2]], pa.large_list(pa.int64())).cast(pa.large_list(pa.int64()))
    tensor = pa.ExtensionArray.from_storage(ray.data.extensions.ArrowTensorTypeV2((2,), pa.int64()), tensors)
    plain = pa.table({"image": [b"x"], "a": pa.array(["b"]).dictionary_encode(), "tensor": tensor})
    pq.write_table(plain, tmp_path / "a.parquet")
    with open(tmp_path / "a.parquet", "rb") as file:
        assert parquet.open_parquet(file, "a.parquet").read().num_rows == 1


@pytest.mark.parametrize(
    ("place", "column", "read", "error"),
    [
        ("a.parquet", "image", lambda folder: listing.list_sources(str(folder / "a.parquet")), InputError),
        ("a.parquet", "split", lambda folder: table.plan_parquet(str(folder), SplitRule(0.1, 0.1, 0)), InputError),
        (
            "train/a.parquet",
            "id",
            lambda folder: next(prepared.find_shards(str(folder), 8, ["train"])[0]()),
            InputError,
        ),
        ("_ledger/a.parquet", "source", lambda folder: list(ledger.scan(str(folder), ["source"])), OutputError),
    ],
    ids=["archive", "prepare", "train", "ledger"],
)
def test_whatever_reads_such_files_refuses_it(
    place: str, column: str, read: Callable[[Path], object], error: type[Exception], tmp_path: Path
) -> None:
    import ray.data  # noqa: F401 - as in a task

    ran = tmp_path / "ran"
    write(tmp_path / "data" / place, ran, column)
    with pytest.raises(error, match="pickles"):
        read(tmp_path / "data")
    assert not ran.exists()


def test_to_parquet_is_a_parquet_file() -> None:
    table = pa.table({"x": [1, 2, 3], "y": ["a", None, "c"]})
    assert pq.read_table(io.BytesIO(parquet.to_parquet(table))).equals(table)


def test_a_buffer_is_a_parquet_file_of_all_that_was_added() -> None:
    tables = [pa.table({"x": pa.array([bytes([i]) * (1 << 20)], pa.binary(1 << 20))}) for i in range(6)]
    buffer = parquet.ParquetBuffer()
    for each in tables:
        buffer.add(each)
    file = pq.ParquetFile(io.BytesIO(buffer.close()))
    assert file.read().equals(pa.concat_tables(tables))
    assert file.num_row_groups == 2  # of 4 MiB
    assert buffer.size >= 6 << 20
