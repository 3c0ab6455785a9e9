"""Builds the reservations of a request: one for each account that pays for it, with what it takes of limits for models. Pure."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from haimaker.billing import estimates
from haimaker.billing.estimates import CostBound
from haimaker.billing.model_limits import FullName, model_holds
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.store import Reservation

if TYPE_CHECKING:
    from haimaker.accounts.cache import BilledAccounts


def reservations_for(
    request: OperationRequest,
    attempts: Sequence[Attempt],
    names: Collection[str],
    full_name: FullName,
    billed: "BilledAccounts",
    request_id: str,
    now_s: float,
    deadline_s: int,
    default_output_tokens: int,
    pool: str = "",
) -> list[Reservation]:
    """A reservation for each account, of the most that the request may cost at any of the attempts. `names` are the name that the
    request has for its model, and what that stands for; `deadline_s` is when it is lost, in seconds of the epoch."""

    def bound(counted: Sequence[Attempt]) -> CostBound:
        return estimates.bound_cost(request, counted, default_output_tokens)

    most, accounts = bound(attempts), billed.all()
    ids = tuple(account.id for account in accounts) if len(accounts) > 1 else ()
    return [
        Reservation(
            request_id,
            account.id,
            account.version,
            amount_nanousd=most.amount_nanousd,
            tokens=most.tokens_within(account.tpm_limit),
            now_s=now_s,
            deadline_s=deadline_s,
            billed=ids,
            models=model_holds(account, names, attempts, full_name, bound),
            alerts_at=account.alerts_at,
            pool=pool,
        )
        for account in accounts
    ]
