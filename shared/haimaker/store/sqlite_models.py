"""Counters in SQLite of the models that an account limits. Each is a part of a transaction of `sqlite.py`."""

from collections.abc import Mapping, Sequence

from haimaker.store import NEVER_S, Reservation, minute_of, sqlite_schema
from haimaker.store.model_counters import ModelCharge, ModelCounters, ModelRefund, decode_model, encode_model
from haimaker.store.sqlite_schema import Execute
from haimaker.store.windows import Repair


def read(execute: Execute, account_id: str, now_s: float) -> dict[str, ModelCounters]:
    rows = execute(sqlite_schema.READ_MODELS, {"id": account_id, "minute": minute_of(now_s)})
    return {decode_model(model): ModelCounters(*counters) for model, *counters in rows}


def read_page(execute: Execute, page: Mapping[str, object]) -> dict[str, dict[str, ModelCounters]]:
    """The counters of a page of accounts, by account; those without limits of models are not in it."""
    found: dict[str, dict[str, ModelCounters]] = {}
    for account_id, model, *counters in execute(sqlite_schema.MODELS_OF_PAGE, page):
        found.setdefault(account_id, {})[decode_model(model)] = ModelCounters(*counters)
    return found


def reserve(execute: Execute, reservation: Reservation) -> None:
    at = {"id": reservation.account_id, "minute": minute_of(reservation.now_s), "never": NEVER_S}
    for hold in reservation.models:
        taken = {"model": encode_model(hold.model), "amount": hold.amount_nanousd, "tokens": hold.tokens, "requests": hold.requests}
        execute(sqlite_schema.RESERVE_MODEL, at | taken)


def charge(execute: Execute, reservation: Reservation, charges: Sequence[ModelCharge]) -> None:
    """Adds what the end of the reservation does; counters of a minute are left alone after it."""
    for one in charges:
        added = {"model": encode_model(one.model), "taken": one.taken, "requests": one.requests, "tokens": one.tokens}
        execute(sqlite_schema.CHARGE_MODEL, added | {"id": reservation.account_id, "minute": minute_of(reservation.now_s)})


def give_back(execute: Execute, refund: ModelRefund) -> None:
    returned = {"id": refund.account_id, "model": encode_model(refund.model), "returned": refund.returned}
    execute(sqlite_schema.GIVE_BACK_MODEL, returned)


def restart(execute: Execute, account_id: str, restarts: Mapping[str, Repair]) -> None:
    """Begins windows."""
    for model, begun in restarts.items():
        values = {"id": account_id, "model": encode_model(model), "returned": begun.returned, "window_end_s": begun.window_end_s}
        execute(sqlite_schema.RESTART_MODEL, values)
