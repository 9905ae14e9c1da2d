"""The gallery of results: ``OUTPUT/_report/index.html``, with its data in scripts beside it.

A browser that opens a page from a disk loads scripts, but no other files. Each task writes its thumbnails as a script,
and the end of a run writes the list of photographs as another; the page loads the thumbnails that it shows.
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
FIRST_PAGE = f"{FOLDER}/look-at-these-first.html"
_FIRST = 100  # photographs on that page: those with the largest doubt
_PICTURES = f"{FOLDER}/pictures"
MAX_PHOTOGRAPHS = 100_000  # a gigabyte of thumbnails, and a list that a browser loads in a second
_PER_SCRIPT = 32  # photographs in a script, which the page loads to show one of them
_COLUMNS = (
    "source",
    "output",
    "status",
    "reason",
    "message",
    "width",
    "height",
    "pages",
    "colorfulness",
    "doubt",
    "content",
)
_WHERE = ("pictures", "finished_at")


class ThumbnailScripts:
    """Writes the thumbnails of one task as scripts, by the digest of the photographs' files.

    Args:
        output: folder or URL of the run's results.
        task: name of the task, unique among all tasks that ever wrote to ``output``.
    """

    def __init__(self, output: str, task: str) -> None:
        self._output, self._task = output, task
        self._scripts: list[dict[str, list[str]]] = [{}]

    @property
    def current_script(self) -> str:
        """The name of the script that holds the newest thumbnail."""
        return self._name(len(self._scripts) - 1)

    def _name(self, number: int) -> str:
        return f"{self._task}.{number}" if number else self._task

    def add(self, content: str, thumbnails: Thumbnails) -> None:
        """Adds the thumbnails of a photograph whose file has the SHA-256 ``content``."""
        if len(self._scripts[-1]) == _PER_SCRIPT:
            self._scripts.append({})
        self._scripts[-1][_key(content)] = [base64.b64encode(file).decode() for file in thumbnails.files()]

    def close(self) -> None:
        """Writes the scripts. Raises OSError."""
        for number, pictures in enumerate(self._scripts):
            if pictures:
                name = self._name(number)
                script = f"pictures({json.dumps(name)}, {json.dumps(pictures)});\n"
                storage.write(storage.join(self._output, _PICTURES, f"{name}.js"), script.encode())


def is_current(output: str, last: datetime) -> bool:
    """Returns True if there is a page that shows all photographs up to the one finished at ``last``. Raises OSError."""
    page = storage.join(output, PAGE)
    return storage.exists(page) and _stamp(last).encode() in storage.read(page)


def write(output: str, run: RunSummary, last: datetime) -> None:
    """Writes the page of the photographs that were finished last, and removes thumbnails that it does not show.

    Args:
        output: folder or URL that holds the ledger.
        run: summary of the run that ends now.
        last: the newest time in the ledger.

    Raises:
        OutputError: the ledger is damaged.
        OSError: the page cannot be written.
    """
    rows = _latest_rows(ledger.scan(output, (*_COLUMNS, *_WHERE)))
    names = rows["pictures"].to_pylist()
    scripts = {name: number for number, name in enumerate(dict.fromkeys(filter(None, names)))}
    photographs = [
        [*(row | {"content": _key(row["content"])}).values(), scripts.get(name)]
        for row, name in zip(rows.select(_COLUMNS).to_pylist(), names, strict=True)
    ]
    data = {"columns": [*_COLUMNS, "script"], "photographs": photographs, "scripts": list(scripts)}
    storage.write(storage.join(output, FOLDER, "photographs.js"), f"start({json.dumps(data)});\n".encode())
    has_doubt = any(doubt is not None for doubt in rows["doubt"].to_pylist())
    if has_doubt:
        storage.write(storage.join(output, FIRST_PAGE), _page(run, last, has_doubt=True, first=_FIRST).encode())
    else:
        storage.remove_if_there(storage.join(output, FIRST_PAGE))
    storage.write(storage.join(output, PAGE), _page(run, last, has_doubt=has_doubt).encode())
    for entry in storage.children(storage.join(output, _PICTURES)):
        if entry.name.removesuffix(".js") not in scripts:
            storage.remove_if_there(entry.path)


def _latest_rows(tables: Iterator[pa.Table]) -> pa.Table:
    """Returns the newest row of each source, sorted by source. Results without thumbnails are dropped first."""
    kept: pa.Table | None = None
    for table in tables:
        whole = pc.or_(pc.not_equal(table["pictures"], ""), pc.not_equal(table["status"], "ok"))
        table = table.append_column("whole", pc.cast(whole, pa.int8()))
        both = pa.concat_tables([kept, table]) if kept else table
        kept = both.sort_by([("whole", "descending"), ("finished_at", "descending")]).slice(0, 2 * MAX_PHOTOGRAPHS)
    if kept is None:
        return pa.table({name: [] for name in (*_COLUMNS, *_WHERE)})
    kept = kept.sort_by([("finished_at", "descending")])
    firsts = pc.index_in(pc.unique(kept["source"]), value_set=kept["source"])
    last = kept.take(firsts).sort_by([("whole", "descending"), ("finished_at", "descending")])
    return last.slice(0, MAX_PHOTOGRAPHS).sort_by("source")


def _page(run: RunSummary, last: datetime, *, has_doubt: bool, first: int = 0) -> str:
    """Returns the page of all photographs, or of the ``first`` ones by doubt."""
    return html_template.render(
        "colorize_core.archiving.gallery",
        "gallery.html",
        run=asdict(run),
        root=storage.absolute(run.input),
        most=MAX_PHOTOGRAPHS,
        has_doubt=has_doubt,
        first=first,
        first_page=FIRST_PAGE.rpartition("/")[2],
        page=PAGE.rpartition("/")[2],
        stamp=_stamp(last),
    )


def _stamp(last: datetime) -> str:
    return f"shows all up to {last.isoformat()}"


def _key(content: str) -> str:
    return content[:16]
