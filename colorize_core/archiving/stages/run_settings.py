"""Settings that the stages of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import pyarrow as pa

from colorize_core.archiving.planning.plan import PlannedPhotograph
from colorize_core.archiving.stages.pages import PageRow
from colorize_core.archiving.stages.sinks.sink import Destination
from colorize_core.archiving.state.ledger import LedgerRow
from colorize_core.archiving.state.lock import Fence
from colorize_core.images.encode import Encoding


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of one run, as its stages need them.

    Attributes:
        run_id: identifies the run.
        output: folder or URL to write to.
        file_format: format of OUTPUT, a key of ``sinks.formats.OUTPUT_FORMATS``.
        encoding: encoding of the images in OUTPUT.
        model: name of the bundle.
        digest: digest of the bundle.
        settings: everything that decides how a result looks, except the model, as text for the ledger.
        fence: checked before anything is recorded in the ledger.
        not_before: later than every time in the ledger, so that the newest row is the last even after a clock was set
            back.
    """

    run_id: str
    output: str
    file_format: str
    encoding: Encoding
    model: str
    digest: str
    settings: str
    fence: Fence
    not_before: datetime

    def task_name(self, task: pa.Table) -> str:
        """Returns a name for a task that no other task of any run has."""
        return f"{self.run_id}-{task['task'][0].as_py():08d}"

    def destination(self, task: pa.Table) -> Destination:
        """Returns the place for the results of a task."""
        image_format = self.encoding.file_format
        return Destination(self.output, self.task_name(task), self.model, image_format, self.fence.check)

    def now(self) -> datetime:
        """Returns the time for a row of the ledger."""
        return max(datetime.now(timezone.utc), self.not_before)

    def unwritten_row(self, photograph: PlannedPhotograph | PageRow, content: str) -> LedgerRow:
        """Returns the ledger's row of a photograph without a result. The caller adds the reason.

        Args:
            photograph: the planned photograph, or the row of its first page.
            content: SHA-256 of its file.
        """
        return LedgerRow(
            source=photograph.source,
            fingerprint=photograph.fingerprint,
            content=content,
            status="failed",
            bundle=self.digest,
            settings=self.settings,
            run_id=self.run_id,
            finished_at=self.now(),
        )
