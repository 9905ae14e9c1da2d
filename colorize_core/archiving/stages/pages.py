"""The tables that travel between the stages: one row per page of a photograph.

They carry the compressed bytes of each file and a few kilobytes of pixels, never a decoded scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from colorize_core.archiving import typed_rows
from colorize_core.archiving.planning.plan import PlannedPhotograph
from colorize_core.archiving.typed_rows import Float32, Int32, OptionalFloat32
from colorize_core.color import Floats
from colorize_core.inference.colorizer import PredictedColors


@dataclass(frozen=True)
class PageInput:
    """The network's input for one page.

    Attributes:
        number: number of the page, from 1 on.
        frame: where the page is in its file, as ``OpenedPhotograph.frames`` has it.
        gray: uint8 [h, w], of a size that the network takes; None if the page keeps its own colors.
    """

    number: int
    frame: int
    gray: NDArray[np.uint8] | None


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A page between two stages. The fields are columns of ``SCHEMA``, which also has the column ``file``.

    ``file`` is the photograph's whole file; only the row of the first page has it. The class has no field for the
    column, so that a stage that does not need the files does not copy them out of Arrow's memory.

    Attributes:
        source: identifies the photograph in the ledger.
        fingerprint: changes when the photograph does.
        output: path of the result below OUTPUT.
        task: number of the task.
        content: SHA-256 of the file; '' if it could not be read.
        page: number of the page, from 1 on.
        frame: where the page is in the file, as ``OpenedPhotograph.frames`` has it.
        gray: what the network is to see, uint8 [gray_height, gray_width]; b'' after ``predict``, and for a page that
            keeps its own colors.
        gray_width: width of ``gray``, in pixels.
        gray_height: height of ``gray``, in pixels.
        ab: what the network predicted, float16 [ab_height, ab_width, 2]; b'' before ``predict``, and for a page that
            keeps its own colors.
        ab_width: width of ``ab``, in pixels.
        ab_height: height of ``ab``, in pixels.
        doubt: the error of ab to expect, in units of ab; None before ``predict``, for a page that keeps its own colors,
            and if the bundle has no scale of doubt.
        reason: code of the reason why the photograph is not colorized; '' if it is.
        message: the reason in words.
        read: seconds in the stage ``read``, of the whole photograph, in the row of its first page.
        predict: seconds in the stage ``predict``.
    """

    source: str
    fingerprint: str
    output: str
    task: int
    content: str = ""
    page: Int32 = 1
    frame: int = 0
    gray: bytes = b""
    gray_width: Int32 = 0
    gray_height: Int32 = 0
    ab: bytes = b""
    ab_width: Int32 = 0
    ab_height: Int32 = 0
    doubt: OptionalFloat32 = None
    reason: str = ""
    message: str = ""
    read: Float32 = 0.0
    predict: Float32 = 0.0

    @classmethod
    def of(cls, photograph: PlannedPhotograph, content: str = "") -> PageRow:
        """Returns the row of a photograph's first page before it is decoded, with the SHA-256 of its file."""
        return cls(
            source=photograph.source,
            fingerprint=photograph.fingerprint,
            output=photograph.output,
            task=photograph.task,
            content=content,
        )

    def with_input(self, page: PageInput) -> PageRow:
        """Returns the row of another page of the same photograph."""
        row = replace(self, page=page.number, frame=page.frame)
        if page.gray is None:
            return row
        height, width = page.gray.shape
        return replace(row, gray=page.gray.tobytes(), gray_width=width, gray_height=height)

    def with_prediction(self, colors: PredictedColors, seconds: float) -> PageRow:
        """Returns the row with predicted colors in place of the gray pixels that they were predicted from."""
        ab = colors.ab
        height, width = ab.shape[:2]
        row = replace(self, gray=b"", gray_width=0, gray_height=0, predict=seconds)
        return replace(row, ab=ab.astype(np.float16).tobytes(), ab_width=width, ab_height=height, doubt=colors.doubt)

    def gray_pixels(self) -> NDArray[np.uint8] | None:
        """Returns the gray pixels uint8 [h, w]; None if there are none."""
        return np.frombuffer(self.gray, np.uint8).reshape(self.gray_height, self.gray_width) if self.gray else None

    def chroma(self) -> Floats | None:
        """Returns ab float32 [h, w, 2]; None if the page keeps its own colors."""
        if not self.ab:
            return None
        return np.frombuffer(self.ab, np.float16).astype(np.float32).reshape(self.ab_height, self.ab_width, 2)


SCHEMA = typed_rows.schema_of(PageRow).append(pa.field("file", pa.large_binary()))


def to_table(rows: Sequence[PageRow], files: Sequence[bytes] | pa.ChunkedArray) -> pa.Table:
    """Returns a table of ``SCHEMA``. The column of files of another table is taken over without a copy."""
    if not isinstance(files, pa.ChunkedArray):
        files = pa.array(files, pa.large_binary())
    return typed_rows.to_table(rows, PageRow).append_column(SCHEMA.field("file"), files)


@dataclass(frozen=True)
class PagedPhotograph:
    """A photograph in a table of ``SCHEMA``.

    Attributes:
        pages: the rows of its pages.
        stored_file: the value of the column ``file``, in Arrow's memory.
    """

    pages: list[PageRow]
    stored_file: pa.LargeBinaryScalar

    @property
    def file_size(self) -> int:
        """The size of the file in bytes; 0 if it could not be read."""
        return len(self.stored_file.as_buffer())

    @property
    def doubt(self) -> float | None:
        """The doubt of the most doubtful page; None if no page has one."""
        return max((page.doubt for page in self.pages if page.doubt is not None), default=None)

    def copy_file(self) -> bytes:
        """Returns a copy of the file, which the caller can free before the table."""
        return bytes(self.stored_file.as_py())


def photographs_of(table: pa.Table) -> Iterator[PagedPhotograph]:
    """Yields the photographs of a table of ``SCHEMA``; converts the rows of each only when it is asked for."""
    first = 0
    for _, group in groupby(table["source"].to_pylist()):
        count = len(list(group))
        rows = table.slice(first, count)
        yield PagedPhotograph(typed_rows.from_table(rows, PageRow), rows["file"][0])
        first += count
