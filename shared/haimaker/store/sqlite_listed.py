"""Lists of accounts in SQLite, by a table that has what a list looks at of each. Each is a part of a transaction of `sqlite.py`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.store import (
    SUCCESSOR,
    UNLIMITED,
    Account,
    Balance,
    Reservation,
    ledger,
    limits_of,
    minute_of,
    sqlite_models,
    sqlite_schema,
)
from haimaker.store.account_query import AccountQuery, Order, Status, place_of, to_searched, to_sorted_name
from haimaker.store.ledger import Counters
from haimaker.store.model_counters import NO_MODELS
from haimaker.store.sqlite_schema import Execute

ADD = f"INSERT OR REPLACE INTO listed VALUES ({', '.join('?' * 11)})"  # noqa: S608 (constants only)
REMOVE = "DELETE FROM listed WHERE (kind, created) = (SELECT kind, created FROM accounts WHERE id = ?)"
ALL_ACCOUNTS = "SELECT config, version FROM accounts"
HELD = "COALESCE((SELECT SUM(CAST(substr(hold, instr(hold, ' ') + 1) AS INTEGER)) FROM holds WHERE account_id = accounts.id), 0)"
"""The second of the numbers of which `ledger.encode_reservation` makes a hold."""
POOLED = "COALESCE((SELECT SUM(amount) FROM pools WHERE account_id = accounts.id), 0)"
SPEND = f"CASE WHEN window_end_s <= :now THEN 0 ELSE accounts.budget - remaining - {HELD} - {POOLED} END"
JOINED = "listed JOIN accounts ON accounts.id = listed.id"
FITS: Mapping[Status, str] = {
    "active": "listed.blocked = 0 AND listed.expires_s > :now",
    "blocked": "listed.blocked = 1",
    "expired": "listed.expires_s <= :now",
}
ORDERS: Mapping[Order, tuple[str, str]] = {
    "created_at": ("listed", "listed.created"),
    "key_alias": ("listed", "listed.name"),
    "expires": ("listed", "listed.expires_s"),
    "max_budget": ("listed", "listed.budget"),
    "total_spend": (JOINED, "accounts.total_spend"),
    "spend": (JOINED, SPEND),
    "used": (
        JOINED,
        f"""CASE WHEN listed.budget = {UNLIMITED} THEN -1.0
            ELSE CAST({SPEND} + {HELD} + {POOLED} AS REAL) / MAX(1, listed.budget) END""",
    ),
}
"""Tables, and what is sorted by in them."""


def keep(execute: Execute, account: Account) -> None:
    """Lists an account, or takes one off that only stands for another one."""
    if SUCCESSOR in account.metadata:
        execute(REMOVE, (account.id,))
        return
    kind, _, _ = account.id.partition("#")
    conditions = (json.dumps(value) for value in (account.alias, account.team_id, account.user_id))
    shown = (to_sorted_name(account), to_searched(account), account.blocked, account.expires_s, limits_of(account)["budget"])
    execute(ADD, (kind, place_of(account), account.id, *conditions, *shown))


def remove(execute: Execute, account_id: str) -> None:
    """Removes an account from the lists. Called before the account itself is removed."""
    execute(REMOVE, (account_id,))


def add_all(execute: Execute) -> None:
    """Lists the accounts of a file of a version that had no list."""
    for row in execute(ALL_ACCOUNTS).fetchall():
        keep(execute, ledger.decode_account(*row))


def find(execute: Execute, query: AccountQuery, offset: int, limit: int, now_s: float) -> tuple[list[str], int]:
    """The ids of so many accounts, and how many there are in all."""
    conditions = ["listed.kind = :kind"]
    values: dict[str, Any] = {"kind": query.kind, "now": now_s, "limit": limit, "offset": offset}
    for column, value in (("alias", query.alias), ("team_id", query.team_id), ("user_id", query.user_id)):
        if value is not None:
            conditions.append(f"listed.{column} = :{column}")
            values[column] = json.dumps(value)
    if query.account_id is not None:
        conditions.append("listed.id = :id")
        values["id"] = query.account_id.encode("utf-8", "replace").decode()
    if query.status is not None:
        conditions.append(FITS[query.status])
    if query.part:
        conditions.append("(instr(searched, :part) OR substr(listed.id, :behind, length(:part)) = :part)")
        values |= {"part": query.part, "behind": len(query.kind) + 2}
    where = " AND ".join(conditions)
    tables, order = ORDERS[query.sort_by]
    direction = "DESC" if query.descending else "ASC"
    page = f"""SELECT listed.id FROM {tables} WHERE {where}
        ORDER BY {order} {direction}, listed.created LIMIT :limit OFFSET :offset"""  # noqa: S608 (constants only)
    [total] = execute(f"SELECT COUNT(*) FROM listed WHERE {where}", values).fetchone()  # noqa: S608
    return [account_id for (account_id,) in execute(page, values)], total


def read_page(execute: Execute, ids: Sequence[str], now_s: float) -> list[Balance]:
    """The accounts of these ids, in their order."""
    asked = {"ids": json.dumps(ids), "minute": minute_of(now_s)}
    models = sqlite_models.read_page(execute, asked)
    held: dict[str, list[Reservation]] = {}
    for each in execute(sqlite_schema.RESERVATIONS_OF_PAGE, asked):
        held.setdefault(each[0], []).append(ledger.decode_reservation(*each))
    found = {row[0]: Counters._make((*row, models.get(row[0], NO_MODELS))) for row in execute(sqlite_schema.READ_PAGE, asked)}
    return [ledger.balance(found[each], held.get(each, ()), now_s) for each in ids if each in found]
