"""`haimaker teams` and `haimaker users`: budgets and limits that several keys share, or that a request's `user` has."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .api_client import JSON, APIClient
from .context import Context
from .keys import NO_LIMIT, add_options, fields_from_arguments
from .stack import OperatorError
from .terminal import cell, usd

LIMITS = (
    *("max_budget", "budget_duration", "rpm_limit", "tpm_limit", "max_parallel_requests"),
    *("model_max_budget", "model_rpm_limit", "model_tpm_limit"),
)


class Kind(NamedTuple):
    """What the two differ in."""

    command: str
    path: str
    id: str
    """The field that has its name, and those that take several and are its alias."""
    ids: str
    alias: str
    about: str
    has_models: bool

    @property
    def one(self) -> str:
        return self.command.removesuffix("s")


TEAMS = Kind("teams", "/team", "team_id", "team_ids", "team_alias", "a budget that several keys share", True)
USERS = Kind("users", "/customer", "user_id", "user_ids", "alias", "a budget of whoever a request's `user` names", False)


def add(commands: Any) -> None:
    for kind in (TEAMS, USERS):
        _add_kind(commands, kind)


def _add_kind(commands: Any, kind: Kind) -> None:
    parser = commands.add_parser(kind.command, help=f"{kind.about}: issue, limit, block and delete", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help=f"all {kind.command}").set_defaults(run=_with(kind, list_payers))
    for name, run, about in (
        ("create", create, f"a new {kind.one}"),
        ("show", show, "its limits and spend" + (", and its keys" if kind.has_models else "")),
        ("update", update, f"change what is named; {NO_LIMIT!r} takes a limit away"),
        ("block", block, "refuse it from the next request on"),
        ("unblock", unblock, "let it in again"),
        ("delete", delete, "end it for good" + (", with its keys" if kind.has_models else "") + "; its records stay"),
    ):
        action: argparse.ArgumentParser = actions.add_parser(name, help=about)
        action.add_argument("name", help="its id" if name == "create" else "its id or its alias")
        action.set_defaults(run=_with(kind, run))
        if name in ("create", "update"):
            action.add_argument("--alias", metavar="NAME", help="what people call it")
            add_options(action, (*LIMITS, *(("models",) if kind.has_models else ())))
        if name == "delete":
            action.add_argument("--yes", action="store_true", help="do not ask")


def _with(kind: Kind, run: Callable[[Kind, Context], int]) -> Callable[[Context], int]:
    return lambda context: run(kind, context)


def list_payers(kind: Kind, context: Context) -> int:
    found = context.api_client().list_all(f"{kind.path}/list")
    context.terminal.show(
        found, _titles(kind), [_row(kind, each) for each in found], empty=f"There are none yet: haimaker {kind.command} create NAME"
    )
    return 0


def create(kind: Kind, context: Context) -> int:
    return _show(
        kind, context, context.api_client().post(f"{kind.path}/new", {kind.id: context.arguments.name, **_fields_of(kind, context)})
    )


def show(kind: Kind, context: Context) -> int:
    client = context.api_client()
    told = client.get(f"{kind.path}/info", **{kind.id: _id(kind, client, context.arguments.name)})
    if context.terminal.as_json:
        context.terminal.show(told, (), ())
        return 0
    fields = told.get("team_info", told)
    context.terminal.show(fields, ("field", "value"), [(name, cell(value)) for name, value in fields.items()])
    if kind.has_models:
        context.terminal.say("")
        rows = [(key["token_id"][:12], key["key_alias"], usd(key["spend"])) for key in told["keys"]]
        context.terminal.show(told["keys"], ("key", "alias", "spent"), rows, empty="It has no keys.")
    return 0


def update(kind: Kind, context: Context) -> int:
    said = _fields_of(kind, context)
    if not said:
        raise OperatorError("Nothing was said to change; --help lists what there is.")
    client = context.api_client()
    told = client.post(f"{kind.path}/update", {kind.id: _id(kind, client, context.arguments.name), **said})
    return _show(kind, context, told.get("data", told))


def block(kind: Kind, context: Context) -> int:
    return _set_blocked(kind, context, "block")


def unblock(kind: Kind, context: Context) -> int:
    return _set_blocked(kind, context, "unblock")


def delete(kind: Kind, context: Context) -> int:
    client, arguments, terminal = context.api_client(), context.arguments, context.terminal
    name = _id(kind, client, arguments.name)
    if not arguments.yes and not terminal.confirm(
        f"Delete the {kind.one} {name}{' and its keys' if kind.has_models else ''} for good?"
    ):
        terminal.note("Nothing is deleted.")
        return 1
    told = client.post(f"{kind.path}/delete", {kind.ids: [name]})
    terminal.show(told, ("deleted", "keys"), [(name, len(told.get("deleted_keys", ())) or "")])
    return 0


def _set_blocked(kind: Kind, context: Context, action: str) -> int:
    client = context.api_client()
    name = _id(kind, client, context.arguments.name)
    client.post(f"{kind.path}/{action}", {kind.id if kind.has_models else kind.ids: name if kind.has_models else [name]})
    told = client.get(f"{kind.path}/info", **{kind.id: name})
    return _show(kind, context, told.get("team_info", told))


def _fields_of(kind: Kind, context: Context) -> JSON:
    arguments = context.arguments
    alias = {kind.alias: arguments.alias} if arguments.alias is not None else {}
    return {**alias, **fields_from_arguments(arguments)}


def _id(kind: Kind, client: APIClient, named: str) -> str:
    """The id of one that is named by it, or by its alias. Raises OperatorError."""
    found = client.list_all(f"{kind.path}/list")
    if any(each[kind.id] == named for each in found):
        return named
    called = [str(each[kind.id]) for each in found if each[kind.alias] == named]
    if len(called) > 1:
        raise OperatorError(f"{len(called)} {kind.command} are called {named!r}; name one by its id: {', '.join(called)}.")
    if not called:
        raise OperatorError(f"There is no {kind.one} {named!r}; haimaker {kind.command} list shows all.")
    return called[0]


def _show(kind: Kind, context: Context, told: JSON) -> int:
    context.terminal.show(told, _titles(kind), [_row(kind, told)])
    return 0


def _titles(kind: Kind) -> Sequence[str]:
    return (kind.one, "alias", "spent", "held", "budget", "every", "rpm", "tpm", "parallel", "models", "state")


def _row(kind: Kind, told: JSON) -> tuple[object, ...]:
    return (
        told[kind.id],
        told[kind.alias],
        usd(told["spend"]),
        usd(told["reserved"]) if told["reserved"] else "",
        usd(told["max_budget"]),
        told["budget_duration"],
        *(told[name] for name in ("rpm_limit", "tpm_limit", "max_parallel_requests")),
        " ".join(told.get("models", ())),
        "blocked" if told["blocked"] else "active",
    )
