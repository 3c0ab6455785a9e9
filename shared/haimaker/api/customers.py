"""End users, named by the field `user` of a request: a budget and limits of their own, whichever key asks. In LiteLLM's names.

https://docs.litellm.ai/docs/proxy/customers
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from haimaker.accounts.cache import end_user_account_id
from haimaker.api import account_admin
from haimaker.api.account_admin import apply_fields, end_user_fields, get_account, missing_parameter
from haimaker.http.errors import BadRequestError, ConflictError
from haimaker.http.values import JSON, Request
from haimaker.store import Account, Balance, Store


def change(store: Store, caller: Account, request: Request) -> JSON:
    """POST /customer/new, update, delete, block and unblock. Raises BadRequestError, ConflictError, NotFoundError."""
    return account_admin.subcommand(CHANGES, "customer", request)(store, caller, request)


def show(store: Store, caller: Account, request: Request) -> JSON | list[JSON]:
    """GET /customer/info and list."""
    return account_admin.subcommand(SHOWS, "customer", request)(store, caller, request)


def _new(store: Store, caller: Account, request: Request) -> JSON:
    fields = end_user_fields(caller, request)
    if fields.user_id is None or fields.user_ids:
        raise (
            missing_parameter("user_id")
            if fields.user_id is None
            else BadRequestError("One user at a time is made.", param="user_ids")
        )
    account = apply_fields(Account(end_user_account_id(fields.user_id), fields.user_id, int(time.time())), fields, time.time())
    if not store.put(replace(account, user_id=None)):
        raise ConflictError("There is a user of this name already.")
    return _to_json(get_account(store, account.id))


def _update(store: Store, caller: Account, request: Request) -> JSON:
    fields = end_user_fields(caller, request)

    def with_changes(account: Account) -> Account:
        return replace(apply_fields(account, fields, time.time()), user_id=None)

    return _to_json(account_admin.update_account(store, _account_id(fields.user_id), with_changes))


def _delete(store: Store, caller: Account, request: Request) -> JSON:
    """POST /customer/delete: their records stay. Nothing is deleted if one of them is unknown."""
    names = _user_ids(caller, request)
    for account in [get_account(store, end_user_account_id(name)).account for name in names]:
        store.delete(account.id)
    return {"deleted_customers": len(names), "deleted_user_ids": names}


def _block(store: Store, caller: Account, request: Request) -> JSON:
    """POST /customer/block: an end user without an account gets one that is blocked."""
    names = _user_ids(caller, request)
    for name in names:
        store.put(Account(end_user_account_id(name), name, int(time.time())))
        account_admin.update_account(store, end_user_account_id(name), lambda account: replace(account, blocked=True))
    return {"blocked_users": names}


def _unblock(store: Store, caller: Account, request: Request) -> JSON:
    names = _user_ids(caller, request)
    for name in names:
        account_admin.update_account(store, end_user_account_id(name), lambda account: replace(account, blocked=False))
    return {"unblocked_users": names}


def _info(store: Store, caller: Account, request: Request) -> JSON:
    account_admin.check_reader(caller)
    return _to_json(get_account(store, _account_id(request.query.get("end_user_id") or request.query.get("user_id"))))


def _list(store: Store, caller: Account, request: Request) -> list[JSON]:
    account_admin.check_reader(caller)
    return [_to_json(balance) for balance in account_admin.list_accounts(store, "user")]


Action = Callable[[Store, Account, Request], JSON]
CHANGES: Mapping[str, Action] = {"new": _new, "update": _update, "delete": _delete, "block": _block, "unblock": _unblock}
SHOWS: Mapping[str, Callable[[Store, Account, Request], JSON | list[JSON]]] = {"info": _info, "list": _list}


def _user_ids(caller: Account, request: Request) -> list[str]:
    fields = end_user_fields(caller, request)
    if not (fields.user_ids or fields.user_id):
        raise missing_parameter("user_ids")
    return fields.user_ids or [str(fields.user_id)]


def _account_id(name: str | None) -> str:
    if not name:
        raise missing_parameter("user_id")
    return end_user_account_id(name)


def _to_json(balance: Balance) -> JSON:
    account = balance.account
    shown = {name: value for name, value in account_admin.to_json(balance).items() if name != "models"}
    return {"user_id": account.name, "alias": account.alias, **shown}
