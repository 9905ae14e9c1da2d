"""A validated archive job: lists INPUT, plans, and locks OUTPUT."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from colorize_core import bundle as bundles
from colorize_core import storage
from colorize_core.archiving import review
from colorize_core.archiving.config import ArchiveConfig
from colorize_core.archiving.inputs import listing
from colorize_core.archiving.planning import plan
from colorize_core.archiving.planning.plan import Plan, Request
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.archiving.state import ledger, lock, summary
from colorize_core.archiving.state.lock import Holder, Lock
from colorize_core.errors import OutputError, UserError
from colorize_core.runtime import cluster
from colorize_core.runtime.runner import runs_locally


class ArchiveJob:
    """A validated job. INPUT is listed, and nothing is written yet.

    Attributes:
        config: the settings.
        bundle: the loaded model.
        coloring: the colors that the network predicts.
        output: absolute path or URL of OUTPUT.
        run_id: identifies the run.
        listing: the photographs of INPUT.

    Raises:
        UserError: INPUT, OUTPUT or the model is wrong.

    Example:
        >>> job = ArchiveJob(ArchiveConfig("scans", "colored"))
        >>> with job.locked(print) as lock:
        ...     summary = run(job, job.plan(), lock)
    """

    def __init__(self, config: ArchiveConfig) -> None:
        self.config = config
        self.bundle = bundles.load_bundle(config.model)
        self.coloring = self.bundle.coloring(config.saturation)
        self.output = storage.absolute(config.output)
        self.run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        self.listing = listing.list_sources(config.input)
        listing.check_apart(config.input, config.output)
        cluster.check_lasting(config.output)
        if not runs_locally(config.runner, small=True):
            cluster.check_arguments()
        if config.review:
            review.check_path(config.review)
        self._check_made_by_colorize()
        self._format = OUTPUT_FORMATS[config.file_format]
        if config.dedupe and self._format.in_shards:
            raise UserError(f"--dedupe needs a format with one file per photograph: --format is {config.file_format}")

    def _check_made_by_colorize(self) -> None:
        """Raises OutputError if OUTPUT holds files but no results: a result could overwrite one of them."""
        marks = (ledger.FOLDER, lock.FOLDER, summary.FOLDER)
        try:
            if storage.is_empty(self.output) or any(storage.is_folder(storage.join(self.output, m)) for m in marks):
                return
        except OSError:  # OUTPUT is not a folder, or cannot be listed: check_writable raises the reason
            return
        raise OutputError(
            f"OUTPUT {self.config.output} holds files that colorize did not make: choose a new or an empty folder"
        )

    @property
    def settings(self) -> str:
        """The settings that decide how a result looks, beside the model, as the ledger has them."""
        return f"format={self.config.file_format} saturation={self.coloring}{self.config.image_encoding}"

    @property
    def request(self) -> Request:
        """The settings that decide whether a photograph is done."""
        return Request(
            bundle=self.bundle.digest,
            settings=self.settings,
            suffix=self.config.image_encoding.format.suffix,
            in_shards=self._format.in_shards,
            retry_failed=self.config.retry_failed,
            recolor=self.config.recolor,
            limit=self.config.limit,
        )

    def plan(self) -> Plan:
        """Returns what is left to do. Raises OutputError if the ledger is damaged."""
        return plan.make_plan(self.listing.sources, ledger.scan(self.output, plan.LEDGER_COLUMNS), self.request)

    def estimate(self, planned: Plan) -> float | None:
        """Returns the seconds that a run will take, at the pace of an earlier run; None if there was none."""
        pace = summary.last_pace(self.output) if planned.todo.num_rows else None
        return planned.todo.num_rows / pace if pace else None

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[Lock]:
        """Locks OUTPUT as long as the block runs, so that a plan that is made in it stays valid.

        Args:
            say: called with each message for the user.

        Raises:
            OutputError: OUTPUT cannot be written.
            ColorizeError: another run writes there.
        """
        storage.check_writable(self.output)
        if self.config.review:
            review.check_writable(self.config.review)
        output_lock = Lock(self.output, Holder.current(self.run_id))
        with output_lock.hold(say):
            if not output_lock.is_exclusive:
                say(f"the store of OUTPUT {self.output} has no locks: let only one run at a time write to it")
            yield output_lock
