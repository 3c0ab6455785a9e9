"""Pools in the SQLite file: money of an account that is put aside for requests to come. Each function is a part of a transaction of
`sqlite.py`; see `Store.open_pool`."""

from haimaker.store import Reservation
from haimaker.store.sqlite_schema import Execute

LEFT = "SELECT amount FROM pools WHERE account_id = ? AND pool = ?"
OPEN = "INSERT INTO pools VALUES (?, ?, ?)"
CLOSE = "DELETE FROM pools WHERE account_id = ? AND pool = ?"
MOVE_IN = "UPDATE pools SET amount = amount + ? WHERE account_id = ? AND pool = ?"
MOVE_OUT = "UPDATE accounts SET remaining = remaining - ? WHERE id = ?"


def left(execute: Execute, account_id: str, pool: str) -> int | None:
    """What is left in a pool; None if there is no such pool."""
    row = execute(LEFT, (account_id, pool)).fetchone()
    return int(row[0]) if row else None


def open_pool(execute: Execute, reservation: Reservation) -> None:
    """Puts aside what the account has just given for it."""
    execute(OPEN, (reservation.account_id, reservation.request_id, 0))
    move(execute, reservation.account_id, reservation.request_id, reservation.amount_nanousd)


def draw(execute: Execute, reservation: Reservation) -> int:
    """Moves what a request needs from its pool to the rest of the account's budget, as far as it is there; returns how much."""
    if not reservation.pool:
        return 0
    drawn = min(left(execute, reservation.account_id, reservation.pool) or 0, reservation.amount_nanousd)
    if drawn:
        move(execute, reservation.account_id, reservation.pool, -drawn)
    return drawn


def give_back(execute: Execute, reservation: Reservation, amount_nanousd: int) -> None:
    """Moves what a request did not use, from the rest of the budget into its pool, if that is still open."""
    if reservation.pool and amount_nanousd > 0:
        move(execute, reservation.account_id, reservation.pool, amount_nanousd)


def close_pool(execute: Execute, account_id: str, pool: str) -> int | None:
    """Returns what was left, which the account has again."""
    amount = left(execute, account_id, pool)
    if amount is not None:
        move(execute, account_id, pool, -amount)
        execute(CLOSE, (account_id, pool))
    return amount


def move(execute: Execute, account_id: str, pool: str, amount_nanousd: int) -> None:
    """Moves an amount from the rest of the account's budget into the pool, or, where it is negative, back."""
    if execute(MOVE_IN, (amount_nanousd, account_id, pool)).rowcount:
        execute(MOVE_OUT, (amount_nanousd, account_id))
