"""What managing keys, teams and end users has in common: who may do it, reading and changing accounts, showing them. Names are
LiteLLM's."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from haimaker.accounts import aliases
from haimaker.accounts.cache import FROM_SETTINGS
from haimaker.accounts.errors import check_usable, require_admin, require_reader
from haimaker.accounts.kinds import kind_of
from haimaker.http.errors import BadRequestError, ConflictError, NotFoundError, invalid_value
from haimaker.http.json import parse_json, to_whole_number
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.pricing.amounts import budget_window, duration_to_s, to_nanousd, to_usd, window_to_duration
from haimaker.store import MAX_MODEL_LIMITS, NEVER_S, NO_LIMIT, SUCCESSOR, Account, Balance, ModelLimit, Store
from haimaker.store.account_query import AccountQuery

if TYPE_CHECKING:
    from haimaker.api.account_fields import Fields

AnyFields = TypeVar("AnyFields", bound="Fields")

UPDATE_TRIES = 5
MAX_LISTED = 10_000
PAGE_SIZE = 100
ACCOUNT_FIELDS = {"key_alias": "alias", "team_alias": "alias", "max_parallel_requests": "parallel_limit"}
"""By a field of a body, the field of an account, where the two have other names."""


def check_admin(caller: Account) -> None:
    """Raises AuthenticationError for a key that is blocked or has expired, PermissionDeniedError if it is no administrator's."""
    check_usable(caller, time.time())
    require_admin(caller)


def check_reader(caller: Account) -> None:
    """Raises AuthenticationError like `check_admin`, PermissionDeniedError if the key may see only what is its own."""
    check_usable(caller, time.time())
    require_reader(caller)


def read_fields(
    caller: Account, request: Request, fields: type[AnyFields], check: Callable[[Account], None] = check_admin
) -> AnyFields:
    """The body of an administrator's request, or of whom else `check` lets in. Raises AuthenticationError, BadRequestError,
    PermissionDeniedError."""
    from haimaker.api.account_fields import parse

    check(caller)
    return parse(parse_json(request.body), fields)


def get_account(store: Store, account_id: str) -> Balance:
    """The account as it is now. Raises NotFoundError."""
    balance = store.get(account_id)
    if balance is None:
        kind = kind_of(account_id)
        raise NotFoundError(f"There is no such {kind}.", param=kind if kind == "key" else f"{kind}_id", code=f"{kind}_not_found")
    return balance


def update_account(store: Store, account_id: str, change: Callable[[Account], Account]) -> Balance:
    """Changes an account as it is now; tries again if another request changed it at the same moment. Raises BadRequestError where
    it is to have another's alias, ConflictError, NotFoundError."""
    for _ in range(UPDATE_TRIES):
        before = get_account(store, account_id).account
        after = change(before)
        is_renamed = after.alias != before.alias
        if is_renamed:
            aliases.claim(store, after)
        if store.update(after):
            if is_renamed:
                aliases.release(store, before)
            return get_account(store, account_id)
    raise ConflictError(f"The {kind_of(account_id)} was changed by somebody else at the same moment; try again.")


def set_blocked(store: Store, account_id: str, blocked: bool) -> Balance:
    """Blocks an account from the next request on, or unblocks it. Raises ConflictError, NotFoundError."""
    return update_account(store, account_id, lambda account: replace(account, blocked=blocked))


def find_all(store: Store, query: AccountQuery) -> Sequence[Balance]:
    """The accounts that a query finds, up to MAX_LISTED."""
    return store.find_accounts(query, limit=MAX_LISTED)[0]


def apply_fields(account: Account, fields: "Fields", now_s: float) -> Account:
    """The account with the fields that the body names; null takes a limit away."""
    changes: dict[str, Any] = {}
    for name in fields.model_fields_set - fields.not_kept:
        value = getattr(fields, name)
        match name:
            case "max_budget" | "soft_budget":
                changes[name.replace("max_", "") + "_nanousd"] = None if value is None else to_nanousd(value)
            case "budget_duration":
                changes["budget_window_s"], changes["budget_months"] = budget_window(value)
            case "model_max_budget" | "model_rpm_limit" | "model_tpm_limit":
                limits = changes.get("model_limits", account.model_limits)
                changes["model_limits"] = _with_model_limits(limits, name, value or {})
            case "duration":
                seconds = duration_to_s(value)
                changes["expires_s"] = NEVER_S if seconds is None else int(now_s) + seconds
            case "models" | "tags":
                changes[name] = tuple(value or ())
            case "metadata":
                # The gateway's own marks are not for a body to set or to take away: see FROM_SETTINGS, SUCCESSOR.
                given = {field: each for field, each in (value or {}).items() if field != SUCCESSOR}
                if given.get("source") == FROM_SETTINGS:
                    del given["source"]
                kept = {"source": FROM_SETTINGS} if account.metadata.get("source") == FROM_SETTINGS else {}
                changes[name] = given | kept
            case "aliases" | "default_model" | "router_settings" | "auto_router_id":
                changes["routing"] = {**changes.get("routing", account.routing), name: value}
            case "role":
                changes[name] = value or "user"
            case "blocked" | "log_content":
                changes[name] = bool(value)
            case _:
                changes[ACCOUNT_FIELDS.get(name, name)] = value
    return replace(account, **changes)


