"""The chain on one screen: source -> plan -> predict -> merge -> sink, on Ray Data."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from colorize_core import bundle as bundles
from colorize_core import cluster, storage
from colorize_core.archive import ledger, plan, sink, source
from colorize_core.archive.ledger import LedgerRow
from colorize_core.archive.merge import colorize_file
from colorize_core.archive.predict import Predictor, chroma_of, read_small
from colorize_core.archive.summary import FOLDER as RUNS_FOLDER
from colorize_core.archive.summary import Run, RunSummary
from colorize_core.errors import ColorizeError, ImageError, OutputError, one_line
from colorize_core.images import encode, metadata

if TYPE_CHECKING:
    import ray.data

OutputFormat = Literal["png", "jpeg", "webp", "parquet"]
OUTPUT_FORMATS: tuple[OutputFormat, ...] = (*encode.FILE_FORMATS, "parquet")


@dataclass(frozen=True)
class ArchiveConfig:
    """One call of ``colorize archive``."""

    input: str
    output: str
    model: str = bundles.DEFAULT
    file_format: OutputFormat = "png"
    retry_failed: bool = False
    limit: int | None = None
    saturation: str | float = bundles.FAITHFUL  # a gain of the bundle by name, or a number


class Archive:
    """A checked call: what it would do is known, and nothing was written yet.

    Raises:
        UserError: INPUT, OUTPUT or the model is wrong.
    """

    def __init__(self, config: ArchiveConfig) -> None:
        self.config = config
        self.bundle = bundles.load_bundle(config.model)
        self.gain = self.bundle.gain(config.saturation)
        self.output = storage.absolute(config.output)
        self.listing = source.list_sources(config.input)
        source.check_apart(config.input, config.output)
        cluster.check_lasting(config.output)
        self._check_ours()
        self._done = ledger.read(self.output)
        in_files = config.file_format
        suffix = "" if in_files == "parquet" else encode.SUFFIXES[in_files]
        self.plan = plan.make_plan(
            self.listing.sources,
            self._done,
            bundle=self.bundle.digest,
            settings=self._settings,
            suffix=suffix,
            retry_failed=config.retry_failed,
            limit=config.limit,
        )

    def _check_ours(self) -> None:
        """Files that no run has made could have the name of a result, and would be overwritten."""
        marks = (ledger.FOLDER, RUNS_FOLDER)
        try:
            if storage.is_empty(self.output) or any(storage.is_folder(storage.join(self.output, m)) for m in marks):
                return
        except OSError:  # not a folder, or one that cannot be listed: check_writable says so
            return
        raise OutputError(
            f"OUTPUT {self.config.output} holds files that colorize did not make: choose a new or an empty folder"
        )

    @property
    def _settings(self) -> str:
        return f"format={self.config.file_format} saturation={self.gain:g}"

    def run(self, on_progress: Callable[[LedgerRow], None] = lambda row: None) -> RunSummary:
        """Colorizes what is left to do, on the cluster that ``cluster.connected`` finds.

        Interrupted by any exception, the summary of what was done is written before it goes on upwards.
        """
        storage.check_writable(self.output)
        sink.sweep(self.output, self._done.outputs)
        run = Run(self.config, self.bundle, self.listing, self.plan)
        run.end("running").write(self.output)  # from now on OUTPUT is known as ours, whatever ends the run
        try:
            with closing(self._rows(run.id)) as rows:
                for row in rows:
                    run.add(row)
                    on_progress(row)
        except BaseException as error:
            run.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed").write(self.output)
            raise
        summary = run.end("done")
        summary.write(self.output)
        return summary

    def _rows(self, run_id: str) -> Generator[LedgerRow, None, None]:
        if not self.plan.todo:
            return
        lost = "a stage failed; what was finished is kept, the same command goes on"
        with cluster.connected() as resources, cluster.explained(lost):
            results = self._chain(run_id, resources)
            batches = iter(results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
            try:
                for batch in batches:
                    yield from (LedgerRow(**row) for row in batch.to_pylist())
            finally:
                batches.close()  # ends the stages, which could not be ended after Ray

    def _chain(self, run_id: str, resources: cluster.Resources) -> ray.data.Dataset:
        """The stages; blocks go through whole, since the plan has made them the size of a task."""
        import ray
        from ray.data import ActorPoolStrategy

        actors = max(1, int(resources.gpus) or int(resources.cpus) // 4)
        threads = None if resources.gpus else max(1, int(resources.cpus) // actors)
        finish = _Finish(
            self.output, self.config.file_format, self.bundle.name, self.bundle.digest, self._settings, run_id
        )
        small = ray.data.from_arrow(list(self.plan.tasks())).map_batches(
            read_small,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"recipe": self.bundle.recipe},
        )
        predicted = small.map_batches(
            Predictor,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(self.bundle, threads, self.gain),
            compute=ActorPoolStrategy(size=actors),
            num_gpus=1 if resources.gpus else 0,
            # On CPU the network takes what the other stages leave. An actor that reserved a CPU would idle on it while
            # large scans are encoded, and on a machine with one CPU no other stage could run.
            num_cpus=0,
        )
        return predicted.map_batches(finish, batch_size=None, batch_format="pyarrow")


@dataclass(frozen=True)
class _Finish:
    """Stage 3: merge, write, enter into the ledger, one photograph at a time; gives the ledger's rows."""

    output: str
    file_format: OutputFormat
    bundle: str
    digest: str
    settings: str
    run_id: str

    def __call__(self, batch: pa.Table) -> pa.Table:
        target: sink.Sink = (
            sink.ParquetSink(self.output) if self.file_format == "parquet" else sink.FileSink(self.output)
        )
        rows = list(self._finish(batch, target))
        try:
            target.close()
        except OSError as error:
            raise ColorizeError(f"OUTPUT {self.output} cannot be written: {one_line(error)}") from error
        return pa.Table.from_pylist([vars(row) for row in rows], ledger.SCHEMA)

    def _finish(self, batch: pa.Table, target: sink.Sink) -> Iterable[LedgerRow]:
        in_file: encode.FileFormat = "png" if self.file_format == "parquet" else self.file_format
        for record in batch.to_pylist():
            started = time.perf_counter()
            row = LedgerRow(
                source=record["source"],
                fingerprint=record["fingerprint"],
                status="failed",
                reason=record["reason"],
                message=record["message"],
                output="",
                width=0,
                height=0,
                bytes=0,
                bundle=self.digest,
                settings=self.settings,
                run_id=self.run_id,
                seconds=record["seconds"],
                finished_at=_now(),
            )
            content = b""
            if not row.reason:
                try:
                    xmp = metadata.provenance(row.source, self.bundle, self.digest)
                    made = colorize_file(record["content"], chroma_of(record), in_file, xmp)
                    content = made.content
                    row = replace(
                        row,
                        status="ok",
                        output=record["output"],
                        width=made.width,
                        height=made.height,
                        bytes=len(content),
                    )
                except Exception as error:  # one photograph must not take the others with it
                    reason = error.reason if isinstance(error, ImageError) else "internal"
                    row = replace(row, reason=reason, message=one_line(error))
            row = replace(row, seconds=row.seconds + time.perf_counter() - started, finished_at=_now())
            try:
                target.add(row, content)
            except OSError as error:
                row = replace(
                    row, status="failed", reason="storage", message=f"cannot be written: {one_line(error)}", output=""
                )
                target.add(row, b"")
            yield row


def _now() -> datetime:
    return datetime.now(timezone.utc)
