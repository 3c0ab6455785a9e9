"""The arithmetic of an account's counters and the text forms of accounts, shared by the stores. Pure: no clock, no I/O.

The stores decide in their own conditional writes; what is here explains a refusal, shows a balance and says what a
repair moves. Every repair is a difference to add, so that it commutes with settles that happen meanwhile.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import NamedTuple

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import replace
from haimaker.store import (
    NEVER_S,
    UNLIMITED,
    Account,
    Balance,
    BudgetAlert,
    DenialReason,
    Denied,
    Granted,
    Record,
    Reservation,
    limits_of,
    minute_of,
)

LAST_YEAR = 3_000
IRREPARABLE: tuple[DenialReason, ...] = ("blocked", "expired", "version")
"""Refusals that no repair of the counters can change."""


class Counters(NamedTuple):
    """An account as a store keeps it. `requests_left` and `tokens_left` belong to the minute of the reservation."""

    account_id: str
    config: str
    version: int
    blocked: bool
    expires_s: int
    window_end_s: int
    budget: int
    remaining: int
    total_spend: int
    rpm_limit: int
    tpm_limit: int
    parallel_limit: int
    free_slots: int
    requests_left: int
    tokens_left: int

    @property
    def account(self) -> Account:
        return decode_account(self.config, self.version)


class Repair(NamedTuple):
    """A budget window that ended: what returns to `remaining`, and when the window that follows ends."""

    returned: int
    window_end_s: int


def initial_counters(account: Account, spent_as: Balance | None = None) -> Counters:
    """The counters of a new account: all is left, except what the account that it replaces has spent or reserved."""
    spent = spent_as.spend_nanousd + spent_as.held_nanousd if spent_as else 0
    carried = spent_as.total_spend_nanousd + spent_as.held_nanousd if spent_as else account.carried_nanousd
    limits = limits_of(account)
    budget, rpm, tpm, parallel = limits["budget"], limits["rpm"], limits["tpm"], limits["parallel"]
    return Counters(
        account_id=account.id,
        config=encode_account(replace(account, carried_nanousd=carried)),
        version=account.version,
        blocked=account.blocked,
        expires_s=account.expires_s,
        window_end_s=spent_as.window_end_s if spent_as else window_end(account, account.created_s),
        budget=budget,
        remaining=budget - spent,
        total_spend=carried if spent_as else 0,
        rpm_limit=rpm,
        tpm_limit=tpm,
        parallel_limit=parallel,
        free_slots=parallel,
        requests_left=rpm,
        tokens_left=tpm,
    )


def window_end(account: Account, start_s: float) -> int:
    """When a budget window that starts at `start_s` ends."""
    if account.budget_months:
        return months_later(start_s, account.budget_months)
    return NEVER_S if account.budget_window_s is None else int(start_s) + account.budget_window_s


def months_later(start_s: float, months: int) -> int:
    """The first of a month, so many after the one that holds `start_s`."""
    start = datetime.fromtimestamp(start_s, UTC)
    years, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return int(datetime(years, month + 1, 1, tzinfo=UTC).timestamp()) if years <= LAST_YEAR else NEVER_S


def repair(counters: Counters, held: int, now_s: float) -> Repair | None:
    """The renewal of a budget whose window has ended, else None. The window moves on by whole windows, to the first end after
    now."""
    if counters.window_end_s > now_s:
        return None
    length_s, months = counters.account.budget_window
    if months:
        end_s = counters.window_end_s
        while end_s <= now_s:
            end_s = months_later(end_s, months)
        return Repair(spend_of(counters, held), end_s)
    if not length_s:
        return None
    windows = int((now_s - counters.window_end_s) // length_s) + 1
    return Repair(spend_of(counters, held), counters.window_end_s + windows * length_s)


def restart(account: Account, old: Counters, held: int, now_s: float) -> Repair | None:
    """What a budget window of another length, which starts now, gives back; None where the window stays."""
    if account.budget_window == old.account.budget_window:
        return None
    begins = account.budget_window != (None, None)
    return Repair(spend_of(old, held) if begins else 0, window_end(account, now_s))


def spend_of(counters: Counters, held: int) -> int:
    """What was settled in this window: the budget without what remains and what is reserved."""
    return counters.budget - counters.remaining - held


def denial_reason(counters: Counters, reservation: Reservation) -> DenialReason | None:
    """The first limit that does not allow the reservation. A reservation of nothing passes any budget, even an overdrawn one."""
    if counters.blocked:
        return "blocked"
    if counters.expires_s <= reservation.now_s:
        return "expired"
    if counters.version != reservation.version:
        return "version"
    if reservation.amount_nanousd and counters.remaining < reservation.amount_nanousd:
        return "budget"
    if counters.requests_left < 1:
        return "rpm"
    if reservation.tokens and counters.tokens_left < reservation.tokens:
        return "tpm"
    return "parallel" if counters.free_slots < 1 else None


def denial(counters: Counters, reservation: Reservation, reason: DenialReason) -> Denied:
    """The refusal, with the seconds until another try may pass; 0 where waiting does not help."""
    wait_s = 0
    if reason in ("rpm", "tpm"):
        wait_s = max(1, math.ceil(60 - reservation.now_s % 60))
    elif reason == "parallel":
        wait_s = 1
    elif reason == "budget" and counters.window_end_s < NEVER_S:
        wait_s = max(1, math.ceil(counters.window_end_s - reservation.now_s))
    return Denied(reason, counters.account, counters.remaining if reason == "budget" else 0, wait_s)


def grant(counters: Counters, reservation: Reservation) -> Granted:
    """The grant, made from the counters after the reservation; a limit that is not set reads UNLIMITED."""
    return Granted(
        reservation,
        UNLIMITED if counters.rpm_limit == UNLIMITED else counters.requests_left,
        UNLIMITED if counters.tpm_limit == UNLIMITED else counters.tokens_left,
    )


def balance(counters: Counters, reservations: Sequence[Reservation], now_s: float) -> Balance:
    """The account with its counters; a window that has ended is shown as already renewed."""
    held = sum(reservation.amount_nanousd for reservation in reservations)
    renewal = repair(counters, held, now_s)
    return Balance(
        account=counters.account,
        spend_nanousd=0 if renewal else spend_of(counters, held),
        held_nanousd=held,
        total_spend_nanousd=counters.total_spend,
        window_end_s=renewal.window_end_s if renewal else counters.window_end_s,
        reservations=len(reservations),
        expired_reservations=sum(is_expired(reservation, now_s) for reservation in reservations),
    )


def is_expired(reservation: Reservation, now_s: float) -> bool:
    return reservation.deadline_s <= now_s


def lost_record(reservation: Reservation) -> Record:
    """The record of a request that nobody settled: it is charged in full to this account. Other accounts are added by
    `with_account` when their reservations are met, since a process that died while it reserved has none on them."""
    key, *others = reservation.billed or (reservation.account_id,)
    detail: JSON = {"deadline_s": reservation.deadline_s}
    if others:
        team = next((other.removeprefix("team#") for other in others if other.startswith("team#")), None)
        detail |= {"charged": [reservation.account_id] if reservation.account_id != key else [], "team_id": team}
    return Record(reservation.request_id, key, reservation.now_s, "lost", reservation.amount_nanousd, detail)


def with_account(kept: Record, reservation: Reservation) -> Record | None:
    """A lost request's record with one more charged account; None if the record names it already or is not of a lost request."""
    charged = kept.detail.get("charged", [])
    if kept.status != "lost" or reservation.account_id in (kept.account_id, *charged):
        return None
    return replace(kept, detail={**kept.detail, "charged": [*charged, reservation.account_id]})


