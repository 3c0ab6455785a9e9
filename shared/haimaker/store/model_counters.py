"""The arithmetic of what an account limits for single models, shared by the stores. Pure: no clock, no I/O.

    taken == spent in this window + held        requests, tokens: of this minute

The limits are no part of the counters: they come with each reservation, out of the account's configuration in the version that the
write checks. So a limit that changes moves no counter, and a store that keeps an account in several parts gives each its share.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, unquote

from haimaker.store import NEVER_S, Account, Balance, DenialReason, ModelBalance, ModelHold, Record, Reservation
from haimaker.store.windows import Repair, next_window_end, window_end, window_start


class ModelCounters(NamedTuple):
    """The counters of one model, as a store keeps them. `requests` and `tokens` belong to the minute of the reservation."""

    taken: int = 0
    window_end_s: int = NEVER_S
    requests: int = 0
    tokens: int = 0


UNUSED = ModelCounters()
AllCounters = Mapping[str, ModelCounters]
"""The counters by the name of the model."""
NO_MODELS: AllCounters = MappingProxyType({})


class ModelCharge(NamedTuple):
    """What the end of a reservation adds to the counters of a model."""

    model: str
    taken: int
    requests: int
    tokens: int


class ModelRefund(NamedTuple):
    """What an account's counter of a model was charged too much for a lost request; negative where it was too little."""

    account_id: str
    model: str
    returned: int


def initial_model_counters(account: Account, spent_as: Balance | None = None) -> dict[str, ModelCounters]:
    """The counters of a new account: nothing is taken, except what the account that it replaces has spent or reserved."""
    counters = {}
    for model in account.model_limits:
        old = spent_as.models.get(model) if spent_as else None
        end_s = old.window_end_s if old else window_end(account.model_window(model), account.created_s)
        counters[model] = ModelCounters(old.spend_nanousd + old.held_nanousd if old else 0, end_s)
    return counters


def model_denial_reason(counters: ModelCounters, hold: ModelHold) -> DenialReason | None:
    """The first of the model's limits that does not allow what is to be held."""
    limit = hold.limit
    if limit.budget_nanousd is not None and hold.amount_nanousd and counters.taken + hold.amount_nanousd > limit.budget_nanousd:
        return "budget"
    if limit.rpm_limit is not None and counters.requests >= limit.rpm_limit:
        return "rpm"
    too_many = limit.tpm_limit is not None and hold.tokens and counters.tokens + hold.tokens > limit.tpm_limit
    return "tpm" if too_many else None


def model_repairs(account: Account, counters: AllCounters, reservations: Iterable[Reservation], now_s: float) -> dict[str, Repair]:
    """The renewals of windows that have ended."""
    repairs = {}
    for model, each in counters.items():
        if each.window_end_s <= now_s and (end_s := next_window_end(account.model_window(model), each.window_end_s, now_s)):
            repairs[model] = Repair(each.taken - held_of(model, reservations), end_s)
    return repairs


def model_restarts(
    account: Account, old: Account, counters: AllCounters, reservations: Iterable[Reservation], now_s: float
) -> dict[str, Repair]:
    """The windows that a changed configuration begins now: of models that were not limited, or in windows of another length. A
    budget that lasts for ever from now on keeps what was spent."""
    restarts = {}
    for model in account.model_limits:
        window, known = account.model_window(model), model in old.model_limits
        if not known or window != old.model_window(model):
            begins = not known or window != (None, None)
            spent = counters.get(model, UNUSED).taken - held_of(model, reservations)
            restarts[model] = Repair(spent if begins else 0, window_end(window, now_s))
    return restarts


def model_charges(reservation: Reservation, record: Record) -> list[ModelCharge]:
    """What the end of a reservation adds: what the record says of each model, in place of what is held. A lost request is charged
    all of it; of a model that was not asked in the end the request itself is given back."""
    used = record.detail.get("model_limits")
    charges = []
    for hold in reservation.models:
        if used is None:
            charges.append(ModelCharge(hold.model, 0, 0, 0))
        else:
            cost, tokens = used.get(hold.model, (0, 0))
            requests = 0 if hold.model in used else -hold.requests
            charges.append(
                ModelCharge(hold.model, cost - hold.amount_nanousd, requests, (tokens if hold.requests else 0) - hold.tokens)
            )
    return charges


def model_releases(reservation: Reservation) -> list[ModelCharge]:
    """What giving a reservation back adds."""
    return [ModelCharge(hold.model, -hold.amount_nanousd, -hold.requests, -hold.tokens) for hold in reservation.models]


def model_refunds(lost: Record, outcome: Record) -> list[ModelRefund]:
    """What changes where a lost request is charged its real outcome."""
    used = outcome.detail.get("model_limits", {})
    return [
        ModelRefund(account_id, model, held - used.get(model, (0, 0))[0])
        for account_id, models in lost.detail.get("model_holds", {}).items()
        for model, held in models.items()
    ]


def is_charged_in_window(lost: Record, account: Account, model: str, counters: ModelCounters) -> bool:
    """Whether the window that the counters are of is surely the one that a lost request was charged in, which it was at its
    deadline or later. What an earlier window was charged is gone with it."""
    return bool(lost.detail["deadline_s"] >= window_start(account.model_window(model), counters.window_end_s))


def model_balances(
    account: Account, counters: AllCounters, reservations: Iterable[Reservation], now_s: float
) -> dict[str, ModelBalance]:
    """The balance of each model that the account limits; a window that has ended is shown as already renewed."""
    repairs = model_repairs(account, counters, reservations, now_s)
    balances = {}
    for model in account.model_limits:
        each, held, repair = counters.get(model, UNUSED), held_of(model, reservations), repairs.get(model)
        end_s = repair.window_end_s if repair else each.window_end_s
        balances[model] = ModelBalance(0 if repair else each.taken - held, held, end_s)
    return balances


def held_of(model: str, reservations: Iterable[Reservation]) -> int:
    return sum(hold.amount_nanousd for reservation in reservations for hold in reservation.models if hold.model == model)


def encode_model(model: str) -> str:
    """A name in ASCII without spaces and number signs."""
    return quote(model, safe="/:.@-", errors="surrogatepass")


def decode_model(text: str) -> str:
    return unquote(text, errors="surrogatepass")


def encode_hold(hold: ModelHold) -> str:
    return f"{hold.amount_nanousd}={hold.tokens}={encode_model(hold.model)}"


def decode_hold(text: str) -> ModelHold:
    amount, tokens, model = text.split("=")
    return ModelHold(decode_model(model), int(amount), int(tokens))
