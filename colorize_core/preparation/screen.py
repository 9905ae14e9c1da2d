"""Shows a preparation to the user: its progress, and a table at the end."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from colorize_core import storage
from colorize_core.datasets.prepared_facts import DataSetFacts
from colorize_core.datasets.splits import SPLITS
from colorize_core.preparation.prepare import REJECTED, SAMPLES
from colorize_core.preparation.shards import Record
from colorize_core.runtime.progress_bar import ProgressBar


class PrepareProgress(ProgressBar):
    """Progress of a preparation: a bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("preparing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("chunks, {task.fields[images]} images"),
            TimeRemainingColumn(),
        )
        self._images: Counter[str] = Counter()
        self._done = 0
        self._task = self.bar.add_task("", total=None, images=0)

    def record(self, record: Record, chunks: int) -> None:
        """Counts a finished chunk and updates the display."""
        self._done += 1
        self._images.update(record.images)
        images = f"{self._images.total():,}"
        self.bar.update(self._task, completed=self._done, total=chunks, images=images)
        if self.is_line_due():
            self.console.print(f"{self._done}/{chunks} chunks, {images} images", soft_wrap=True)


def show_facts(facts: DataSetFacts, output: str) -> None:
    """Prints the result of a preparation as a table, and what to do next."""
    table = Table(
        title=f"{facts['dataset']} at {facts['transform']['size']} pixels", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    for split in SPLITS:
        table.add_row(split, f"{facts['images'].get(split, 0):,}")
    table.add_row("rejected", f"{sum(facts['rejected'].values()):,}")
    for reason, count in facts["rejected"].items():
        table.add_row(f"  {reason}", f"{count:,}")
    table.add_row("bytes per image", f"{facts['bytes_per_image']:,.0f}")
    console = Console(highlight=False)
    console.print(table)
    if facts["rejected"]:
        console.print(f"rejected images and reasons: {storage.join(output, REJECTED)}", soft_wrap=True, markup=False)
    console.print(f"sample images: {storage.join(output, SAMPLES)}", soft_wrap=True, markup=False)
    console.print(f"to train on it, run: colorize train RECIPE {output} BUNDLE", soft_wrap=True, markup=False)
