"""`haimaker connect TOOL`: prints what points a tool at this gateway; with `--write` puts it into the tool's own configuration.

With `--write` the tool gets a key of its own, with a budget and an alias that names tool and machine; the
difference is shown, one request tries it, and what was before is kept beside the file. `--remove` takes file and key back.
"""

import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..api_client import JSON, APIClient
from ..context import Context
from ..stack import OperatorError
from .edits import BEGIN, NotPlain, add_settings, differences, remove_settings
from .tools import DEMO, TOOLS, Endpoint, File, Tool

COPY = ".before-haimaker"
"""Behind the name of a file: what it was."""
PLACEHOLDER = "sk-hm-..."
BUDGET_USD, BUDGET_DURATION = 10.0, "30d"
CHECK_TOKENS = 256


def add(commands: Any) -> None:
    parser = commands.add_parser("connect", help="point a coding agent, a chat or an SDK at the gateway", description=__doc__)
    parser.add_argument("tool", choices=tuple(TOOLS))
    parser.add_argument("--model", help="which it asks for; without, one that it is meant for, if the gateway has it")
    parser.add_argument("--write", action="store_true", help="put it into the tool's configuration, with a key of its own")
    parser.add_argument("--new-key", action="store_true", help="print it with a key of its own, to be put in by hand")
    parser.add_argument("--remove", action="store_true", help="take it out of the configuration again, and delete the key")
    parser.add_argument(
        "--max-budget", type=float, default=BUDGET_USD, metavar="USD", help=f"of the key; ${BUDGET_USD:.0f} without"
    )
    parser.add_argument("--budget-duration", default=BUDGET_DURATION, metavar="TIME", help=f"{BUDGET_DURATION} without")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


class Change(NamedTuple):
    path: Path
    before: str
    after: str


def run(context: Context) -> int:
    """Raises OperatorError."""
    arguments, terminal = context.arguments, context.terminal
    tool = TOOLS[arguments.tool]
    if arguments.remove:
        return _remove(context, tool)
    if arguments.write and not tool.files:
        raise OperatorError(f"{tool.name} has no file that another program could write; --new-key prints what to fill in.")
    client, url = context.api_client(), context.url().rstrip("/")
    endpoint = Endpoint(url if url.endswith("/v1") else f"{url}/v1", PLACEHOLDER, arguments.model or _choose_model(client, tool))
    if not (arguments.write or arguments.new_key):
        _print(context, tool, endpoint)
        by_hand = "--new-key prints it with a key of its own."
        terminal.note(f"--write puts it there, {by_hand}" if tool.files else by_hand)
        return 0
    if arguments.write:
        for change in (_change(context, file, endpoint) for file in tool.files):
            for line in differences(str(change.path), change.before, change.after, _secret_in(change.before)):
                terminal.say(line)
        if not (arguments.yes or terminal.confirm(f"Point {tool.name} at {endpoint.url}?")):
            terminal.note("Nothing is changed.")
            return 1
    key, alias, is_new = _issue(context, client, tool)
    endpoint = endpoint._replace(key=key)
    try:
        _check(context, tool, endpoint)
    except OperatorError:
        if is_new:
            client.post("/key/delete", {"keys": [key]})
        raise
    if arguments.new_key:
        _print(context, tool, endpoint)
        return 0
    for change in [_change(context, file, endpoint) for file in tool.files]:
        _write(change)
    terminal.say(f"{tool.name} asks {endpoint.url} for {endpoint.model} now, with the key {alias}.")
    terminal.note(f"Undo it: haimaker connect {tool.name} --remove")
    return 0


def _remove(context: Context, tool: Tool) -> int:
    client, alias = context.api_client(), _alias(tool)
    found = _key_called(client, alias)
    changed = False
    for file in tool.files:
        path, copy = _path(context, file), _copy_of(_path(context, file))
        text, before = _read(path), _read(copy)
        if not (copy.exists() or BEGIN in text):
            continue
        try:
            after = remove_settings(file, text, before)
        except NotPlain as error:
            raise OperatorError(f"{path} is left as it is: {error}. Take haimaker out by hand.") from None
        for line in differences(str(path), text, after, _secret_in(text)):
            context.terminal.say(line)
        if after.strip() or before:
            _replace(path, after)
        else:
            path.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
        changed = True
    if found:
        client.post("/key/delete", {"keys": [found["token_id"]]})
    if not changed and not found:
        context.terminal.note(f"{tool.name} is not connected from this machine.")
        return 1
    context.terminal.say(f"{tool.name} is as it was" + (f", and the key {alias} is deleted." if found else "."))
    return 0


