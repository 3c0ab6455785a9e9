"""The errors of an account that may not do what it asks: it is blocked, expired, over a budget or a rate, or no administrator's."""

import math
from collections.abc import Mapping

from haimaker.accounts import keys as auth
from haimaker.accounts.kinds import kind_of
from haimaker.http.errors import (
    APIError,
    AuthenticationError,
    BudgetExceededError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from haimaker.pricing.amounts import to_usd
from haimaker.store import Account, Denied, StoreFull, StoreThrottled, StoreUnavailable


def require_admin(account: Account) -> None:
    """Raises PermissionDeniedError unless the key is an administrator's."""
    if account.role != "admin":
        raise PermissionDeniedError("Only an administrator's key may do this.", code="admin_only")


def sees_all(account: Account) -> bool:
    """Whether a key may see what is not its own."""
    return account.role in ("admin", "viewer")


def leads(account: Account, team_id: str | None) -> bool:
    """Whether a key administers this team."""
    return account.role == "team_admin" and account.team_id is not None and account.team_id == team_id


def may_see(caller: Account, account: Account) -> bool:
    """Whether a key may see another: itself, those of the team that it administers, or all."""
    return sees_all(caller) or caller.id == account.id or leads(caller, account.team_id)


def require_manager(caller: Account, account: Account) -> None:
    """Raises PermissionDeniedError unless the first key may change the second: an administrator's any, a team administrator's the
    ordinary ones of its team."""
    if caller.role == "admin" or (leads(caller, account.team_id) and account.role == "user"):
        return
    raise PermissionDeniedError("A team's administrator may change the ordinary keys of that team only.", code="admin_only")


def require_reader(account: Account) -> None:
    """Raises PermissionDeniedError unless the key may see what is not its own."""
    if not sees_all(account):
        raise PermissionDeniedError("Only an administrator's or a viewer's key may see this.", code="admin_only")


def check_usable(account: Account, now_s: float) -> None:
    """Raises AuthenticationError for an account that is blocked or has expired. It is for operations that reserve nothing, since a
    reservation checks the same."""
    if account.blocked:
        raise denied_error(Denied("blocked", account), 0, 0)
    if account.expires_s <= now_s:
        raise denied_error(Denied("expired", account), 0, 0)


def denied_error(refused: Denied, reserved_nanousd: int, tokens: int, *, at_least: bool = False) -> APIError:
    """The error for a denied reservation of this amount and of so many tokens per minute, or of `at_least` as much. It names the
    key, team or user whose limit was reached."""
    if refused.account is None:
        return auth.unknown_key()
    kind = kind_of(refused.account.id)
    whose = f"{kind} {refused.account.name}"
    match refused.reason:
        case "blocked":
            return AuthenticationError(f"The {whose} is blocked.", code=f"{kind}_blocked")
        case "expired":
            return AuthenticationError(f"The {whose} has expired.", code="key_expired")
        case "budget":
            return _budget_error(
                refused, whose, f"{'costs at least' if at_least else 'may cost up to'} {_shown_usd(reserved_nanousd)}"
            )
        case "rpm" | "tpm" | "parallel":
            return _rate_error(refused, whose, tokens)
        case _:
            return auth.unknown_key()


RATE_LIMITS: Mapping[str, tuple[str, str, str]] = {
    "rpm": ("rpm_limit", "requests per minute", "requests"),
    "tpm": ("tpm_limit", "tokens per minute", "tokens"),
    "parallel": ("parallel_limit", "parallel requests", "requests"),
}
"""The account's field, its name in words, and the error's type."""


def _rate_error(refused: Denied, whose: str, tokens: int) -> APIError:
    """The error for a rate limit. For a request that is larger than the whole limit it says not to try again."""
    field_name, rate, kind = RATE_LIMITS[refused.reason]
    limit = getattr(refused.account, field_name)
    if refused.account and refused.model:
        limit = getattr(refused.account.model_limits.get(refused.model), field_name, None)
        rate += f" with {refused.model!r}"
    needed = tokens if refused.reason == "tpm" else 1
    if limit is None or limit >= needed:
        retry = {"retry-after": str(max(1, math.ceil(refused.retry_after_s)))}
        return RateLimitError(f"The {whose} has reached its limit of {rate}.", type=kind, headers=retry)
    message = f"The {whose} allows {limit} {rate}, and this request may take {needed}."
    if refused.reason == "tpm":
        message += " A shorter prompt makes it less."
    return RateLimitError(message, type=kind, headers={"x-should-retry": "false"})


def _budget_error(refused: Denied, whose: str, costs: str) -> APIError:
    account, budget_nanousd = refused.account, 0
    if account:
        limit = account.model_limits.get(refused.model) if refused.model else account
        budget_nanousd = (limit.budget_nanousd if limit else None) or 0
    budget, what = _shown_usd(budget_nanousd), f" for {refused.model!r}" if refused.model else ""
    message = (
        f"The budget of the {whose}{what} does not cover this request, which {costs} USD: "
        f"{_shown_usd(max(0, refused.remaining_nanousd))} of {budget} USD are left."
    )
    error = BudgetExceededError(message)
    if refused.retry_after_s > 0:
        error.headers["x-budget-renews-in-s"] = str(math.ceil(refused.retry_after_s))
    return error


def _shown_usd(nanousd: int) -> str:
    """An exact amount in USD without trailing zeros."""
    return f"{to_usd(nanousd):.9f}".rstrip("0").rstrip(".")


def store_error(error: StoreUnavailable) -> APIError:
    """The error while the store fails, when no request is let through."""
    if isinstance(error, StoreThrottled):
        return RateLimitError("Too many requests with this key at the same moment.", type="requests", headers={"retry-after": "1"})
    if isinstance(error, StoreFull):
        message = "The gateway's disk is full: it takes no request until its administrator makes room."
        return ServiceUnavailableError(message, code="store_unavailable", headers={"retry-after": "30"})
    return ServiceUnavailableError("The gateway's store can't be reached.", code="store_unavailable", headers={"retry-after": "2"})
