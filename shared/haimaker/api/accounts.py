"""Managing teams and end users, which have budgets and limits beside those of keys. In LiteLLM's names.

The keys of a team share its account (https://docs.litellm.ai/docs/proxy/team_budgets). An end user is named by the field `user` of
a request, whichever key asks (https://docs.litellm.ai/docs/proxy/customers). TEAMS and END_USERS say in what the two differ.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from haimaker.accounts import aliases
from haimaker.accounts.errors import check_usable, leads, require_reader, sees_all
from haimaker.accounts.kinds import END_USER, KEY, TEAM, AccountKind
from haimaker.api import account_admin, keys
from haimaker.api.account_admin import apply_fields, get_account, to_page
from haimaker.api.account_fields import EndUserFields, TeamFields
from haimaker.api.account_filters import OF_PAGES, check_known, read_account_query
from haimaker.http.errors import BadRequestError, ConflictError, MethodNotAllowedError, NotFoundError, missing_parameter
from haimaker.http.values import JSON, Request
from haimaker.store import Account, Balance, Store
from haimaker.store.account_query import AccountQuery


class ManagedKind(NamedTuple):
    """A kind of accounts as its operations name them."""

    kind: AccountKind
    path: str
    """The first segment of the operations' paths."""
    fields: type[TeamFields | EndUserFields]
    """What a body may have."""
    id_field: str
    ids_field: str
    list_field: str
    """The field that holds a page of its accounts."""
    alias_field: str
    id_parameters: tuple[str, ...]
    """Query parameters of `info` that name an account."""
    has_keys: bool
    """Whether keys belong to its accounts: a key may see its own, and is deleted with it."""
    is_blocked_unknown: bool
    """Whether blocking a name without an account makes one."""
    to_updated: Callable[[str, JSON], JSON]
    """The answer to `update`, from an account's name and what is shown of it."""
    to_deleted: Callable[[Sequence[str], Sequence[str]], JSON]
    """The answer to `delete`, from the names of the accounts and the `token_id`s of their keys."""
    to_blocked: Callable[[str, Sequence[str], JSON], JSON]
    """The answer to `block` and `unblock`, from what was done, to whom, and what is shown of the last of them."""


TEAMS = ManagedKind(
    TEAM,
    path="team",
    fields=TeamFields,
    id_field="team_id",
    ids_field="team_ids",
    list_field="teams",
    alias_field="team_alias",
    id_parameters=("team_id",),
    has_keys=True,
    is_blocked_unknown=False,
    to_updated=lambda name, shown: {"team_id": name, "data": shown},
    to_deleted=lambda names, keys: {"deleted_teams": names, "deleted_keys": keys},
    to_blocked=lambda done, names, shown: shown,
)
END_USERS = ManagedKind(
    END_USER,
    path="customer",
    fields=EndUserFields,
    id_field="user_id",
    ids_field="user_ids",
    list_field="customers",
    alias_field="alias",
    id_parameters=("end_user_id", "user_id"),
    has_keys=False,
    is_blocked_unknown=True,
    to_updated=lambda name, shown: shown,
    to_deleted=lambda names, keys: {"deleted_customers": len(names), "deleted_user_ids": names},
    to_blocked=lambda done, names, shown: {f"{done}_users": names},
)