def with_outcome(kept: Record, late: Record) -> Record | None:
    """A lost request's record with its real outcome noted in it; None if the record has one already or is not of a lost request."""
    if kept.status != "lost" or late.status == "lost" or "late" in kept.detail:
        return None
    outcome = {"status": late.status, "cost_nanousd": late.cost_nanousd, "detail": late.detail}
    return replace(kept, detail={**kept.detail, "late": outcome})


def outcome_of_lost(lost: Record) -> Record | None:
    """The real outcome that was noted in a lost request's record, else None."""
    late = lost.detail.get("late") if lost.status == "lost" else None
    if late is None:
        return None
    detail = {**late["detail"], "lost_nanousd": lost.cost_nanousd}
    return replace(lost, status=late["status"], cost_nanousd=late["cost_nanousd"], detail=detail)


def alerts_for(reservation: Reservation, balance: Balance, cost: int) -> tuple[BudgetAlert, ...]:
    """The alerts for what this cost, which the balance includes, took the account's spend past."""
    spent = balance.spend_nanousd
    return tuple(
        BudgetAlert(reservation.account_id, spent, amount, percent, balance.window_end_s)
        for amount, percent in reservation.alerts_at
        if spent - cost < amount <= spent
    )


def encode_account(account: Account) -> str:
    """ASCII JSON of all fields except the version, which is stored beside it."""
    return json.dumps({name: value for name, value in asdict(account).items() if name != "version"})


def decode_account(config: str, version: int) -> Account:
    known = {field.name for field in fields(Account)}
    values: JSON = {name: value for name, value in json.loads(config).items() if name in known}
    return Account(**values | {"models": tuple(values["models"]), "tags": tuple(values["tags"]), "version": version})


def encode_reservation(kept: Reservation) -> str:
    """The text under which an account stores a reservation; its key is the request's id."""
    return " ".join((f"{kept.deadline_s} {kept.amount_nanousd} {kept.tokens} {kept.version} {kept.now_s!r}", *kept.billed))


def decode_reservation(account_id: str, request_id: str, text: str) -> Reservation:
    deadline_s, amount, tokens, version, now_s, *billed = text.split(" ")
    return Reservation(request_id, account_id, int(version), int(amount), int(tokens), float(now_s), int(deadline_s), tuple(billed))


def sort_key(time_s: float, name: str = "") -> str:
    """A text that sorts by time, then by name; it is also the cursor of a page. Without a name it sorts before all names of its
    time."""
    return f"{round(time_s * 1_000_000):018d}" + (f"#{name}" if name else "")


def time_of_sort_key(place: str) -> float:
    return int(place[:18]) / 1_000_000


def stale_minutes(minutes: Iterable[int], reservation: Reservation) -> tuple[int, ...]:
    """Minutes in which no request is counted any more, oldest first; a clock that is a minute late is allowed for."""
    return tuple(sorted(minute for minute in minutes if minute < minute_of(reservation.now_s) - 1))[:50]
