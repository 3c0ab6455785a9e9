"""Reserves for a request on every account that pays for it, the key first: on all of them or on none.

Each account is one conditional write, exact by itself. Between two of them nothing is certain, so that what is left behind by a
process that dies here is charged as lost: never free, and never overspent.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from haimaker.store import Admitted, Hold, Refused, Store, StoreThrottled, StoreUnavailable


def admit(store: Store, holds: Sequence[Hold]) -> Admitted | Refused:
    """The first account's grant, whose hold has the others in it; or the first refusal. Raises StoreUnavailable."""
    granted: list[Admitted] = []
    for hold in holds:
        try:
            outcome = _asked_again(store, hold)
        except StoreUnavailable:
            give_back(store, [*(admitted.hold for admitted in granted), hold])
            raise
        if isinstance(outcome, Refused):
            give_back(store, [admitted.hold for admitted in granted])
            return outcome
        granted.append(outcome)
    first, *others = granted
    return replace(first, hold=replace(first.hold, also=tuple(admitted.hold for admitted in others)))


def _asked_again(store: Store, hold: Hold) -> Admitted | Refused:
    """Once more if the store's answer was lost: the same hold is never taken twice."""
    try:
        return store.admit(hold)
    except StoreThrottled:
        raise
    except StoreUnavailable:
        return store.admit(hold)


def give_back(store: Store, holds: Sequence[Hold]) -> None:
    """One that can't be given back now is charged as lost after its deadline."""
    for hold in holds:
        with suppress(StoreUnavailable):
            store.release(hold)
