"""Teams: a budget, limits and models that several keys share. In LiteLLM's names.

https://docs.litellm.ai/docs/proxy/team_budgets
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from haimaker.accounts.errors import check_usable, require_reader, sees_all
from haimaker.api import account_admin, keys
from haimaker.api.account_admin import apply_fields, get_account, missing_parameter, team_fields
from haimaker.http.errors import BadRequestError, ConflictError, NotFoundError
from haimaker.http.values import JSON, Request
from haimaker.store import Account, Balance, Store


def change(store: Store, caller: Account, request: Request) -> JSON:
    """POST /team/new, update, delete, block and unblock. Raises BadRequestError, ConflictError, NotFoundError."""
    return account_admin.subcommand(CHANGES, "team", request)(store, caller, request)


def show(store: Store, caller: Account, request: Request) -> JSON | list[JSON]:
    """GET /team/info and list."""
    return account_admin.subcommand(SHOWS, "team", request)(store, caller, request)


def _new(store: Store, caller: Account, request: Request) -> JSON:
    fields = team_fields(caller, request)
    if fields.team_ids:
        raise BadRequestError("One team at a time is made: `team_id`.", param="team_ids", code="unsupported_parameter")
    team_id = fields.team_id or str(uuid.uuid4())
    account = apply_fields(Account(f"team#{team_id}", team_id, int(time.time())), fields, time.time())
    if not store.put(replace(account, team_id=None)):
        raise ConflictError(f"There is a team {team_id} already.")
    return _to_json(get_account(store, account.id))


def _update(store: Store, caller: Account, request: Request) -> JSON:
    fields = team_fields(caller, request)

    def with_changes(account: Account) -> Account:
        return replace(apply_fields(account, fields, time.time()), team_id=None)

    return {
        "team_id": fields.team_id,
        "data": _to_json(account_admin.update_account(store, _account_id(fields.team_id), with_changes)),
    }


def _delete(store: Store, caller: Account, request: Request) -> JSON:
    """POST /team/delete: the team's keys are deleted with it; records stay. Nothing is deleted if one of the teams is unknown."""
    fields = team_fields(caller, request)
    names = fields.team_ids or [fields.team_id or ""]
    teams = [get_account(store, _account_id(name)).account for name in names]
    if caller.team_id in names:
        raise BadRequestError("A key can't delete itself with its team.", param="team_ids")
    members = [balance.account.id for balance in keys.all_keys(store) if balance.account.team_id in names]
    for account_id in (*members, *(team.id for team in teams)):
        store.delete(account_id)
    return {"deleted_teams": names, "deleted_keys": [account_id.partition("#")[2] for account_id in members]}


def _set_blocked(blocked: bool, store: Store, caller: Account, request: Request) -> JSON:
    team_id = _account_id(team_fields(caller, request).team_id)
    return _to_json(account_admin.update_account(store, team_id, lambda account: replace(account, blocked=blocked)))


def _info(store: Store, caller: Account, request: Request) -> JSON:
    """GET /team/info: the caller's team, or, for an administrator, the one that `team_id` names; with its keys."""
    check_usable(caller, time.time())
    team_id = request.query.get("team_id") or caller.team_id
    if team_id is None or team_id != caller.team_id:
        require_reader(caller)
    balance = get_account(store, _account_id(team_id))
    found = keys.all_keys(store) if sees_all(caller) else [get_account(store, caller.id)]
    members = [keys.to_json(member) for member in found if member.account.team_id == team_id]
    return {"team_id": team_id, "team_info": _to_json(balance), "keys": members}


def _list(store: Store, caller: Account, request: Request) -> list[JSON]:
    account_admin.check_reader(caller)
    return [_to_json(balance) for balance in account_admin.list_accounts(store, "team")]


Action = Callable[[Store, Account, Request], JSON]
CHANGES: Mapping[str, Action] = {
    "new": _new,
    "update": _update,
    "delete": _delete,
    "block": partial(_set_blocked, True),
    "unblock": partial(_set_blocked, False),
}
SHOWS: Mapping[str, Callable[[Store, Account, Request], JSON | list[JSON]]] = {"info": _info, "list": _list}


def _to_json(balance: Balance) -> JSON:
    account = balance.account
    return {"team_id": account.name, "team_alias": account.alias, **account_admin.to_json(balance)}


def _account_id(team_id: str | None) -> str:
    if not team_id:
        raise missing_parameter("team_id")
    if len(team_id) > 128 or not team_id.isascii() or not team_id.isprintable() or " " in team_id:
        raise NotFoundError("There is no such team.", param="team_id", code="team_not_found")
    return f"team#{team_id}"
