"""The arithmetic of an account's counters and the text forms of accounts, shared by the stores. Pure: no clock, no I/O.

The stores decide in their own conditional writes; what is here explains a refusal, shows a balance and says what a
repair moves. Every repair is a difference to add, so that it commutes with settles that happen meanwhile.
"""

import json
import math
from collections.abc import Container, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import fields, replace
from haimaker.store import (
    NEVER_S,
    UNLIMITED,
    Account,
    Balance,
    BudgetAlert,
    DenialReason,
    Denied,
    Granted,
    ModelLimit,
    Record,
    Reservation,
    limits_of,
)
from haimaker.store.model_counters import (
    NO_MODELS,
    UNUSED,
    AllCounters,
    ModelCounters,
    decode_hold,
    encode_hold,
    initial_model_counters,
    model_balances,
    model_denial_reason,
)
from haimaker.store.windows import Repair, next_window_end, window_end

LATE_S = 5
"""How far the clocks of two that see to one reservation may be apart, with what the calls of one of them take."""
ALWAYS_SAID = frozenset({"id", "name", "created_s", "models", "tags"})
"""Fields of an account that its text has whatever they are: earlier releases read no text without them."""
_UNSAID = Account("", "", 0)
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
    pooled: int = 0
    """What is in all pools together."""
    models: AllCounters = NO_MODELS
    """The counters of the models that it limits."""

    @property
    def account(self) -> Account:
        return decode_account(self.config, self.version)

    def has_ended_window(self, now_s: float) -> bool:
        """Whether the window of the account, or of a model that it limits, is over."""
        return self.window_end_s <= now_s or any(each.window_end_s <= now_s for each in self.models.values())


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
        window_end_s=spent_as.window_end_s if spent_as else window_end(account.budget_window, account.created_s),
        budget=budget,
        remaining=budget - spent,
        total_spend=carried if spent_as else 0,
        rpm_limit=rpm,
        tpm_limit=tpm,
        parallel_limit=parallel,
        free_slots=parallel,
        requests_left=rpm,
        tokens_left=tpm,
        models=initial_model_counters(account, spent_as),
    )


def repair(counters: Counters, held: int, now_s: float) -> Repair | None:
    """The renewal of a budget whose window has ended, else None. The window moves on by whole windows, to the first end after
    now."""
    if counters.window_end_s > now_s:
        return None
    end_s = next_window_end(counters.account.budget_window, counters.window_end_s, now_s)
    return Repair(spend_of(counters, held), end_s) if end_s else None


def restart(account: Account, old: Counters, held: int, now_s: float) -> Repair | None:
    """What a budget window of another length, which starts now, gives back; None where the window stays."""
    if account.budget_window == old.account.budget_window:
        return None
    begins = account.budget_window != (None, None)
    return Repair(spend_of(old, held) if begins else 0, window_end(account.budget_window, now_s))


def spend_of(counters: Counters, held: int) -> int:
    """What was settled in this window: the budget without what remains and what is reserved, by requests and in pools."""
    return counters.budget - counters.remaining - counters.pooled - held


def denial(counters: Counters, reservation: Reservation) -> Denied | None:
    """The refusal by the first limit that does not allow the reservation, with the seconds until another try may pass; 0 where
    waiting does not help. None if all allow it."""
    if reservation.answered:
        return None
    reason = _denial_reason(counters, reservation)
    if reason:
        remaining = counters.remaining if reason == "budget" else 0
        return Denied(reason, counters.account, remaining, _wait_s(reason, counters.window_end_s, reservation.now_s))
    for hold in reservation.models:
        taken = counters.models.get(hold.model, UNUSED)
        if reason := model_denial_reason(taken, hold):
            remaining = (hold.limit.budget_nanousd or 0) - taken.taken if reason == "budget" else 0
            wait_s = _wait_s(reason, taken.window_end_s, reservation.now_s)
            return Denied(reason, counters.account, remaining, wait_s, hold.model)
    return None


