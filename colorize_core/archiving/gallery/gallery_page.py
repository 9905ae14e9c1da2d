"""A page that shows what runs did: ``OUTPUT/_report/index.html``, with its data in scripts beside it.

A page that is opened from a disk may load scripts, but no other files. So each task leaves its small pictures in one,
and the end of a run a list of the photographs in another; the page loads the pictures that it shows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from colorize_core import storage
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.summary import RunSummary
from colorize_core.images.thumbnails import Thumbnails
from colorize_core.runtime import html_template

FOLDER = "_report"
PAGE = f"{FOLDER}/index.html"
_PICTURES = f"{FOLDER}/pictures"
MOST = 100_000  # photographs: a gigabyte of small pictures, and a list that a browser takes in a second
_PER_SCRIPT = 32  # photographs: what a page loads that shows one of them
_COLUMNS = ("source", "output", "status", "reason", "message", "width", "height", "pages", "colorfulness", "content")
_WHERE = ("pictures", "finished_at")


class Album:
    """The small pictures of one task, by the digest of their photographs' files.

    Args:
        output: of the run.
        name: of the task, among all that ever wrote here.
    """

    def __init__(self, output: str, name: str) -> None:
        self._output, self._task = output, name
        self._scripts: list[dict[str, list[str]]] = [{}]

    @property
    def name(self) -> str:
        """Of the script that has the picture that was added last."""
        return self._name(len(self._scripts) - 1)

    def _name(self, number: int) -> str:
        return f"{self._task}.{number}" if number else self._task

    def add(self, content: str, look: Thumbnails) -> None:
        """Takes a photograph."""
        if len(self._scripts[-1]) == _PER_SCRIPT:
            self._scripts.append({})
        self._scripts[-1][_key(content)] = [base64.b64encode(file).decode() for file in look.files()]

    def close(self) -> None:
        """Writes them. Raises OSError."""
        for number, pictures in enumerate(self._scripts):
            if pictures:
                name = self._name(number)
                script = f"pictures({json.dumps(name)}, {json.dumps(pictures)});\n"
                storage.write(storage.join(self._output, _PICTURES, f"{name}.js"), script.encode())


def is_current(output: str, last: datetime) -> bool:
    """Whether there is a page that shows all up to the photograph that was finished then. Raises OSError."""
    page = storage.join(output, PAGE)
    return storage.exists(page) and _stamp(last).encode() in storage.read(page)


def write(output: str, run: RunSummary, last: datetime) -> None:
    """Makes the page of the photographs that were finished last, and removes pictures that it does not show.

    Args:
        output: where the ledger is.
        run: that ends now.
        last: time in the ledger.

    Raises:
        OutputError: the ledger is damaged.
        OSError: the page cannot be written.
    """
    rows = _last(ledger.scan(output, (*_COLUMNS, *_WHERE)))
    names = rows["pictures"].to_pylist()
    scripts = {name: number for number, name in enumerate(dict.fromkeys(filter(None, names)))}
    photographs = [
        [*(row | {"content": _key(row["content"])}).values(), scripts.get(name)]
        for row, name in zip(rows.select(_COLUMNS).to_pylist(), names, strict=True)
    ]
    data = {"columns": [*_COLUMNS, "script"], "photographs": photographs, "scripts": list(scripts)}
    storage.write(storage.join(output, FOLDER, "photographs.js"), f"start({json.dumps(data)});\n".encode())
    storage.write(storage.join(output, PAGE), _page(run, last).encode())
    for entry in storage.children(storage.join(output, _PICTURES)):
        if entry.name.removesuffix(".js") not in scripts:
            storage.remove_if_there(entry.path)


def _last(tables: Iterator[pa.Table]) -> pa.Table:
    """The last row of each source, by source: of those that have pictures or none to have, what was finished last."""
    kept: pa.Table | None = None
    for table in tables:
        whole = pc.or_(pc.not_equal(table["pictures"], ""), pc.not_equal(table["status"], "ok"))
        table = table.append_column("whole", pc.cast(whole, pa.int8()))
        both = pa.concat_tables([kept, table]) if kept else table
        kept = both.sort_by([("whole", "descending"), ("finished_at", "descending")]).slice(0, 2 * MOST)
    if kept is None:
        return pa.table({name: [] for name in (*_COLUMNS, *_WHERE)})
    kept = kept.sort_by([("finished_at", "descending")])
    firsts = pc.index_in(pc.unique(kept["source"]), value_set=kept["source"])
    last = kept.take(firsts).sort_by([("whole", "descending"), ("finished_at", "descending")])
    return last.slice(0, MOST).sort_by("source")


def _page(run: RunSummary, last: datetime) -> str:
    return html_template.render(
        "colorize_core.archiving.gallery",
        "gallery.html",
        run=asdict(run),
        root=storage.absolute(run.input),
        most=MOST,
        stamp=_stamp(last),
    )


def _stamp(last: datetime) -> str:
    return f"shows all up to {last.isoformat()}"


def _key(content: str) -> str:
    return content[:16]
