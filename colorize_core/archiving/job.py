"""An archive job, validated: what there is to do, and the lock of OUTPUT."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from colorize_core import bundle as bundles
from colorize_core import storage
from colorize_core.archiving.config import ArchiveConfig
from colorize_core.archiving.inputs import listing
from colorize_core.archiving.planning import plan
from colorize_core.archiving.planning.plan import Plan, Request
from colorize_core.archiving.state import ledger, lock, summary
from colorize_core.archiving.state.lock import Holder, Lock
from colorize_core.errors import OutputError, UserError
from colorize_core.images.encode import FILE_FORMATS, SUFFIXES
from colorize_core.runtime import cluster


class ArchiveJob:
    """A validated job: inputs listed, nothing written.

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
        self.gain = self.bundle.gain(config.saturation)
        self.output = storage.absolute(config.output)
        self.run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        self.listing = listing.list_sources(config.input)
        listing.check_apart(config.input, config.output)
        cluster.check_lasting(config.output)
        if config.runner == "ray" or (config.runner == "auto" and cluster.is_named()):
            cluster.check_arguments()
        self._check_ours()
        if config.dedupe and config.file_format not in FILE_FORMATS:
            raise UserError(f"--dedupe makes copies of files: --format is {config.file_format}, not one of files")

    def _check_ours(self) -> None:
        """Files that no run has made could have the name of a result, and would be overwritten."""
        marks = (ledger.FOLDER, lock.FOLDER, summary.FOLDER)
        try:
            if storage.is_empty(self.output) or any(storage.is_folder(storage.join(self.output, m)) for m in marks):
                return
        except OSError:  # not a folder, or one that cannot be listed: check_writable says so
            return
        raise OutputError(
            f"OUTPUT {self.config.output} holds files that colorize did not make: choose a new or an empty folder"
        )

    @property
    def settings(self) -> str:
        """All that decides how an output looks, beside the model, as the ledger has it."""
        return f"format={self.config.file_format} saturation={self.gain:g}{self.config.encoding}"

    @property
    def request(self) -> Request:
        """The request that decides which photographs are done."""
        return Request(
            bundle=self.bundle.digest,
            settings=self.settings,
            suffix=SUFFIXES[self.config.encoding.file_format],
            in_shards=self.config.file_format not in FILE_FORMATS,
            retry_failed=self.config.retry_failed,
            recolor=self.config.recolor,
            limit=self.config.limit,
        )

    def plan(self) -> Plan:
        """Returns what is left to do now. Raises OutputError if the ledger is damaged."""
        return plan.make_plan(self.listing.sources, ledger.scan(self.output, plan.LEDGER_COLUMNS), self.request)

    def estimate(self, planned: Plan) -> float | None:
        """Returns the seconds that a run will take, at the pace of one of the last ones here; None without one."""
        pace = summary.last_pace(self.output) if planned.todo.num_rows else None
        return planned.todo.num_rows / pace if pace else None

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[Lock]:
        """Keeps other runs out of OUTPUT as long as the block runs: what is planned in it stays true.

        Args:
            say: called with a line for the user when there is something to know or to wait for.

        Raises:
            OutputError: OUTPUT cannot be written.
            ColorizeError: another run writes there.
        """
        storage.check_writable(self.output)
        held = Lock(self.output, Holder.me(self.run_id))
        with held.held(say):
            if not held.is_exclusive:
                say(f"the store of OUTPUT {self.output} does not keep two runs apart: see to it that only one writes")
            yield held
