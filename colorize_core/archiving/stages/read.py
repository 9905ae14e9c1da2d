"""Stage 1 of an archive run: reads each file and makes the small gray image that the network sees of each page.

A photograph that fails is passed to the last stage, which records its reason and message.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, replace

import cv2
import pyarrow as pa

from colorize_core.archiving import typed_rows
from colorize_core.archiving.faults import CircuitBreaker, CrashGuard, reason_of
from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning.plan import PlannedPhotograph
from colorize_core.archiving.stages import pages
from colorize_core.archiving.stages.kept_photographs import KeptPhotographs
from colorize_core.archiving.stages.pages import PageInput, PageRow
from colorize_core.archiving.stages.run_settings import RunSettings
from colorize_core.errors import DEADLY, ImageError, one_line
from colorize_core.images import resizing
from colorize_core.images.decode import OpenedPhotograph, open_photograph
from colorize_core.preprocessing.network_size import network_size
from colorize_core.recipes import Recipe


@dataclass(frozen=True)
class Read:
    """A stage that converts a task, a table of ``plan.TASK_SCHEMA``, to a table of ``pages.SCHEMA``.

    Attributes:
        run: settings of the run.
        recipe: says what the network is to see.
        recolor: give new colors to photographs that are in color already.
    """

    run: RunSettings
    recipe: Recipe
    recolor: bool

    def __call__(self, task: pa.Table, deaths: int = 0, kept: KeptPhotographs | None = None) -> pa.Table:
        """Reads the photographs of a task.

        Args:
            task: a table of ``plan.TASK_SCHEMA``.
            deaths: number of processes that died over the task before.
            kept: takes photographs that are decoded at full size already, for ``finish`` in the same process.
        """
        cv2.setNumThreads(1)  # a task has one CPU; the others belong to its neighbors
        guard = CrashGuard(self.run.output, f"{self.run.task_name(task)}-read", deaths)
        breaker = CircuitBreaker()
        rows: list[PageRow] = []
        files: list[bytes] = []
        for photograph in typed_rows.from_table(task, PlannedPhotograph):
            started = time.perf_counter()
            (first, *others), file = self._read(photograph, guard, breaker, kept)
            rows += [replace(first, read=time.perf_counter() - started), *others]
            files += [file] + [b""] * len(others)
        guard.close()
        return pages.to_table(rows, files)

    def _read(
        self,
        photograph: PlannedPhotograph,
        guard: CrashGuard,
        breaker: CircuitBreaker,
        kept: KeptPhotographs | None,
    ) -> tuple[list[PageRow], bytes]:
        """Returns the rows of a photograph's pages, and its file; one row without a file if it is not colorized."""
        row = PageRow.of(photograph)
        try:
            if guard.is_deadly(photograph.source):
                raise ImageError("internal", DEADLY)
            with breaker.call(os.fsdecode(photograph.path)):
                file = photographs.read(photograph)
            row = PageRow.of(photograph, hashlib.sha256(file).hexdigest())
            opened = open_photograph(file)
            inputs = page_inputs(opened, self.recipe, self.recolor)
            if kept and len(inputs) == 1 and opened.holds(inputs[0].frame):
                kept.put(row.content, inputs[0].frame, opened.read(inputs[0].frame))
            return [row.with_input(page) for page in inputs], file
        except ImageError as error:
            reason, message = error.reason, error.message
        except OSError as error:
            reason, message = reason_of(error), f"cannot be read: {one_line(error)}"
        except Exception as error:  # one photograph must not take the others with it
            reason, message = "internal", one_line(error)
        return [replace(row, reason=reason, message=message)], b""


def page_inputs(photograph: OpenedPhotograph, recipe: Recipe, recolor: bool) -> list[PageInput]:
    """Returns the network's input for each page of a file.

    Args:
        photograph: the opened file.
        recipe: recipe of the network.
        recolor: accept pages that are in color already.

    Raises:
        ImageError: a page cannot be decoded, or all of them are in color already.
    """
    inputs = []
    for number, frame in enumerate(photograph.frames, 1):
        try:
            small = photograph.read_small(recipe.data.inference_side, frame)
        except ImageError as error:
            where = f"page {number} of {len(photograph.frames)}: " if len(photograph.frames) > 1 else ""
            raise ImageError(error.reason, where + error.message) from error
        keeps_colors = small.in_color and not recolor
        gray = None if keeps_colors else resizing.resize(small.gray, network_size(recipe, *small.size))
        inputs.append(PageInput(number, frame, gray))
    if all(page.gray is None for page in inputs):
        raise ImageError("in_color", "is in color already: --recolor gives it new colors")
    return inputs
