"""Finds the limits for single models, of an account, that a request counts against: of the model that it names, and of each
model that may serve it. Pure.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from haimaker.billing.estimates import CostBound
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.store import MAX_MODELS_HELD, Account, Denied, ModelHold, Reservation

if TYPE_CHECKING:
    from haimaker.accounts.cache import BilledAccounts

FullName = Callable[[str], str]
"""A route's name or `provider/model` for any name of a model."""


def model_holds(
    account: Account,
    names: Collection[str],
    attempts: Sequence[Attempt],
    full_name: FullName,
    bound: Callable[[Sequence[Attempt]], CostBound],
) -> tuple[ModelHold, ...]:
    """What a request reserves of the account's limits for models. Limits of its own `names` come first and count all attempts; then
    come those of its targets. `bound` says the most that some of the attempts may use."""
    holds = []
    for model, targets in _counted_models(account, names, attempts, full_name):
        counted = [attempt for attempt in attempts if targets is None or attempt.target in targets]
        most, limit = bound(counted), account.model_limits[model]
        holds.append(ModelHold(model, most.amount_nanousd, most.tokens_within(limit.tpm_limit), limit, targets))
    return tuple(sorted(holds, key=lambda hold: hold.targets is not None))


def targets_with_budget(
    billed: "BilledAccounts", names: Collection[str], attempts: Sequence[Attempt], full_name: FullName
) -> Collection[str]:
    """The targets whose cost counts in any budget, of an account or of a model."""
    everywhere = [attempt.target for attempt in attempts]
    if billed.have_budget():
        return everywhere
    found = set[str]()
    for account in billed.all():
        for model, targets in _counted_models(account, names, attempts, full_name):
            if account.model_limits[model].budget_nanousd is not None:
                found |= {*everywhere} if targets is None else {*targets}
    return found


def with_amount(reservation: Reservation, amount_nanousd: int) -> Reservation:
    """The reservation for another amount, all of which each of its models may cost; it takes no tokens."""
    models = tuple(replace(hold, amount_nanousd=amount_nanousd, tokens=0) for hold in reservation.models)
    return replace(reservation, amount_nanousd=amount_nanousd, tokens=0, models=models)


def have_budget(reservation: Reservation) -> bool:
    """Whether the request reserves of any model's budget, on any account."""
    holds = (hold for each in (reservation, *reservation.siblings) for hold in each.models)
    return any(hold.limit.budget_nanousd is not None for hold in holds)


def surplus_targets(reservations: Sequence[Reservation]) -> set[str]:
    """The targets to leave out because they count against more limits of models than one write can reserve of."""
    holds = [hold for reservation in reservations for hold in reservation.models[MAX_MODELS_HELD:]]
    return {target for hold in holds for target in hold.targets or ()}


def targets_to_leave_out(denied: Denied, reservations: Sequence[Reservation], attempts: Sequence[Attempt]) -> set[str]:
    """The targets whose model's limit denied the reservation; none if no other target would be left."""
    hold = _denied_hold(denied, reservations)
    targets = {*(hold.targets or ())} if hold else set[str]()
    return targets if any(attempt.target not in targets for attempt in attempts) else set()


def denied_amounts(denied: Denied, reservations: Sequence[Reservation]) -> tuple[int, int]:
    """The nano-dollars and the tokens per minute that were asked for and denied."""
    if hold := _denied_hold(denied, reservations):
        return hold.amount_nanousd, hold.tokens
    reservation = next((each for each in reservations if denied.account and each.account_id == denied.account.id), reservations[0])
    return reservation.amount_nanousd, reservation.tokens


def _denied_hold(denied: Denied, reservations: Sequence[Reservation]) -> ModelHold | None:
    account_id = denied.account.id if denied.account else None
    holds = (hold for reservation in reservations if reservation.account_id == account_id for hold in reservation.models)
    return next((hold for hold in holds if hold.model == denied.model), None)


def _counted_models(
    account: Account, names: Collection[str], attempts: Sequence[Attempt], full_name: FullName
) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """The names of the limits, each with the targets that count in it; None where the request names the model itself."""
    for model in account.model_limits:
        same = {model, full_name(model)}
        if not same.isdisjoint(names):
            yield model, None
        elif targets := tuple(attempt.target for attempt in attempts if attempt.target in same):
            yield model, targets
