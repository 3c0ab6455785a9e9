"""Pools in DynamoDB: money of an account that is put aside for requests to come. See `Store.open_pool`.

A pool is an attribute of the account's own item, `p/<pool>`, so that a request takes from it by the write that admits it, and what
settles a request gives back to it by its own write. Opening one is a reservation that another write turns into the pool: where that
is not reached, whoever opens it again does it.
"""

from collections.abc import Callable

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import replace
from haimaker.store import Denied, Granted, Reservation, StoreThrottled, ledger, tables
from haimaker.store.dynamo_calls import ConditionFailed
from haimaker.store.dynamo_expressions import ALLOWS_AMOUNT, HELD, RESERVE, RESERVE_ANSWERED
from haimaker.store.tables import POOL, Item, minute_names

FROM_REST = "remaining = remaining - :amount"
FROM_POOL = "remaining = remaining - :rest, #pool = #pool - :drawn"
HAS_DRAWN = " AND #pool >= :drawn"
ALLOWS_REST = " AND remaining >= :rest"
BACK = ", remaining = remaining + "
OPEN = "SET #pool = :amount, free_slots = free_slots + :one, #rpm = if_not_exists(#rpm, rpm_limit) + :one REMOVE holds.#rid"
CLOSE = "SET remaining = remaining + :amount REMOVE #pool"
IS_LEFT = "#pool = :amount"

Read = Callable[[str], Item | None]
"""Reads an account's own item."""
Update = Callable[..., Item]
"""Writes to an account's item: place, update, condition, values, names."""


def _name(pool: str) -> dict[str, str]:
    return {"#pool": f"{POOL}{pool}"}


def left(item: Item | None, pool: str) -> int | None:
    """What is left in a pool; None if there is no such pool."""
    return (item or {}).get(f"{POOL}{pool}")


def _to_draw(item: Item | None, reservation: Reservation) -> int:
    return min(left(item, reservation.pool) or 0, reservation.amount_nanousd) if reservation.pool else 0


def admission(read: Read, reservation: Reservation) -> tuple[str, str, JSON, dict[str, str]]:
    """The update that admits a request, its condition on the money, values and names: what is left in its pool is taken first."""
    drawn = _to_draw(read(reservation.account_id), reservation) if reservation.pool else 0
    update, must_have = (RESERVE_ANSWERED, False) if reservation.answered else (RESERVE, True)
    if not drawn:
        allows = ALLOWS_AMOUNT if must_have and reservation.amount_nanousd else ""
        return update, allows, {":amount": reservation.amount_nanousd}, {}
    rest = reservation.amount_nanousd - drawn
    condition = HAS_DRAWN + (ALLOWS_REST if must_have and rest else "")
    return update.replace(FROM_REST, FROM_POOL), condition, {":drawn": drawn, ":rest": rest}, _name(reservation.pool)


def denial(item: Item, reservation: Reservation) -> Denied | None:
    """Why an account does not allow a request that may draw from its pool."""
    counters = tables.counters(item, reservation.now_s)
    return ledger.denial(counters._replace(remaining=counters.remaining + _to_draw(item, reservation)), reservation)


def give_back(update: Update, place: tuple[str, int], reservation: Reservation, amount_nanousd: int, status: str = "error") -> None:
    """Moves what a request that failed, or was not sent, did not use from the rest of the budget into its pool, if that is open."""
    if not reservation.pool or amount_nanousd <= 0 or status != "error":
        return
    try:
        move = "SET remaining = remaining - :amount, #pool = #pool + :amount"
        update(place, move, "attribute_exists(#pool)", {":amount": amount_nanousd}, _name(reservation.pool))
    except ConditionFailed:
        return


def open_pool(
    update: Update, read: Read, reserve: Callable[[Reservation], Granted | Denied], reservation: Reservation
) -> Denied | None:
    if left(read(reservation.account_id), reservation.request_id) is not None:
        return None
    outcome = reserve(replace(reservation, opens_pool=True))
    if isinstance(outcome, Denied):
        return outcome
    values = {":amount": reservation.amount_nanousd, ":one": 1}
    names = {"#rid": reservation.request_id, "#rpm": minute_names(reservation.now_s)["#rpm"], **_name(reservation.request_id)}
    try:
        update((reservation.account_id, 0), OPEN, HELD, values, names)
    except ConditionFailed as failed:
        if not failed.repeated:
            raise StoreThrottled("DynamoDB UpdateItem: what was held for a pool is gone") from None
    return None


def close_pool(update: Update, read: Read, account_id: str, pool: str) -> int | None:
    while (amount := left(read(account_id), pool)) is not None:
        try:
            update((account_id, 0), CLOSE, IS_LEFT, {":amount": amount}, _name(pool))
        except ConditionFailed as failed:
            if not failed.repeated:
                continue  # a request drew from it meanwhile
        return amount
    return None
