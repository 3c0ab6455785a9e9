"""One record in SQLite: read, changed, and what is noted on it later. Each is a part of a transaction of `sqlite.py`."""

import json
from collections.abc import Sequence
from typing import Any

from haimaker.store import Record, Reservation, ledger, sqlite_schema, sqlite_totals
from haimaker.store.sqlite_schema import Execute

encode_detail = json.JSONEncoder(separators=(",", ":")).encode


def note_outcome(execute: Execute, kept: Record, record: Record, reservations: Sequence[Reservation]) -> Record:
    """Notes the outcome of a lost request, and the other accounts it is charged to, in the record that was stored earlier."""
    changed = ledger.with_outcome(kept, record) or kept
    for reservation in reservations:
        changed = ledger.with_account(changed, reservation) or changed
    if changed is not kept:
        amend(execute, changed)
    return changed


def get_record(execute: Execute, request_id: str) -> Record | None:
    row = execute(f"{sqlite_schema.RECORDS} WHERE id = ?", (request_id,)).fetchone()
    return to_record(row) if row else None


def amend(execute: Execute, record: Record) -> bool:
    earlier = get_record(execute, record.request_id)
    changes = {
        "id": record.request_id,
        "status": record.status,
        "cost": record.cost_nanousd,
        "detail": encode_detail(record.detail),
    }
    if earlier is None or execute(sqlite_schema.AMEND, changes).rowcount != 1:
        return False
    sqlite_totals.add(execute, earlier, times=-1)
    sqlite_totals.add(execute, record)
    return True


def to_record(row: Sequence[Any]) -> Record:
    request_id, account_id, started_s, status, cost_nanousd, detail = row[:6]
    return Record(request_id, account_id, started_s, status, cost_nanousd, json.loads(detail))
