"""`haimaker keys`: issue, change, look at, block, rotate and delete keys."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from .api_client import JSON, APIClient
from .context import Context
from .stack import OperatorError
from .terminal import Terminal, cell, usd

NO_LIMIT = "none"
"""As the value of a limit: takes it away."""
TITLES = ("id", "key", "alias", "spent", "held", "budget", "every", "rpm", "tpm", "parallel", "models", "team", "state", "expires")
ID_LENGTH = 12
MIN_ID_LENGTH = 6


class Field(NamedTuple):
    """A field of a key, and the option that sets it."""

    name: str
    metavar: str
    help: str
    kind: type = str
    many: bool = False
    by_model: Callable[[str], object] | None = None
    """Reads the value of one model, where the field has one for each."""

    @property
    def option(self) -> str:
        return "--" + self.name.removeprefix("key_").removesuffix("s" if self.many else "").replace("_", "-")


def _model_budget(text: str) -> JSON:
    """`5` or `5/30d`."""
    usd, _, time = text.partition("/")
    return {"budget_limit": float(usd), **({"time_period": time} if time else {})}


FIELDS = (
    Field("key_alias", "NAME", "what people call it"),
    Field("max_budget", "USD", "the most that it may spend", float),
    Field("budget_duration", "TIME", "when its budget is renewed: 30s, 30m, 30h, 30d, 4w, or 1mo: on the first of a month"),
    Field("duration", "TIME", "when it expires, likewise; -1 is never"),
    Field("rpm_limit", "COUNT", "requests per minute", int),
    Field("tpm_limit", "COUNT", "tokens per minute", int),
    Field("max_parallel_requests", "COUNT", "requests at the same moment", int),
    Field(
        "model_max_budget",
        "MODEL=USD",
        "what it may spend on one model, or =USD/TIME; may be repeated",
        by_model=_model_budget,
    ),
    Field("model_rpm_limit", "MODEL=COUNT", "requests per minute with one model; may be repeated", by_model=int),
    Field("model_tpm_limit", "MODEL=COUNT", "tokens per minute with one model; may be repeated", by_model=int),
    Field("models", "MODEL", "a model or provider/* that it may use; may be repeated", many=True),
    Field("tags", "TAG", "a label for reports; may be repeated", many=True),
    Field("team_id", "ID", "the team whose budget it shares"),
    Field("user_id", "ID", "whose it is"),
    Field("role", "ROLE", "user, viewer, who sees everything and changes nothing, team_admin, of the team that it is in, or admin"),
)


def add(commands: Any) -> None:
    parser = commands.add_parser("keys", help="issue, limit, block, rotate and delete keys", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="all keys").set_defaults(run=list_keys)
    create = actions.add_parser("create", help="a new key, shown this once")
    create.set_defaults(run=create_key)
    _add_fields(create)
    for name, run, about in (
        ("show", show_key, "limits and spend of a key"),
        ("update", update_key, f"change what is named; {NO_LIMIT!r} takes a limit away"),
        ("block", partial(_change, path="/key/block"), "refuse it from the next request on"),
        ("unblock", partial(_change, path="/key/unblock"), "let it in again"),
        ("rotate", rotate_key, "the same limits and spend under a new key; the old one ends at once, or after --grace"),
        ("delete", delete_key, "end it for good; its records stay"),
    ):
        action = actions.add_parser(name, help=about)
        action.add_argument("key", help="its id, its alias, or the key itself")
        action.set_defaults(run=run)
        if name == "update":
            _add_fields(action)
        if name == "rotate":
            about = "for how long the old key is still taken, such as 24h; without, it ends at once"
            action.add_argument("--grace", metavar="TIME", help=about)
        if name == "delete":
            action.add_argument("--yes", action="store_true", help="do not ask")


def _add_fields(parser: argparse.ArgumentParser) -> None:
    add_options(parser, [found.name for found in FIELDS])
    about = "whether its prompts and answers are kept, where the gateway allows it"
    parser.add_argument("--log-content", action=argparse.BooleanOptionalAction, help=about)


def add_options(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Options that set these fields."""
    for found in FIELDS:
        if found.name in names:
            action = {"action": "append"} if found.many or found.by_model else {}
            parser.add_argument(found.option, metavar=found.metavar, help=found.help, dest=found.name, **action)  # type: ignore[arg-type]


def list_keys(context: Context) -> int:
    client, terminal = context.api_client(), context.terminal
    keys = [key for key, _ in terminal.each(client.all_keys(), None, lambda item: f"of {item[1]} keys")]
    terminal.show(keys, TITLES, map(_row, keys), empty="There are no keys yet: haimaker keys create")
    return 0