def foreseen_denial(balance: Balance, reservation: Reservation) -> Denied | None:
    """The refusal that a balance shows to be certain, whichever version of the account was planned with: by the account's own
    limits and by those of the model that the request names."""
    account, limits = balance.account, limits_of(balance.account)
    taken = {model: each.spend_nanousd + each.held_nanousd for model, each in balance.models.items()}
    shown = Counters(
        account_id=account.id,
        config=encode_account(account),
        version=account.version,
        blocked=account.blocked,
        expires_s=account.expires_s,
        window_end_s=balance.window_end_s,
        budget=limits["budget"],
        remaining=limits["budget"] - balance.spend_nanousd - balance.held_nanousd,
        total_spend=balance.total_spend_nanousd,
        rpm_limit=limits["rpm"],
        tpm_limit=limits["tpm"],
        parallel_limit=limits["parallel"],
        free_slots=limits["parallel"] - balance.reservations + balance.expired_reservations,
        requests_left=balance.requests_left,
        tokens_left=balance.tokens_left,
        models={model: ModelCounters(amount, balance.models[model].window_end_s) for model, amount in taken.items()},
    )
    holds = tuple(hold for hold in reservation.models if hold.targets is None)
    return denial(shown, replace(reservation, version=account.version, models=holds))


def _denial_reason(counters: Counters, reservation: Reservation) -> DenialReason | None:
    """A reservation of nothing passes any budget, even an overdrawn one."""
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


def _wait_s(reason: DenialReason, window_end_s: int, now_s: float) -> int:
    if reason in ("rpm", "tpm"):
        return max(1, math.ceil(60 - now_s % 60))
    if reason == "budget" and window_end_s < NEVER_S:
        return max(1, math.ceil(window_end_s - now_s))
    return 1 if reason == "parallel" else 0


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
    account = counters.account
    renewal = repair(counters, held, now_s)
    return Balance(
        account=account,
        spend_nanousd=0 if renewal else spend_of(counters, held),
        held_nanousd=held + counters.pooled,
        total_spend_nanousd=counters.total_spend,
        window_end_s=renewal.window_end_s if renewal else counters.window_end_s,
        reservations=len(reservations),
        expired_reservations=sum(is_expired(reservation, now_s) for reservation in reservations),
        models=model_balances(account, counters.models, reservations, now_s),
        requests_left=counters.requests_left,
        tokens_left=counters.tokens_left,
    )


def is_expired(reservation: Reservation, now_s: float, dead: Container[str] = ()) -> bool:
    """Whether nobody settles it any more: after its deadline, or since its request is known to be dead, of which what was reserved
    later is named by its id and a `+`."""
    return reservation.deadline_s <= now_s or reservation.request_id.partition("+")[0] in dead


def lost_record(reservation: Reservation) -> Record:
    """The record of a request that nobody settled: it is charged in full to this account. Other accounts are added by
    `with_account` when their reservations are met, since a process that died while it reserved has none on them."""
    key, *others = reservation.billed or (reservation.account_id,)
    detail: JSON = {"deadline_s": reservation.deadline_s, **_model_holds({}, reservation)}
    if others:
        team = next((other.removeprefix("team#") for other in others if other.startswith("team#")), None)
        detail |= {"charged": [reservation.account_id] if reservation.account_id != key else [], "team_id": team}
    return Record(reservation.request_id, key, reservation.now_s, "lost", reservation.amount_nanousd, detail)


def may_be_lost(reservation: Reservation, now_s: float) -> bool:
    """Whether somebody may be charging a reservation as lost, by a clock that is a little ahead."""
    return now_s >= reservation.deadline_s - LATE_S


def free_record(reservation: Reservation) -> Record:
    """The record of a request that was given back when it might have been charged as lost: it cost nothing, also of its models."""
    lost = lost_record(reservation)
    return replace(lost, status="error", cost_nanousd=0, detail={**lost.detail, "model_limits": {}})


