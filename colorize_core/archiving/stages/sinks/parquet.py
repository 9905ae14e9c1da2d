"""Results as Parquet files with the images in a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import pyarrow as pa

from colorize_core.archiving import typed_rows
from colorize_core.archiving.stages.sinks.shards import ShardPhotograph, ShardSink
from colorize_core.archiving.stages.sinks.sink import OutputFormat
from colorize_core.archiving.typed_rows import Float32, Int32, Milliseconds, OptionalFloat32
from colorize_core.storage.parquet import to_parquet


@dataclass(frozen=True, kw_only=True)
class ParquetRow:
    """A row of a Parquet shard: one page, or a photograph that failed or was skipped. The fields are the columns.

    Attributes:
        source: identifies the photograph, as in the ledger. If several rows have the same source and page, the one that
            was finished last counts.
        page: number of the page, from 1 on; null, as all columns below, if the photograph failed or was skipped.
        image: an image file; null without one.
        width: width of the image, in pixels.
        height: height of the image, in pixels.
        format: format of the image.
        status: how the photograph ended: ok, skipped or failed.
        reason: code of the reason.
        message: the reason in words.
        doubt: the error of ab to expect of the photograph's most doubtful page, in units of ab; null if the model has
            none.
        model: name of the bundle.
        bundle: digest of the bundle.
        settings: all that decides how a result looks, beside the model.
        digital_source_type: IPTC's term for an image that a machine colored; null if the page keeps its colors.
        seconds: work on the photograph.
        fingerprint: size and time stamp of the photograph's file.
        run_id: identifies the run.
        finished_at: when the photograph was finished.
    """

    source: str
    page: Annotated[int | None, pa.int32()] = None
    image: Annotated[bytes | None, pa.large_binary()] = None
    width: Int32
    height: Int32
    format: str
    status: str
    reason: str
    message: str
    doubt: OptionalFloat32 = None
    model: str
    bundle: str
    settings: str
    digital_source_type: Annotated[str | None, pa.string()] = None
    seconds: Float32
    fingerprint: str
    run_id: str
    finished_at: Milliseconds


class ParquetSink(ShardSink):
    """Writes a ``ParquetRow`` per page, and one per photograph that failed or was skipped."""

    suffix = ".parquet"

    def packed(self, photographs: Sequence[ShardPhotograph]) -> bytes:
        """Returns a Parquet file."""
        rows = [row for photograph in photographs for row in self._rows(photograph)]
        return to_parquet(typed_rows.to_table(rows, ParquetRow))

    def _rows(self, photograph: ShardPhotograph) -> Iterator[ParquetRow]:
        facts = typed_rows.shared_fields(photograph.row, ParquetRow)
        plain = ParquetRow(model=self._destination.model, format=self._destination.image_format, **facts)
        if not photograph.pages:
            yield plain
        for page in photograph.pages:
            yield replace(
                plain,
                page=page.number,
                image=page.content,
                width=page.width,
                height=page.height,
                digital_source_type=page.digital_source_type,
            )


PARQUET = OutputFormat("parquet", ParquetSink, "png", ParquetSink.suffix)
