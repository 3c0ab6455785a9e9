"""The arithmetic of an account's counters and the text forms of accounts, shared by the stores. Pure: no clock, no I/O.

The stores decide in their own conditional writes; what is here explains a refusal, shows a balance and says what a
repair moves. Every repair is a difference to add, so that it commutes with settles that happen meanwhile.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from typing import NamedTuple

from haimaker.http.values import JSON
from haimaker.store import (
    NEVER_S,
    UNLIMITED,
    Account,
    Admitted,
    Balance,
    Crossing,
    Hold,
    Reason,
    Record,
    Refused,
    limits_of,
    minute_of,
)

FINAL: tuple[Reason, ...] = ("blocked", "expired", "version")
"""Refusals that no repair of the counters can change."""


class Counters(NamedTuple):
    """An account as a store keeps it. `requests_left` and `tokens_left` are of the minute that was asked about."""

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


def opened(account: Account, spent_as: Balance | None = None) -> Counters:
    """A new account: everything is left, but for what was spent or held in the account that it replaces."""
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
    return NEVER_S if account.budget_window_s is None else int(start_s) + account.budget_window_s


def repair(counters: Counters, held: int, now_s: float) -> Repair | None:
    """What renews the budget, if its window has ended: it moves on by whole windows, to the first end after now."""
    length_s = counters.account.budget_window_s if counters.window_end_s <= now_s else None
    if not length_s:
        return None
    windows = int((now_s - counters.window_end_s) // length_s) + 1
    return Repair(spend(counters, held), counters.window_end_s + windows * length_s)


def spend(counters: Counters, held: int) -> int:
    """Settled in this window: what neither remains nor is held."""
    return counters.budget - counters.remaining - held


def reason_against(counters: Counters, hold: Hold) -> Reason | None:
    """The first limit that does not allow the hold. A hold of nothing passes any budget, also an overdrawn one."""
    if counters.blocked:
        return "blocked"
    if counters.expires_s <= hold.now_s:
        return "expired"
    if counters.version != hold.version:
        return "version"
    if hold.amount_nanousd and counters.remaining < hold.amount_nanousd:
        return "budget"
    if counters.requests_left < 1:
        return "rpm"
    if hold.tokens and counters.tokens_left < hold.tokens:
        return "tpm"
    return "parallel" if counters.free_slots < 1 else None


def refused(counters: Counters, hold: Hold, reason: Reason) -> Refused:
    """The refusal, and how long until another try may pass; 0 where waiting does not help."""
    wait_s = 0
    if reason in ("rpm", "tpm"):
        wait_s = max(1, math.ceil(60 - hold.now_s % 60))
    elif reason == "parallel":
        wait_s = 1
    elif reason == "budget" and counters.window_end_s < NEVER_S:
        wait_s = max(1, math.ceil(counters.window_end_s - hold.now_s))
    return Refused(reason, counters.account, counters.remaining if reason == "budget" else 0, wait_s)


def admitted(counters: Counters, hold: Hold) -> Admitted:
    """The grant, from the counters after it; a limit that is not set shows as UNLIMITED again."""
    return Admitted(
        hold,
        UNLIMITED if counters.rpm_limit == UNLIMITED else counters.requests_left,
        UNLIMITED if counters.tpm_limit == UNLIMITED else counters.tokens_left,
    )


def balance(counters: Counters, holds: Sequence[Hold], now_s: float) -> Balance:
    """The account as people see it, an ended window shown as already renewed."""
    held = sum(hold.amount_nanousd for hold in holds)
    renewal = repair(counters, held, now_s)
    return Balance(
        account=counters.account,
        spend_nanousd=0 if renewal else spend(counters, held),
        held_nanousd=held,
        total_spend_nanousd=counters.total_spend,
        window_end_s=renewal.window_end_s if renewal else counters.window_end_s,
        holds=len(holds),
        expired_holds=sum(is_expired(hold, now_s) for hold in holds),
    )


def is_expired(hold: Hold, now_s: float) -> bool:
    return hold.deadline_s <= now_s


def lost(hold: Hold) -> Record:
    """The record of a request that nobody settled: charged in full to this account. Others join as their holds are met: a process
    that died while it reserved took none of them."""
    key, *others = hold.payers or (hold.account_id,)
    detail: JSON = {"deadline_s": hold.deadline_s}
    if others:
        team = next((other.removeprefix("team#") for other in others if other.startswith("team#")), None)
        detail |= {"charged": [hold.account_id] if hold.account_id != key else [], "team_id": team}
    return Record(hold.request_id, key, hold.now_s, "lost", hold.amount_nanousd, detail)


def joined(kept: Record, hold: Hold) -> Record | None:
    """A lost request's record with one more account that is charged for it; None where it is named already, or all are."""
    charged = kept.detail.get("charged", [])
    if kept.status != "lost" or hold.account_id in (kept.account_id, *charged):
        return None
    return replace(kept, detail={**kept.detail, "charged": [*charged, hold.account_id]})


def noted(kept: Record, late: Record) -> Record | None:
    """A lost request's record with what became of it; None where nothing is to be noted."""
    if kept.status != "lost" or late.status == "lost" or "late" in kept.detail:
        return None
    outcome = {"status": late.status, "cost_nanousd": late.cost_nanousd, "detail": late.detail}
    return replace(kept, detail={**kept.detail, "late": outcome})


def found_again(lost: Record) -> Record | None:
    """What became of a lost request, if that was noted."""
    late = lost.detail.get("late") if lost.status == "lost" else None
    if late is None:
        return None
    detail = {**late["detail"], "lost_nanousd": lost.cost_nanousd}
    return replace(lost, status=late["status"], cost_nanousd=late["cost_nanousd"], detail=detail)


def crossing(hold: Hold, balance: Balance, cost: int) -> Crossing | None:
    """Whether the soft budget was reached by this cost, which is in the balance already."""
    soft, spent = hold.soft_budget_nanousd, balance.spend_nanousd
    return Crossing(hold.account_id, spent, soft) if soft is not None and spent - cost < soft <= spent else None


def encode_account(account: Account) -> str:
    """ASCII JSON without the version, which moves by itself."""
    return json.dumps({name: value for name, value in asdict(account).items() if name != "version"})


def decode_account(config: str, version: int) -> Account:
    known = {field.name for field in fields(Account)}
    values: JSON = {name: value for name, value in json.loads(config).items() if name in known}
    return Account(**values | {"models": tuple(values["models"]), "tags": tuple(values["tags"]), "version": version})


def encode_hold(hold: Hold) -> str:
    """What an account keeps of a hold under its request's id."""
    return " ".join((f"{hold.deadline_s} {hold.amount_nanousd} {hold.tokens} {hold.version} {hold.now_s!r}", *hold.payers))


def decode_hold(account_id: str, request_id: str, text: str) -> Hold:
    deadline_s, amount, tokens, version, now_s, *payers = text.split(" ")
    return Hold(request_id, account_id, int(version), int(amount), int(tokens), float(now_s), int(deadline_s), tuple(payers))


def order(time_s: float, name: str = "") -> str:
    """A text that sorts by time, then by name; it is the cursor of a page, too. Without a name, it sorts before all of its time."""
    return f"{round(time_s * 1_000_000):018d}" + (f"#{name}" if name else "")


def time_of(place: str) -> float:
    return int(place[:18]) / 1_000_000


def stale_minutes(minutes: Iterable[int], hold: Hold) -> tuple[int, ...]:
    """The oldest minutes that no request counts in any more, also by a clock that is a little late."""
    return tuple(sorted(minute for minute in minutes if minute < minute_of(hold.now_s) - 1))[:50]