def first_payer(reservation: Reservation) -> str | None:
    """The account on which a request reserved first, and gives back first, where it is another than this one: if that has nothing
    reserved for it any more, and there is no record, then the request was given back, and this account not reached."""
    first, *_ = reservation.billed or (reservation.account_id,)
    return first if first != reservation.account_id else None


def with_account(kept: Record, reservation: Reservation) -> Record | None:
    """A lost request's record with one more charged account; None if the record names it already or is not of a lost request."""
    charged = kept.detail.get("charged", [])
    if kept.status != "lost" or reservation.account_id in (kept.account_id, *charged):
        return None
    holds = _model_holds(kept.detail, reservation)
    return replace(kept, detail={**kept.detail, "charged": [*charged, reservation.account_id], **holds})


def _model_holds(detail: JSON, reservation: Reservation) -> JSON:
    """A lost record's field with what the reservation is charged of each model, besides what the record says already; none where
    no model is limited."""
    held = {hold.model: hold.amount_nanousd for hold in reservation.models}
    return {"model_holds": {**detail.get("model_holds", {}), reservation.account_id: held}} if held else {}


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
        BudgetAlert(reservation.account_id, spent, amount, percent, balance.window_end_s, balance.account.alias or "")
        for amount, percent in reservation.alerts_at
        if spent - cost < amount <= spent
    )


def encode_account(account: Account) -> str:
    """ASCII JSON of the fields that say something; not of the version, which is stored beside it. Each KB of an account costs
    whenever it is written."""
    names = [name for name in _account_fields() if name != "version"]
    said = {
        name: getattr(account, name) for name in names if name in ALWAYS_SAID or getattr(account, name) != getattr(_UNSAID, name)
    }
    return json.dumps(said, separators=(",", ":"), default=vars)


@lru_cache(maxsize=8_192)
def decode_account(config: str, version: int) -> Account:
    """Remembered, since whoever lists keys, searches them or pages through them reads the same ones again and again."""
    said = json.loads(config)
    values: JSON = {name: said[name] for name in _account_fields() if name in said}
    limits = {model: ModelLimit(**limit) for model, limit in values.get("model_limits", {}).items()}
    sequences = {name: tuple(values.get(name, ())) for name in ("models", "tags", "replaces")}
    return Account(**values | sequences | {"model_limits": limits, "version": version})


@cache
def _account_fields() -> Sequence[str]:
    return tuple(field.name for field in fields(Account))


def encode_reservation(kept: Reservation) -> str:
    """The text under which an account stores a reservation; its key is the request's id. What follows five numbers is an account,
    whose id has a number sign, or what is held of a model."""
    numbers = f"{kept.deadline_s} {kept.amount_nanousd} {kept.tokens} {kept.version} {kept.now_s!r}"
    return " ".join((numbers, *kept.billed, *map(encode_hold, kept.models)))


def decode_reservation(account_id: str, request_id: str, text: str) -> Reservation:
    deadline_s, amount, tokens, version, now_s, *others = text.split(" ")
    numbers = (int(version), int(amount), int(tokens), float(now_s), int(deadline_s))
    billed = tuple(other for other in others if "#" in other)
    return Reservation(request_id, account_id, *numbers, billed, tuple(decode_hold(other) for other in others if "#" not in other))


def sort_key(time_s: float, name: str = "") -> str:
    """A text that sorts by time, then by name; it is also the cursor of a page. Without a name it sorts before all names of its
    time."""
    return f"{round(time_s * 1_000_000):018d}" + (f"#{name}" if name else "")


def cost_key(record: Record) -> str:
    """A text that sorts by cost, then by time and name."""
    return f"{record.cost_nanousd:019d}@{sort_key(record.started_s, record.request_id)}"


def time_of_sort_key(place: str) -> float:
    return int(place[:18]) / 1_000_000