def create_key(context: Context) -> int:
    return _show_new(context.terminal, context.api_client().post("/key/generate", fields_from_arguments(context.arguments)))


def show_key(context: Context) -> int:
    client = context.api_client()
    key = client.get("/key/info", key=_id(client, context.arguments.key))["info"]
    context.terminal.show(key, ("field", "value"), [(name, cell(value)) for name, value in key.items()])
    return 0


def update_key(context: Context) -> int:
    said = fields_from_arguments(context.arguments)
    if not said:
        raise OperatorError(f"Nothing was said to change; there are {', '.join(found.option for found in FIELDS)}.")
    return _change(context, "/key/update", said)


def rotate_key(context: Context) -> int:
    client = context.api_client()
    grace = {"grace_period": context.arguments.grace} if context.arguments.grace else {}
    return _show_new(context.terminal, client.post("/key/regenerate", {"key": _id(client, context.arguments.key), **grace}))


def delete_key(context: Context) -> int:
    client, arguments, terminal = context.api_client(), context.arguments, context.terminal
    token = _id(client, arguments.key)
    if not arguments.yes and not terminal.confirm(f"Delete the key {arguments.key} for good?"):
        terminal.note("Nothing is deleted.")
        return 1
    told = client.post("/key/delete", {"keys": [token]})
    terminal.show(told, ("deleted",), [(token[:ID_LENGTH],) for token in told["deleted_keys"]])
    return 0


def _change(context: Context, path: str, fields: Mapping[str, object] | None = None) -> int:
    client = context.api_client()
    told = client.post(path, {"key": _id(client, context.arguments.key), **(fields or {})})
    context.terminal.show(told, TITLES, [_row(told)])
    _tell_warnings(context.terminal, told)
    return 0


def _show_new(terminal: Terminal, key: JSON) -> int:
    if terminal.as_json:
        terminal.show(key, (), ())
    else:
        terminal.show(key, TITLES, [_row(key)])
        terminal.say(f"\nThe key, shown this once:\n\n    {key['key']}\n")
    _tell_warnings(terminal, key)
    return 0


def _tell_warnings(terminal: Terminal, key: JSON) -> None:
    for warning in key.get("warnings", ()):
        terminal.note(f"Note: {warning}")


def fields_from_arguments(arguments: argparse.Namespace) -> JSON:
    """The fields that were named. Raises OperatorError."""
    named = {found.name: (found, value) for found in FIELDS if (value := getattr(arguments, found.name, None)) is not None}
    said = {name: _value(found, value) for name, (found, value) in named.items()}
    keeps = getattr(arguments, "log_content", None)
    return said if keeps is None else {**said, "log_content": keeps}


def _value(found: Field, said: Any) -> object:
    if said in (NO_LIMIT, [NO_LIMIT]):
        return None
    try:
        if found.by_model:
            pairs = [text.rpartition("=") for text in said]
            return {model: found.by_model(value) for model, _, value in pairs}
        return said if found.many else found.kind(said)
    except ValueError:
        what = f"of the form {found.metavar}" if found.by_model else "a number"
        raise OperatorError(f"{found.option} is {what}, not {said!r}.") from None


def _id(client: APIClient, named: str) -> str:
    """The id of a key that is named by its id, the beginning of that, its alias or the key itself. Raises OperatorError."""
    if named.startswith("sk-"):
        return named
    asked = {"return_full_object": "true", "size": "100"}
    found = client.get("/key/list", key_alias=named, **asked)["keys"] or client.get("/key/list", search=named, **asked)["keys"]
    is_id = len(named) >= MIN_ID_LENGTH
    tokens = [key["token_id"] for key in found if named == key["key_alias"] or (is_id and key["token_id"].startswith(named))]
    if not tokens:
        raise OperatorError(f"There is no key {named!r}; haimaker keys list shows all.")
    if len(tokens) > 1:
        ids = ", ".join(token[:ID_LENGTH] for token in tokens)
        raise OperatorError(f"{len(tokens)} keys are called {named!r}; name one by its id: {ids}.")
    return str(tokens[0])


def _row(key: JSON) -> tuple[object, ...]:
    return (
        key["token_id"][:ID_LENGTH],
        key["key_name"],
        key["key_alias"],
        usd(key["spend"]),
        usd(key["reserved"]) if key["reserved"] else "",
        usd(key["max_budget"]),
        key["budget_duration"],
        key["rpm_limit"],
        key["tpm_limit"],
        key["max_parallel_requests"],
        " ".join(key["models"]),
        key["team_id"],
        "blocked" if key["blocked"] else "active" if key["role"] == "user" else key["role"],
        (key["expires"] or "")[:16],
    )
