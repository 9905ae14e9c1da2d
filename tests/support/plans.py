"""Plans of small listings, and the ledger after a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from colorize_core.archiving.inputs import photographs
from colorize_core.archiving.planning import plan
from colorize_core.archiving.planning.plan import Plan, Request, make_plan
from colorize_core.archiving.spilled_table import SpilledTable
from colorize_core.archiving.state import ledger
from colorize_core.archiving.state.ledger import LedgerRow

Row = dict[str, Any]  # a row of photographs.SCHEMA
Rows = dict[str, LedgerRow]
MakeRow = Callable[..., LedgerRow]
BUNDLE, SETTINGS = "ab" * 32, "format=png"  # those of make_row


def listed_file(name: str, size: int = 1000, folder: str = "/in") -> Row:
    path = f"{folder}/{name}"
    row = {"path": path.encode(), "member": b"", "place": 0, "source": path, "name": name, "size": size}
    return row | {"fingerprint": "7-1"}


def listed(*names: str) -> list[Row]:
    return [listed_file(name) for name in sorted(names)]


def plan_of(sources: Sequence[Row], done: Rows | Sequence[LedgerRow] = (), **changes: Any) -> Plan:
    there = SpilledTable(photographs.SCHEMA)
    for row in random.Random(0).sample(sources, len(sources)):  # noqa: S311 - a listing is in no order
        there.append(pa.Table.from_pylist([row], photographs.SCHEMA))
    rows = list(done.values()) if isinstance(done, dict) else done
    known = [pa.Table.from_pylist([vars(row)], ledger.SCHEMA).select(plan.LEDGER_COLUMNS) for row in rows]
    request = Request(**({"bundle": BUNDLE, "settings": SETTINGS, "suffix": ".png"} | changes))
    return make_plan(there, known, request)


def todo_of(new_plan: Plan) -> list[Row]:
    return sorted(new_plan.todo.table().to_pylist(), key=lambda row: row["name"])


def names_of(new_plan: Plan) -> dict[str, str]:
    return {row["name"]: row["output"] for row in todo_of(new_plan)}


def carried_out(new_plan: Plan, make_row: MakeRow, **fields: Any) -> Rows:
    """Returns the ledger's rows after a run that colorized all photographs of a plan."""
    return {
        row["source"]: make_row(row["source"], fingerprint=row["fingerprint"], output=row["output"], **fields)
        for row in todo_of(new_plan)
    }
