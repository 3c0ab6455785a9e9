"""Reserves for a request on every account that pays for it, the key first: on all of them or on none.

Each account is one conditional write, exact by itself. Between two of them nothing is certain, so that what is left behind by a
process that dies here is charged as lost: never free, and never overspent.
"""

from collections.abc import Sequence
from contextlib import suppress

from haimaker.lean_dataclasses import replace
from haimaker.store import Denied, Granted, Reservation, Store, StoreThrottled, StoreUnavailable, ledger


def reserve(store: Store, reservations: Sequence[Reservation]) -> Granted | Denied:
    """Reserves on each account in turn. Returns the first account's grant, whose reservation has the others as `siblings`, or the
    first denial, after which all is given back. Raises StoreUnavailable."""
    granted: list[Granted] = []
    for reservation in reservations:
        try:
            outcome = _reserve_with_retry(store, reservation)
        except StoreUnavailable as error:
            left = [admitted.reservation for admitted in granted]
            if not (isinstance(error, StoreThrottled) and error.untouched):  # else it would be one more write of what is busy
                left.append(reservation)
            release(store, left)
            raise
        if isinstance(outcome, Denied):
            release(store, [admitted.reservation for admitted in granted])
            return outcome
        granted.append(outcome)
    first, *others = granted
    if not others:
        return first
    return replace(first, reservation=replace(first.reservation, siblings=tuple(admitted.reservation for admitted in others)))


def foresee_denial(store: Store, reservations: Sequence[Reservation]) -> Denied | None:
    """The denial that reserving would end in now; None where nothing is known to stand against it. It only reads, so
    that limits of one target of several are left to `reserve`. Raises StoreUnavailable."""
    for reservation in reservations:
        balance = store.get(reservation.account_id)
        if balance and (denied := ledger.foreseen_denial(balance, reservation)):
            return denied
    return None


def _reserve_with_retry(store: Store, reservation: Reservation) -> Granted | Denied:
    """Tries once more if the store's answer was lost; the store never takes the same reservation twice."""
    try:
        return store.reserve(reservation)
    except StoreThrottled:
        raise
    except StoreUnavailable:
        try:
            return store.reserve(reservation)
        except StoreThrottled as error:
            error.untouched = False  # the first try may have been carried out
            raise


def release(store: Store, reservations: Sequence[Reservation]) -> None:
    """Gives reservations back; one for which the store fails now is charged as lost after its deadline."""
    for reservation in reservations:
        with suppress(StoreUnavailable):
            store.release(reservation)