def _with_model_limits(limits: Mapping[str, ModelLimit], name: str, given: Mapping[str, Any]) -> Mapping[str, ModelLimit]:
    """The limits of single models, all of one kind replaced. Raises BadRequestError for too many."""
    found = {}
    for model in {**limits, **given}:
        limit, value = limits.get(model, NO_LIMIT), given.get(model)
        if name != "model_max_budget":
            limit = replace(limit, **{name.removeprefix("model_"): value})
        elif value is None:
            limit = replace(limit, budget_nanousd=None, budget_window_s=None, budget_months=None)
        else:
            window_s, months = budget_window(value.time_period)
            limit = replace(limit, budget_nanousd=to_nanousd(value.budget_limit), budget_window_s=window_s, budget_months=months)
        if limit != NO_LIMIT:
            found[model] = limit
    if len(found) > MAX_MODEL_LIMITS:
        raise BadRequestError(f"At most {MAX_MODEL_LIMITS} models can be limited.", param=name, code="invalid_value")
    return found


def to_json(balance: Balance) -> JSON:
    """The fields that every kind of account shows: money in USD, limits and counters."""
    account = balance.account
    return {
        "spend": to_usd(balance.spend_nanousd),
        "reserved": to_usd(balance.held_nanousd),
        "total_spend": to_usd(balance.total_spend_nanousd),
        "max_budget": to_usd(account.budget_nanousd),
        "soft_budget": to_usd(account.soft_budget_nanousd),
        "budget_duration": window_to_duration(account.budget_window),
        "budget_reset_at": to_iso_time(balance.window_end_s),
        "models": list(account.models),
        "rpm_limit": account.rpm_limit,
        "tpm_limit": account.tpm_limit,
        "max_parallel_requests": account.parallel_limit,
        "parallel_requests": balance.reservations,
        **_model_limits_to_json(balance),
        "blocked": account.blocked,
        "metadata": account.metadata,
        "created_at": to_iso_time(account.created_s),
    }


def _model_limits_to_json(balance: Balance) -> JSON:
    limits = balance.account.model_limits
    return {
        "model_max_budget": {
            model: {
                "budget_limit": to_usd(limit.budget_nanousd),
                "time_period": window_to_duration((limit.budget_window_s, limit.budget_months)),
            }
            for model, limit in limits.items()
            if limit.budget_nanousd is not None
        },
        "model_rpm_limit": {model: limit.rpm_limit for model, limit in limits.items() if limit.rpm_limit is not None},
        "model_tpm_limit": {model: limit.tpm_limit for model, limit in limits.items() if limit.tpm_limit is not None},
        "model_spend": {model: to_usd(each.spend_nanousd) for model, each in balance.models.items()},
        "model_budget_reset_at": {model: to_iso_time(each.window_end_s) for model, each in balance.models.items()},
    }


def to_iso_time(moment_s: float) -> str | None:
    return None if moment_s >= NEVER_S else datetime.fromtimestamp(moment_s, UTC).isoformat()


def to_page(
    name: str, find: Callable[[int, int], tuple[Sequence[Balance], int]], request: Request, show: Callable[[Balance], Any]
) -> JSON:
    """The `page` that a request asks for, of `size` at most, of the accounts of which `find` finds so many after as many, and how
    many there are. Raises BadRequestError."""
    page, size = whole_number(request, "page", 1), min(whole_number(request, "size", PAGE_SIZE), PAGE_SIZE)
    balances, total = find((page - 1) * size, size)
    return {
        name: [show(balance) for balance in balances],
        "total_count": total,
        "current_page": page,
        "total_pages": -(-total // size),
    }


def read_flag(request: Request, name: str) -> bool:
    """Whether a query parameter is `true`. Raises BadRequestError for what is neither that nor `false`."""
    value = request.query.get(name, "").lower()
    if value not in ("", "true", "false"):
        raise invalid_value(name, "true or false")
    return value == "true"


def whole_number(request: Request, name: str, default: int, most: int = 10**6) -> int:
    """The number that a query parameter has. Raises BadRequestError for what is none, is 0, or is larger than `most`."""
    number = to_whole_number(request.query.get(name, str(default)), 1, most)
    if number is None:
        raise invalid_value(name, f"a whole number from 1 to {most}")
    return number
