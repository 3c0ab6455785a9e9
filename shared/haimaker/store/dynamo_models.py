"""What single models that an account limits add to its item in DynamoDB and to the writes of it. Pure.

`b/<model>` is taken of the budget, which is renewed at `e/<model>`; `r<minute>/<model>` and `t<minute>/<model>` are requests and
tokens of a minute. An attribute that is not there yet is 0, and a window without an end has none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from haimaker.http.values import JSON
from haimaker.store import NEVER_S, Reservation, minute_of
from haimaker.store.model_counters import AllCounters, ModelCharge, ModelCounters, decode_model, encode_model
from haimaker.store.windows import Repair


class Pieces(NamedTuple):
    """What is added to one write: to its SET, to its condition, and the values and names in them."""

    update: str
    condition: str
    values: JSON
    names: dict[str, str]


def attributes(counters: AllCounters) -> JSON:
    """The attributes of a new item."""
    taken = {f"b/{encode_model(model)}": each.taken for model, each in counters.items()}
    return taken | {f"e/{encode_model(model)}": each.window_end_s for model, each in counters.items()}


def counters(item: Mapping[str, Any], minute: int) -> dict[str, ModelCounters]:
    found = {}
    for text in {name[2:] for name in item if name.startswith(("b/", "e/"))}:
        names = {f"b/{text}": 0, f"e/{text}": NEVER_S, f"r{minute}/{text}": 0, f"t{minute}/{text}": 0}
        found[decode_model(text)] = ModelCounters(*(item.get(name, nothing) for name, nothing in names.items()))
    return found


def names_of(number: int, model: str, minute: int = 0) -> dict[str, str]:
    """The names of a model's counters, of which it is the `number`-th in an expression."""
    text = encode_model(model)
    found = {"b": f"b/{text}", "e": f"e/{text}", "r": f"r{minute}/{text}", "t": f"t{minute}/{text}"}
    return {f"#{kind}{number}": name for kind, name in found.items()}


def reserve(reservation: Reservation) -> Pieces:
    """Takes what is held of each model, if its limits allow that."""
    update, condition = "", ""
    values: JSON = {":zero": 0} if reservation.models else {}
    names: dict[str, str] = {}
    for number, hold in enumerate(reservation.models):
        b, e, r, t = found = names_of(number, hold.model, minute_of(reservation.now_s))
        names |= found
        values |= {f":b{number}": hold.amount_nanousd, f":t{number}": hold.tokens, f":r{number}": hold.requests}
        update += f", {b} = if_not_exists({b}, :zero) + :b{number}, {r} = if_not_exists({r}, :zero) + :r{number}"
        update += f", {t} = if_not_exists({t}, :zero) + :t{number}"
        condition += f" AND (attribute_not_exists({e}) OR {e} > :now)"
        limit = hold.limit
        for name, most, wanted in (
            (b, limit.budget_nanousd, hold.amount_nanousd),
            (r, limit.rpm_limit, hold.requests),
            (t, limit.tpm_limit, hold.tokens),
        ):
            if most is not None and wanted:
                value = f":most_{name[1:]}"
                values[value] = most - wanted
                fits = f"{name} <= {value}"
                condition += f" AND (attribute_not_exists({name}) OR {fits})" if most >= wanted else f" AND {fits}"
    return Pieces(update, condition, values, names)


def charge(charges: Sequence[ModelCharge], now_s: float, *, in_minute: bool) -> Pieces:
    """What the end of a reservation of the minute of `now_s` adds; counters of a minute are left alone after it."""
    update = ""
    values: JSON = {}
    names: dict[str, str] = {}
    for number, one in enumerate(charges):
        found = names_of(number, one.model, minute_of(now_s))
        for kind, added in {"b": one.taken, **({"r": one.requests, "t": one.tokens} if in_minute else {})}.items():
            if added:
                name = f"#{kind}{number}"
                update += f", {name} = if_not_exists({name}, :zero) + :{kind}{number}"
                values |= {":zero": 0, f":{kind}{number}": added}
                names[name] = found[name]
    return Pieces(update, "", values, names)


def restart(restarts: Mapping[str, Repair]) -> Pieces:
    """Begins windows."""
    update = ""
    values: JSON = {":zero": 0} if restarts else {}
    names: dict[str, str] = {}
    for number, (model, begun) in enumerate(restarts.items()):
        b, e, *_ = found = names_of(number, model)
        update += f", {b} = if_not_exists({b}, :zero) - :b{number}, {e} = :e{number}"
        values |= {f":b{number}": begun.returned, f":e{number}": begun.window_end_s}
        names |= {b: found[b], e: found[e]}
    return Pieces(update, "", values, names)
