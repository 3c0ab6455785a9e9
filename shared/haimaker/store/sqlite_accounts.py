"""What becomes of an account's row in SQLite, each function a part of a transaction of `sqlite.py`."""

from collections.abc import Sequence

from haimaker.store import (
    Balance,
    BudgetAlert,
    Denied,
    Granted,
    Record,
    Reservation,
    Settled,
    ledger,
    minute_of,
    sqlite_models,
    sqlite_pools,
    sqlite_records,
    sqlite_schema,
    sqlite_totals,
)
from haimaker.store.ledger import Counters
from haimaker.store.model_counters import NO_MODELS, model_charges, model_releases, model_repairs
from haimaker.store.sqlite_schema import Execute


def admit(execute: Execute, reservation: Reservation) -> Granted | Denied:
    drawn = sqlite_pools.draw(execute, reservation)
    outcome, is_new = _admit(execute, reservation)
    if not is_new:
        sqlite_pools.give_back(execute, reservation, drawn)
    return outcome


def _admit(execute: Execute, reservation: Reservation) -> tuple[Granted | Denied, bool]:
    """The outcome, and whether anything was taken: nothing where it was granted before."""
    asked = {
        "id": reservation.account_id,
        "minute": minute_of(reservation.now_s),
        "now": reservation.now_s,
        "request": reservation.request_id,
    }
    row = execute(sqlite_schema.READ_TO_RESERVE, asked).fetchone()
    if row is None:
        return Denied("unknown"), False
    *stored, is_model_ended, has_met = row
    is_read = reservation.models or is_model_ended  # also what is held of another model will count in a window that lasts
    models = sqlite_models.read(execute, reservation.account_id, reservation.now_s) if is_read else NO_MODELS
    counters, met = Counters._make((*stored, models)), list[Reservation]()
    if has_met:
        met = read_reservations(
            execute, sqlite_schema.EXPIRED_OR_NAMED, reservation.account_id, reservation.now_s, reservation.request_id
        )
    if reservation in met:
        return ledger.grant(counters, reservation), False
    denied = ledger.denial(counters, reservation)
    if denied is None or denied.reason not in ledger.IRREPARABLE:
        counters = renew(execute, counters, reservation.now_s)
        if charge(execute, [other for other in met if ledger.is_expired(other, reservation.now_s)]):
            counters = read(execute, reservation.account_id, reservation.now_s) or counters
        denied = ledger.denial(counters, reservation)
    return (denied, False) if denied else (_reserve(execute, counters, reservation), True)


def release(execute: Execute, reservation: Reservation) -> bool:
    if not execute(sqlite_schema.DELETE_RESERVATION, (reservation.account_id, reservation.request_id)).rowcount:
        return False
    changes = {"id": reservation.account_id, "amount": reservation.amount_nanousd, "minute": minute_of(reservation.now_s)}
    execute(sqlite_schema.GIVE_BACK, changes | {"tokens": reservation.tokens})
    sqlite_models.charge(execute, reservation, model_releases(reservation))
    sqlite_pools.give_back(execute, reservation, reservation.amount_nanousd)
    return True


def read(execute: Execute, account_id: str, now_s: float) -> Counters | None:
    row = execute(sqlite_schema.READ, {"id": account_id, "minute": minute_of(now_s)}).fetchone()
    return row and Counters._make((*row, sqlite_models.read(execute, account_id, now_s)))


def balance(execute: Execute, counters: Counters, now_s: float) -> Balance:
    return ledger.balance(counters, read_reservations(execute, sqlite_schema.OF_ACCOUNT, counters.account_id), now_s)


def read_reservations(execute: Execute, where: str, *values: object) -> list[Reservation]:
    rows = execute(f"SELECT account_id, request_id, hold FROM holds WHERE {where}", values).fetchall()  # noqa: S608 (constants only)
    return [ledger.decode_reservation(*row) for row in rows]


def renew(execute: Execute, counters: Counters, now_s: float) -> Counters:
    if not counters.has_ended_window(now_s):
        return counters
    reservations = read_reservations(execute, sqlite_schema.OF_ACCOUNT, counters.account_id)
    renewals = model_repairs(counters.account, counters.models, reservations, now_s)
    sqlite_models.restart(execute, counters.account_id, renewals)
    renewal = ledger.repair(counters, sum(reservation.amount_nanousd for reservation in reservations), now_s)
    if renewal:
        execute(sqlite_schema.RENEW, (renewal.returned, renewal.window_end_s, counters.account_id))
    return read(execute, counters.account_id, now_s) or counters


