"""End users, named by the field `user` of a request: a budget and limits of their own, whichever key asks. In LiteLLM's names.

https://docs.litellm.ai/docs/proxy/customers
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from haimaker.accounts.directory import check_usable, require_admin, user_id_of
from haimaker.api import account_admin as administration
from haimaker.api.account_admin import changed, customer_fields, missing, read
from haimaker.http.errors import BadRequestError, ConflictError
from haimaker.http.values import JSON, Request
from haimaker.store import Account, Balance, Store


def change(store: Store, caller: Account, request: Request) -> JSON:
    """POST /customer/new, update, delete, block and unblock. Raises BadRequestError, ConflictError, NotFoundError."""
    return administration.action(CHANGES, "customer", request)(store, caller, request)


def show(store: Store, caller: Account, request: Request) -> JSON | list[JSON]:
    """GET /customer/info and list."""
    return administration.action(SHOWS, "customer", request)(store, caller, request)


def _new(store: Store, caller: Account, request: Request) -> JSON:
    fields = customer_fields(caller, request)
    if fields.user_id is None or fields.user_ids:
        raise missing("user_id") if fields.user_id is None else BadRequestError("One user at a time is made.", param="user_ids")
    account = changed(Account(user_id_of(fields.user_id), fields.user_id, int(time.time())), fields, time.time())
    if not store.put(replace(account, user_id=None)):
        raise ConflictError("There is a user of this name already.")
    return _told(read(store, account.id))


def _update(store: Store, caller: Account, request: Request) -> JSON:
    fields = customer_fields(caller, request)

    def with_changes(account: Account) -> Account:
        return replace(changed(account, fields, time.time()), user_id=None)

    return _told(administration.update(store, _id_of(fields.user_id), with_changes))


def _delete(store: Store, caller: Account, request: Request) -> JSON:
    """Their records stay. Nothing is deleted if one of them is unknown."""
    names = _names(caller, request)
    for account in [read(store, user_id_of(name)).account for name in names]:
        store.delete(account.id)
    return {"deleted_customers": len(names), "deleted_user_ids": names}


def _block(store: Store, caller: Account, request: Request) -> JSON:
    """Those who have no account get one, which is blocked."""
    names = _names(caller, request)
    for name in names:
        store.put(Account(user_id_of(name), name, int(time.time())))
        administration.update(store, user_id_of(name), lambda account: replace(account, blocked=True))
    return {"blocked_users": names}


def _unblock(store: Store, caller: Account, request: Request) -> JSON:
    names = _names(caller, request)
    for name in names:
        administration.update(store, user_id_of(name), lambda account: replace(account, blocked=False))
    return {"unblocked_users": names}


def _info(store: Store, caller: Account, request: Request) -> JSON:
    check_usable(caller, time.time())
    require_admin(caller)
    return _told(read(store, _id_of(request.query.get("end_user_id") or request.query.get("user_id"))))


def _list(store: Store, caller: Account, request: Request) -> list[JSON]:
    check_usable(caller, time.time())
    require_admin(caller)
    return [_told(balance) for balance in administration.all_of(store, "user")]


Action = Callable[[Store, Account, Request], JSON]
CHANGES: Mapping[str, Action] = {"new": _new, "update": _update, "delete": _delete, "block": _block, "unblock": _unblock}
SHOWS: Mapping[str, Callable[[Store, Account, Request], JSON | list[JSON]]] = {"info": _info, "list": _list}


def _names(caller: Account, request: Request) -> list[str]:
    fields = customer_fields(caller, request)
    if not (fields.user_ids or fields.user_id):
        raise missing("user_ids")
    return fields.user_ids or [str(fields.user_id)]


def _id_of(name: str | None) -> str:
    if not name:
        raise missing("user_id")
    return user_id_of(name)


def _told(balance: Balance) -> JSON:
    account = balance.account
    shown = {name: value for name, value in administration.told(balance).items() if name != "models"}
    return {"user_id": account.name, "alias": account.alias, **shown}
