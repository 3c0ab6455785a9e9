"""Issuing and managing keys, in LiteLLM's names. A key itself is shown once, when it is made.

https://docs.litellm.ai/docs/proxy/virtual_keys
"""

import time
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from haimaker.accounts import aliases
from haimaker.accounts import keys as auth
from haimaker.accounts.cache import FROM_SETTINGS
from haimaker.accounts.errors import check_usable, leads, may_see, require_manager, require_reader, sees_all
from haimaker.accounts.kinds import KEY, TEAM
from haimaker.api import account_admin
from haimaker.api.account_admin import apply_fields, get_account, read_flag, to_iso_time, to_page
from haimaker.api.account_filters import check_known, read_account_query
from haimaker.http.errors import BadRequestError, ConflictError, PermissionDeniedError, missing_parameter
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.models.names import is_allowed
from haimaker.pricing.amounts import FOREVER, duration_to_s, to_usd
from haimaker.settings.settings import Settings
from haimaker.store import MAX_REPLACED, SUCCESSOR, Account, Balance, Store
from haimaker.store.account_query import AccountQuery

if TYPE_CHECKING:
    from haimaker.api.account_fields import KeyFields


OF_INFO = ("key",)
"""The query parameter of GET /key/info."""


def generate(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/generate: a new key. Raises BadRequestError, NotFoundError, PermissionDeniedError."""
    fields = _read_fields(store, caller, request)
    if fields.key:
        raise BadRequestError("A new key is made by the gateway, it can't be chosen.", param="key", code="unsupported_parameter")
    key = auth.new_key()
    team_id = caller.team_id if caller.role == "team_admin" else None
    account = Account(auth.account_id_of(key), auth.display_name_of(key), int(time.time()), team_id=team_id)
    account = _with_fields(store, caller, account, fields)
    aliases.claim(store, account)
    return _issue(store, key, account)


def regenerate(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/regenerate: a new key with the limits and the spend of the old one, which ends at once. Reservations of requests
    that are under way count as spent; batches that are go on under the new key."""
    from haimaker.batches import successors  # few requests need it

    fields = _read_fields(store, caller, request, rotates=True)
    if account_id_for(fields.key) == caller.id:
        raise BadRequestError("A key can't regenerate itself.", param="key")

    def retire(account: Account) -> Account:
        if account.metadata.get("source") == FROM_SETTINGS:
            raise BadRequestError("A key that settings name is renewed there: HAIMAKER_ADMIN_KEY.", param="key")
        return replace(_with_fields(store, caller, account, fields), blocked=True)

    old = account_admin.update_account(store, account_id_for(fields.key), retire)
    left = successors.take_pools(store, old.account)
    old = get_account(store, old.account.id)
    key = auth.new_key()
    first, *later = (*old.account.replaces, old.account.id)
    account = replace(
        old.account,
        id=auth.account_id_of(key),
        name=auth.display_name_of(key),
        blocked=False,
        version=1,
        replaces=(first, *later[-MAX_REPLACED:]),
    )
    aliases.claim(store, account, instead_of=old.account.id)
    answer = _issue(store, key, account, old)
    successors.put_aside(store, account, left)
    until_s = int(time.time()) + (duration_to_s(fields.grace_period) or 0)
    ended = replace(old.account, blocked=not fields.grace_period, expires_s=until_s, metadata={SUCCESSOR: account.id})
    if fields.grace_period:
        answer["former_key_valid_until"] = to_iso_time(until_s)
    if not (store.update(ended) if fields.grace_period or left else store.delete(old.account.id)):
        store.delete(account.id)
        aliases.release(store, account)
        raise ConflictError("The key was regenerated or deleted by somebody else at the same moment.")
    return answer


def update(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/update: changes what the body names; null takes a limit away."""
    fields = _read_fields(store, caller, request)
    if account_id_for(fields.key) == caller.id:
        if fields.duration not in (None, FOREVER):
            raise BadRequestError("A key can't set its own end.", param="duration")
        if "role" in fields.model_fields_set:
            raise BadRequestError("A key can't change its own role.", param="role")
    balance = account_admin.update_account(
        store, account_id_for(fields.key), lambda account: _with_fields(store, caller, account, fields)
    )
    return {"key": fields.key, **to_json(balance)}


def block(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/block: refused from the next request on, until it is unblocked."""
    return _set_blocked(store, caller, request, True)


def unblock(store: Store, caller: Account, request: Request) -> JSON:
    return _set_blocked(store, caller, request, False)


def delete(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/delete with `keys` or `key`; their usage records stay. Nothing is deleted if one of them is unknown."""
    fields = _read_fields(store, caller, request, takes_several=True)
    keys = fields.keys or [fields.key or ""]
    accounts = [get_account(store, account_id_for(key)).account for key in keys]
    for account in accounts:
        if account.id == caller.id:
            raise BadRequestError("A key can't delete itself.", param="keys")
        require_manager(caller, account)
    for account in accounts:
        store.delete(account.id)
        aliases.release(store, account)
    return {"deleted_keys": keys}


def info(store: Store, caller: Account, request: Request) -> JSON:
    """GET /key/info: the caller's own key, or the one that `key` names, for an administrator or that of its team."""
    check_usable(caller, time.time())
    check_known(request.query, OF_INFO)
    asked = request.query.get("key") or _token_id(caller)
    account_id = account_id_for(asked)
    if account_id != caller.id and caller.role != "team_admin":
        require_reader(caller)
    balance = get_account(store, account_id)
    if not may_see(caller, balance.account):
        require_reader(caller)
    return {"key": asked, "info": to_json(balance)}


def list_keys(store: Store, caller: Account, request: Request) -> JSON:
    """GET /key/list: the ids of all keys, or with `return_full_object=true` what GET /key/info shows of each; `page` and `size`."""
    check_usable(caller, time.time())
    if caller.role != "team_admin":
        require_reader(caller)
    query, full = read_account_query(request.query), read_flag(request, "return_full_object")
    find = partial(find_visible, store, caller, query)
    team_alias = cache(partial(_alias_of_team, store))  # a page has few teams

    def to_row(balance: Balance) -> JSON:
        return {**to_json(balance), "team_alias": team_alias(balance.account.team_id)}

    return to_page("keys", find, request, to_row if full else lambda balance: _token_id(balance.account))


def _alias_of_team(store: Store, team_id: str | None) -> str | None:
    team = store.get(TEAM.account_id(team_id)) if team_id else None
    return team.account.alias if team else None


def install_admin(store: Store, settings: Settings) -> None:
    """Stores the account of the settings' admin key. Admin keys that other settings named, earlier or in another gateway on the
    same store, are not accepted here: see `AccountCache.read`."""
    account_id = auth.admin_id(settings.admin_key)
    if settings.admin_key and account_id:
        name, metadata = auth.display_name_of(settings.admin_key), {"source": FROM_SETTINGS}
        account = Account(account_id, name, int(time.time()), role="admin", alias="admin", metadata=metadata)
        if not store.put(account):
            kept = get_account(store, account_id).account
            if kept.blocked and kept.metadata.get("source") == FROM_SETTINGS:
                store.update(replace(kept, blocked=False))


def find_visible(store: Store, caller: Account, query: AccountQuery, offset: int, limit: int) -> tuple[Sequence[Balance], int]:
    """Does what `Store.find_accounts` does, among the keys that the caller may see."""
    if not sees_all(caller):
        if caller.team_id is None or query.team_id not in (None, caller.team_id):
            return [], 0
        query = replace(query, team_id=caller.team_id)
    return store.find_accounts(query, offset, limit)


def to_json(balance: Balance) -> JSON:
    account = balance.account
    return {
        "token_id": _token_id(account),
        "key_name": account.name,
        "key_alias": account.alias,
        **account_admin.to_json(balance),
        "expires": to_iso_time(account.expires_s),
        "role": account.role,
        "team_id": account.team_id,
        "user_id": account.user_id,
        "tags": list(account.tags),
        **account.routing,
        "log_content": account.log_content,
    }


def account_id_for(key: str | None) -> str:
    """The account id of a key, or of the `token_id` that names one. Raises BadRequestError."""
    if not key:
        raise missing_parameter("key")
    is_token = len(key) == 64 and all(letter in "0123456789abcdef" for letter in key)
    return f"{KEY.name}#{key}" if is_token else auth.account_id_of(key)


def _read_fields(
    store: Store, caller: Account, request: Request, *, rotates: bool = False, takes_several: bool = False
) -> "KeyFields":
    """The request of an administrator, or of a team's that is not blocked. Raises AuthenticationError, BadRequestError,
    PermissionDeniedError."""
    from haimaker.api.account_fields import KeyFields  # a start that only installs the administrator's key needs no schema

    def check_manager(caller: Account) -> None:
        check_usable(caller, time.time())
        check_usable(get_account(store, TEAM.account_id(caller.team_id or "")).account, time.time())

    check = check_manager if leads(caller, caller.team_id) else account_admin.check_admin
    fields = account_admin.read_fields(caller, request, KeyFields, check)
    keeps = fields.log_content is not None or "log_content" in (fields.metadata or {})  # either name is taken
    if caller.role != "admin" and (fields.role not in (None, "user") or keeps):
        raise PermissionDeniedError("Roles and the keeping of content are for administrators of all.", code="admin_only")
    if fields.keys and not takes_several:
        raise BadRequestError("This is for one key at a time: 'key'.", param="keys", code="unsupported_parameter")
    if fields.grace_period and not rotates:
        raise BadRequestError("Only /key/regenerate has a 'grace_period'.", param="grace_period", code="unknown_parameter")
    return fields


def _issue(store: Store, key: str, account: Account, spent_as: Balance | None = None) -> JSON:
    if not store.put(account, spent_as):
        raise ConflictError("A key with this hash exists already; try again.")
    return {"key": key, **to_json(get_account(store, account.id))}


def _set_blocked(store: Store, caller: Account, request: Request, blocked: bool) -> JSON:
    fields = _read_fields(store, caller, request)
    account_id = account_id_for(fields.key)
    if account_id == caller.id:
        raise BadRequestError("A key can't block itself.", param="key")

    def change(account: Account) -> Account:
        require_manager(caller, account)
        return replace(account, blocked=blocked)

    return {"key": fields.key, **to_json(account_admin.update_account(store, account_id, change))}


def _with_fields(store: Store, caller: Account, account: Account, fields: "KeyFields") -> Account:
    """The account with what the body names, as far as the caller may set it. Raises what `validate` does, and
    PermissionDeniedError."""
    require_manager(caller, account)
    changed = validate(store, apply_fields(account, fields, time.time()))
    if caller.role != "admin" and "log_content" in account.metadata:
        changed = replace(changed, metadata={**changed.metadata, "log_content": account.metadata["log_content"]})
    require_manager(caller, changed)
    if caller.role == "team_admin" and changed.budget_nanousd is not None:
        most = get_account(store, TEAM.account_id(caller.team_id or "")).account.budget_nanousd
        if most is not None and changed.budget_nanousd > most:
            message = f"The budget of the team {caller.team_id} is {to_usd(most)} USD, and a key of it can have no larger one."
            raise BadRequestError(message, param="max_budget", code="invalid_value")
    return changed


def validate(store: Store, account: Account) -> Account:
    """Returns the account if its team exists and allows its models, and its routing is valid. Raises BadRequestError,
    NotFoundError."""
    if account.routing:
        from haimaker.api.key_routing import validate_routing

        account = validate_routing(store, account)
    if account.role == "team_admin" and account.team_id is None:
        raise BadRequestError("A team's administrator needs a team_id.", param="team_id", code="missing_required_parameter")
    if account.team_id is not None:
        team = get_account(store, TEAM.account_id(account.team_id)).account
        for model in account.models:
            if not is_allowed(model, team.models):
                message = (
                    f"The team {account.team_id} does not allow the model {model!r}; its list has to have it as it is written here."
                )
                raise BadRequestError(message, param="models", code="model_not_allowed_in_team")
    return account


def _token_id(account: Account) -> str:
    return account.id.partition("#")[2]