def _choose_model(client: APIClient, tool: Tool) -> str:
    there = {model["id"] for model in client.get("/models")["data"]}
    found = next((model for model in (*tool.prefers, *DEMO) if model in there), None)
    if found is None:
        raise OperatorError("Say which model it is to ask for: --model; haimaker models lists them.")
    return found


def _alias(tool: Tool) -> str:
    return f"{tool.name}@{socket.gethostname()}"


def _key_called(client: APIClient, alias: str) -> JSON | None:
    found = client.get("/key/list", key_alias=alias, return_full_object="true", size="2")["keys"]
    return found[0] if found else None


def _issue(context: Context, client: APIClient, tool: Tool) -> tuple[str, str, bool]:
    """A key, its alias and whether it is a new one; else it is an earlier one renewed, so that what was spent still counts. The
    earlier one stays for a day, for what runs now."""
    arguments, alias = context.arguments, _alias(tool)
    limits = {"max_budget": arguments.max_budget, "budget_duration": arguments.budget_duration}
    if earlier := _key_called(client, alias):
        return client.post("/key/regenerate", {"key": earlier["token_id"], "grace_period": "1d", **limits})["key"], alias, False
    made = client.post("/key/generate", {"key_alias": alias, "metadata": {"connected": tool.name}, **limits})
    return made["key"], alias, True


def _check(context: Context, tool: Tool, endpoint: Endpoint) -> None:
    """One short request in the tool's format. Raises OperatorError with what the gateway says."""
    text, most = "Say OK.", CHECK_TOKENS
    turn = [{"role": "user", "content": text}]
    requests: Mapping[str, tuple[str, JSON]] = {
        "chat": ("/chat/completions", {"model": endpoint.model, "messages": turn, "max_tokens": most}),
        "responses": ("/responses", {"model": endpoint.model, "input": text, "max_output_tokens": most, "store": False}),
        "messages": ("/messages", {"model": endpoint.model, "messages": turn, "max_tokens": most}),
        "generate_content": (
            f"/v1beta/models/{endpoint.model}:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": most}},
        ),
    }
    try:
        APIClient(endpoint.url, endpoint.key).post(*requests[tool.format])
    except OperatorError as error:
        raise OperatorError(f"{endpoint.model} does not answer, so nothing is changed: {error}") from None
    context.terminal.note(f"{endpoint.model} answers.")


def _print(context: Context, tool: Tool, endpoint: Endpoint) -> None:
    for file in tool.files:
        context.terminal.say(f"# {_path(context, file)}")
        context.terminal.say(add_settings(file, "", endpoint))
    if tool.say:
        context.terminal.say(tool.say(endpoint))
    context.terminal.note(f"\n{tool.page}")


def _path(context: Context, file: File) -> Path:
    environment = context.environment
    if file.variable and environment.get(file.variable):
        return Path(environment[file.variable], file.path.partition("/")[2])
    return Path(environment.get("HOME") or Path.home(), file.path)


def _change(context: Context, file: File, endpoint: Endpoint) -> Change:
    path = _path(context, file)
    before = _read(path)
    try:
        return Change(path, before, add_settings(file, before, endpoint))
    except NotPlain as error:
        raise OperatorError(f"{path} is left as it is: {error}. --new-key prints what to put in by hand.") from None


def _copy_of(path: Path) -> Path:
    return path.with_name(path.name + COPY)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} can't be read: {error}.") from None


def _write(change: Change) -> None:
    """The copy is of what was there before the first time; it is empty if there was nothing."""
    copy = _copy_of(change.path)
    change.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not copy.exists():
        _replace(copy, change.before)
    _replace(change.path, change.after)


def _replace(path: Path, text: str) -> None:
    """Written whole or not at all, readable by its owner only. Raises OperatorError."""
    try:
        target = path.resolve()
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, target)
    except OSError as error:
        raise OperatorError(f"{path} can't be written: {error.strerror}.") from None


def _secret_in(text: str) -> str:
    words = text.replace('"', " ").replace("=", " ").split()
    return next((word for word in words if word.startswith("sk-hm-")), "")
