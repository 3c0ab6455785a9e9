"""One record in SQLite: read, changed, and what is noted on it later. Each is a part of a transaction of `sqlite.py`."""

import json
from collections.abc import Sequence
from typing import Any

from haimaker.store import Hold, Record, ledger
from haimaker.store import sqlite_schema as schema
from haimaker.store.sqlite_schema import Execute


def noted(execute: Execute, kept: Record, record: Record, holds: Sequence[Hold]) -> Record:
    """An earlier record with what became of a request that was lost, and who else is charged for it."""
    changed = ledger.noted(kept, record) or kept
    for hold in holds:
        changed = ledger.joined(changed, hold) or changed
    if changed is not kept:
        amend(execute, changed)
    return changed


def kept(execute: Execute, request_id: str) -> Record | None:
    row = execute(f"{schema.RECORDS} WHERE id = ?", (request_id,)).fetchone()
    return record_of(row) if row else None


def amend(execute: Execute, record: Record) -> bool:
    changes = {"id": record.request_id, "status": record.status, "cost": record.cost_nanousd, "detail": json.dumps(record.detail)}
    return execute(schema.AMEND, changes).rowcount == 1


def record_of(row: Sequence[Any]) -> Record:
    request_id, account_id, started_s, status, cost_nanousd, detail = row[:6]
    return Record(request_id, account_id, started_s, status, cost_nanousd, json.loads(detail))