def _reserve(execute: Execute, counters: Counters, reservation: Reservation) -> Granted:
    left = counters
    if not reservation.answered:
        left = counters._replace(requests_left=counters.requests_left - 1, tokens_left=counters.tokens_left - reservation.tokens)
    changes = {"id": reservation.account_id, "amount": reservation.amount_nanousd, "minute": minute_of(reservation.now_s)}
    execute(sqlite_schema.RESERVE, changes | {"requests_left": left.requests_left, "tokens_left": left.tokens_left})
    sqlite_models.reserve(execute, reservation)
    execute(
        sqlite_schema.ADD_RESERVATION,
        (reservation.account_id, reservation.request_id, reservation.deadline_s, ledger.encode_reservation(reservation)),
    )
    return ledger.grant(left, reservation)


def settle(execute: Execute, reservations: Sequence[Reservation], record: Record, tokens: int) -> Settled | None:
    """Adds the record if there is none yet, and charges the cost of the stored one; returns None if that is an earlier one."""
    started = ledger.sort_key(record.started_s, record.request_id)
    detail = sqlite_records.encode_detail(record.detail)
    row = (record.request_id, record.account_id, started, record.started_s, record.status, record.cost_nanousd, detail)
    is_new = execute(sqlite_schema.KEEP, row).rowcount == 1
    kept = record if is_new else sqlite_records.get_record(execute, record.request_id) or record
    if is_new:
        sqlite_totals.add(execute, record)
    else:
        kept = sqlite_records.note_outcome(execute, kept, record, reservations)
    alerts = tuple(alert for each in reservations for alert in _end(execute, each, kept, tokens))
    return Settled(alerts) if is_new else None


def _end(execute: Execute, reservation: Reservation, record: Record, tokens: int) -> tuple[BudgetAlert, ...]:
    """Ends the reservation and charges its account, if it had not ended yet. Returns the alerts that this led to."""
    if not execute(sqlite_schema.DELETE_RESERVATION, (reservation.account_id, reservation.request_id)).rowcount:
        return ()
    cost = record.cost_nanousd
    changes = {"id": reservation.account_id, "amount": reservation.amount_nanousd, "minute": minute_of(reservation.now_s)}
    charged = execute(sqlite_schema.CHARGE, changes | {"cost": cost, "unused_tokens": reservation.tokens - tokens}).fetchall()
    sqlite_models.charge(execute, reservation, model_charges(reservation, record))
    if record.status == "error":
        sqlite_pools.give_back(execute, reservation, reservation.amount_nanousd - cost)
    # Of what is spent or held together as much as the first alert, few have: what is spent alone takes more reading.
    is_near = any(amount <= taken for (taken,) in charged for amount, _ in reservation.alerts_at)
    counters = read(execute, reservation.account_id, reservation.now_s) if is_near else None
    return ledger.alerts_for(reservation, balance(execute, counters, reservation.now_s), cost) if counters else ()


def charge(execute: Execute, reservations: Sequence[Reservation]) -> int:
    """Charges what was reserved in full; returns of how many requests it was, for which several accounts may pay."""
    for reservation in reservations:
        is_free = _was_given_back(execute, reservation)
        record = ledger.free_record(reservation) if is_free else ledger.lost_record(reservation)
        settle(execute, (reservation,), record, reservation.tokens)
    return len({reservation.request_id for reservation in reservations})


def _was_given_back(execute: Execute, reservation: Reservation) -> bool:
    """Whether the process died, or the disk was full, when a request that was not sent had been given back to some of those who pay
    for it. Of an account that is gone nothing is known."""
    first = ledger.first_payer(reservation)
    if first is None or sqlite_records.get_record(execute, reservation.request_id):
        return False
    held = execute("SELECT 1 FROM holds WHERE account_id = ? AND request_id = ?", (first, reservation.request_id)).fetchone()
    return held is None and execute("SELECT 1 FROM accounts WHERE id = ?", (first,)).fetchone() is not None