def _create(of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON:
    """POST …/new: an account with these limits. A team without a `team_id` gets one; an end user has to be named."""
    fields = account_admin.read_fields(caller, request, of.fields)
    name = getattr(fields, of.id_field)
    if name is None and not of.has_keys:
        raise missing_parameter(of.id_field)
    _check_one(of, fields)
    name = name or str(uuid.uuid4())
    account = apply_fields(Account(of.kind.account_id(name), name, int(time.time())), fields, time.time())
    if store.get(account.id) is None:  # or else its name would be taken from the one that there is
        aliases.claim(store, account)
    if not store.put(account):
        raise ConflictError(f"There is a {of.kind.name} of this name already.")
    return _to_json(of, get_account(store, account.id))


def _update(of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON:
    """POST …/update: changes what the body names; null takes a limit away."""
    fields = account_admin.read_fields(caller, request, of.fields)
    _check_one(of, fields)
    account_id, name = _account_id(of, getattr(fields, of.id_field)), getattr(fields, of.id_field)
    balance = account_admin.update_account(store, account_id, lambda account: apply_fields(account, fields, time.time()))
    return of.to_updated(name, _to_json(of, balance))


def _delete(of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON:
    """POST …/delete: the keys of a team are deleted with it; records stay. Nothing is deleted if one of the names is unknown."""
    names = _names(of, caller, request)
    accounts = [get_account(store, _account_id(of, name)).account for name in names]
    members: list[Account] = []
    if of.has_keys:
        if caller.team_id in names:
            raise BadRequestError("A key can't delete itself with its team.", param=of.ids_field)
        found = (account_admin.find_all(store, AccountQuery(KEY.name, team_id=name)) for name in names)
        members = [balance.account for some in found for balance in some]
    for account in (*members, *accounts):
        store.delete(account.id)
        aliases.release(store, account)
    return of.to_deleted(names, [account.id.partition("#")[2] for account in members])


def _set_blocked(blocked: bool, of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON:
    """POST …/block and …/unblock: holds from the next request on."""
    names, shown = _names(of, caller, request), {}
    for name in names:
        account_id = _account_id(of, name)
        if blocked and of.is_blocked_unknown:
            store.put(Account(account_id, name, int(time.time())))
        shown = _to_json(of, account_admin.set_blocked(store, account_id, blocked))
    return of.to_blocked("blocked" if blocked else "unblocked", names, shown)


def _info(of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON:
    """GET …/info: an account, and of a team its keys, as far as the caller may see them. A key may see its own team."""
    check_usable(caller, time.time())
    check_known(request.query, of.id_parameters)
    own = caller.team_id if of.has_keys else None
    name = next(filter(None, map(request.query.get, of.id_parameters)), own)
    if name is None or name != own:
        require_reader(caller)
    shown = _to_json(of, get_account(store, _account_id(of, name)))
    if not of.has_keys:
        return shown
    sees_members = sees_all(caller) or leads(caller, name)
    of_team = AccountQuery(KEY.name, team_id=name)
    members = account_admin.find_all(store, of_team) if sees_members else [get_account(store, caller.id)]
    return {"team_id": name, "team_info": shown, "keys": [keys.to_json(member) for member in members]}


def _list(of: ManagedKind, store: Store, caller: Account, request: Request) -> JSON | list[JSON]:
    """GET …/list: the accounts that fit, oldest first; as LiteLLM all in a list, or with `page` or `size` those of one page in an
    object as that of GET /key/list."""
    account_admin.check_reader(caller)
    query, show = read_account_query(request.query, of.kind, OF_PAGES), partial(_to_json, of)
    if request.query.keys() & {"page", "size"}:
        return to_page(of.list_field, partial(store.find_accounts, query), request, show)
    return list(map(show, account_admin.find_all(store, query)))


CHANGES: Mapping[str, Callable[..., JSON]] = {
    "new": _create,
    "update": _update,
    "delete": _delete,
    "block": partial(_set_blocked, True),
    "unblock": partial(_set_blocked, False),
}
SHOWS: Mapping[str, Callable[..., JSON | list[JSON]]] = {"info": _info, "list": _list}


def _act(
    actions: Mapping[str, Callable[..., Any]], of: ManagedKind, store: Store, caller: Account, request: Request
) -> JSON | list[JSON]:
    """Does what the last segment of the path names. Raises NotFoundError for any other, MethodNotAllowedError for one of the other
    method, and what the action raises."""
    asked = request.path.get("action", "")
    action = actions.get(asked)
    if action is None and asked in (SHOWS if actions is CHANGES else CHANGES):
        allowed = "GET, HEAD" if actions is CHANGES else "POST"
        raise MethodNotAllowedError(f"/{of.path}/{asked} takes {allowed}.", headers={"allow": allowed})
    if action is None:
        known = ", ".join(f"/{of.path}/{name}" for name in actions)
        raise NotFoundError(f"Unknown request URL. There are {known}.", code="unknown_url")
    result: JSON | list[JSON] = action(of, store, caller, request)
    return result


change_team, show_team = partial(_act, CHANGES, TEAMS), partial(_act, SHOWS, TEAMS)
change_end_user, show_end_user = partial(_act, CHANGES, END_USERS), partial(_act, SHOWS, END_USERS)


def _names(of: ManagedKind, caller: Account, request: Request) -> list[str]:
    """The names in a body that may have one or several. Raises BadRequestError if it has none, PermissionDeniedError."""
    fields = account_admin.read_fields(caller, request, of.fields)
    names = getattr(fields, of.ids_field) or list(filter(None, [getattr(fields, of.id_field)]))
    if not names:
        raise missing_parameter(of.id_field)
    return list(names)


def _check_one(of: ManagedKind, fields: TeamFields | EndUserFields) -> None:
    """Raises BadRequestError for a body that names several."""
    if getattr(fields, of.ids_field):
        message = f"This is for one {of.kind.name} at a time: `{of.id_field}`."
        raise BadRequestError(message, param=of.ids_field, code="unsupported_parameter")


def _account_id(of: ManagedKind, name: str | None) -> str:
    """Raises BadRequestError without a name, NotFoundError for one that no account can have."""
    if not name:
        raise missing_parameter(of.id_field)
    if not of.kind.hashes_name and (len(name) > 128 or not name.isascii() or not name.isprintable() or " " in name):
        raise NotFoundError(f"There is no such {of.kind.name}.", param=of.id_field, code=f"{of.kind.name}_not_found")
    return of.kind.account_id(name)


def _to_json(of: ManagedKind, balance: Balance) -> JSON:
    """What is shown of an account: only teams have a list of models."""
    account, shown = balance.account, account_admin.to_json(balance)
    if "models" not in of.fields.model_fields:
        del shown["models"]
    return {of.id_field: account.name, of.alias_field: account.alias, **shown}
