"""Accounts as the request path knows them: their configuration is kept between requests, their counters never are."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from haimaker import auth
from haimaker.errors import (
    APIError,
    AuthenticationError,
    BudgetExceededError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from haimaker.settlement import usd
from haimaker.store import Account, Balance, Refused, Store, StoreThrottled, StoreUnavailable

MOST_KEPT = 1_000


@dataclass(slots=True)
class Accounts:
    """Reads accounts, and remembers their configuration."""

    store: Store
    admin_id: str | None = None
    """The account of the key that the settings name; it is an administrator's and needs no checksum."""
    _kept: OrderedDict[str, Account] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def identify(self, headers: Mapping[str, str], *, fresh: bool = False) -> Account:
        """The account of a request's key, as kept, or as it is now. Raises AuthenticationError, or 503 if the store fails."""
        account_id = auth.identify(headers, self.admin_id)
        account = None if fresh else self._kept.get(account_id)
        return account or self.read(account_id).account

    def read(self, account_id: str) -> Balance:
        """An account as it is now, kept for later. Raises AuthenticationError if there is none, or it may not be used."""
        try:
            balance = self.store.get(account_id)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if balance is None:
            raise auth.unknown_key()
        self._keep(balance.account)
        return balance

    def _keep(self, account: Account) -> None:
        with self._lock:
            self._kept[account.id] = account
            self._kept.move_to_end(account.id)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def require_admin(account: Account) -> None:
    if account.role != "admin":
        raise PermissionDeniedError("Only an administrator's key may do this.", code="admin_only")


def check_usable(account: Account, now_s: float) -> None:
    """For operations that reserve nothing; the others are checked with their reservation."""
    if account.blocked:
        raise refusal(Refused("blocked", account), 0, 0)
    if account.expires_s <= now_s:
        raise refusal(Refused("expired", account), 0, 0)


def refusal(refused: Refused, hold_nanousd: int, tokens: int) -> APIError:
    """Why a request that would have reserved this much was not admitted, as the client is told."""
    name = refused.account.name if refused.account else ""
    match refused.reason:
        case "blocked":
            return AuthenticationError(f"The key {name} is blocked.", code="key_blocked")
        case "expired":
            return AuthenticationError(f"The key {name} has expired.", code="key_expired")
        case "budget":
            return _over_budget(refused, name, hold_nanousd)
        case "rpm" | "tpm" | "parallel":
            return _over_rate(refused, name, tokens)
        case _:
            return auth.unknown_key()


RATES: Mapping[str, tuple[str, str, str]] = {
    "rpm": ("rpm_limit", "requests per minute", "requests"),
    "tpm": ("tpm_limit", "tokens per minute", "tokens"),
    "parallel": ("parallel_limit", "parallel requests", "requests"),
}
"""The account's field, its name in words, and the error's type."""


def _over_rate(refused: Refused, name: str, tokens: int) -> APIError:
    """A request that is larger than the whole limit is not to be tried again."""
    field_name, rate, kind = RATES[refused.reason]
    limit = getattr(refused.account, field_name)
    needed = tokens if refused.reason == "tpm" else 1
    if limit is None or limit >= needed:
        retry = {"retry-after": str(max(1, math.ceil(refused.retry_after_s)))}
        return RateLimitError(f"The key {name} has reached its limit of {rate}.", type=kind, headers=retry)
    message = f"The key {name} allows {limit} {rate}, and this request may take {needed}."
    if refused.reason == "tpm":
        message += " A smaller max_tokens makes it less."
    return RateLimitError(message, type=kind, headers={"x-should-retry": "false"})


def _over_budget(refused: Refused, name: str, hold_nanousd: int) -> APIError:
    budget = usd(refused.account.budget_nanousd) if refused.account else None
    message = (
        f"The budget of the key {name} does not cover this request, which may cost up to {usd(hold_nanousd):.9f} USD: "
        f"{usd(max(0, refused.remaining_nanousd)):.9f} of {budget:.9f} USD are left."
    )
    error = BudgetExceededError(message)
    if refused.retry_after_s > 0:
        error.headers["x-budget-renews-in-s"] = str(math.ceil(refused.retry_after_s))
    return error


def unavailable(error: StoreUnavailable) -> APIError:
    """The store fails: nothing is let through."""
    if isinstance(error, StoreThrottled):
        return RateLimitError("Too many requests with this key at the same moment.", type="requests", headers={"retry-after": "1"})
    return ServiceUnavailableError("The gateway's store can't be reached.", code="store_unavailable", headers={"retry-after": "2"})
