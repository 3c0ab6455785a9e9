"""What is reserved for a request: on each account that pays for it, and of the models that these limit. Pure."""

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
    asked: OperationRequest,
    attempts: Sequence[Attempt],
    names: Collection[str],
    full_name: FullName,
    billed: "BilledAccounts",
    request_id: str,
    now_s: float,
    deadline_s: int,
    default_output_tokens: int,
) -> list[Reservation]:
    """The most that it may cost at any of the attempts, on each account. It names its model by `names`."""

    def bound(counted: Sequence[Attempt]) -> CostBound:
        return estimates.bound_cost(asked, counted, default_output_tokens)

    most, accounts = bound(attempts), billed.all()
    ids = tuple(account.id for account in accounts) if len(accounts) > 1 else ()
    return [
        Reservation(
            *(request_id, account.id, account.version, most.amount_nanousd, most.tokens_within(account.tpm_limit)),
            *(now_s, deadline_s, ids, model_holds(account, names, attempts, full_name, bound)),
            alerts_at=account.alerts_at,
        )
        for account in accounts
    ]
