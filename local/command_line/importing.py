"""`haimaker import litellm config.yaml`: writes a `gateway.toml`, and says what of the file has no counterpart here.

With `--keys` and `--teams` it gives LiteLLM's keys, by their hashes, to the gateway that runs, and they go on working.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haimaker.http.values import JSON
from haimaker.settings.gateway_toml import parse_gateway_toml
from haimaker.validation.settings import SettingsError

from . import litellm_accounts as accounts
from .context import Context
from .litellm import Import, convert
from .stack import OperatorError

AT_ONCE = 100
HERE_ALREADY = "It is here already."
WITHOUT_YAML = "Reading YAML needs a package that is not installed here: pip install pyyaml"


def add(commands: Any) -> None:
    parser = commands.add_parser("import", help="routes from another gateway's configuration", description=__doc__)
    litellm = parser.add_subparsers(dest="action", required=True, metavar="FROM").add_parser("litellm", help="its config.yaml")
    litellm.add_argument("file", nargs="?", help="without it, keys and teams alone are imported")
    litellm.add_argument("--keys", metavar="CSV", help="of the table LiteLLM_VerificationToken, with a header")
    litellm.add_argument("--teams", metavar="CSV", help="of the table LiteLLM_TeamTable, with a header")
    litellm.add_argument("--check", action="store_true", help="of keys and teams only say what would be sent")
    litellm.add_argument("--output", metavar="FILE", default="gateway.toml", help="a new file; gateway.toml without, - prints it")
    litellm.set_defaults(run=import_litellm)


def import_litellm(context: Context) -> int:
    """Raises OperatorError."""
    arguments = context.arguments
    if not (arguments.file or arguments.keys or arguments.teams):
        raise OperatorError("Name a config.yaml, or --keys or --teams.")
    status = import_routes(context) if arguments.file else 0
    return import_accounts(context) if arguments.keys or arguments.teams else status


def import_accounts(context: Context) -> int:
    """1 if some of them could not be taken. Raises OperatorError."""
    arguments, terminal = context.arguments, context.terminal
    differences: list[str] = []
    rows = {
        name: [accounts.convert(row, kind, differences) for row in _csv(file)] if file else []
        for name, kind, file in (("teams", accounts.TEAMS, arguments.teams), ("keys", accounts.KEYS, arguments.keys))
    }
    for difference in dict.fromkeys(differences):
        terminal.note(f"differs  {difference}")
    if arguments.check:
        terminal.show(rows, ("kind", "count"), [(name, len(found)) for name, found in rows.items()])
        return 0
    client, done, left_out = context.api_client(), {"teams": 0, "keys": 0}, list[JSON]()
    renamed: list[JSON] = []
    for name, found in rows.items():
        for start in range(0, len(found), AT_ONCE):
            told = client.post("/key/import", {name: found[start : start + AT_ONCE]})
            done[name] += len(told["imported"][name])
            left_out += told["left_out"]
            renamed += told.get("renamed", ())
    for row in renamed:
        terminal.note(f"renamed {row['kind']} {row['id'][:12]}: {row['from']} is taken, now {row['to']}")
    for row in left_out:
        terminal.note(f"left out {row['kind']} {row['id'][:12]}: {row['why']}" + (f" ({row['param']})" if row["param"] else ""))
    terminal.show({"imported": done, "left_out": left_out, "renamed": renamed}, ("kind", "imported"), list(done.items()))
    return int(any(row["why"] != HERE_ALREADY for row in left_out))


def _csv(name: str) -> list[Mapping[str, str]]:
    csv.field_size_limit(sys.maxsize)
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OperatorError(f"{name} can't be read: {error}.") from None


def import_routes(context: Context) -> int:
    """Raises OperatorError."""
    arguments, terminal = context.arguments, context.terminal
    found = convert(_read(Path(arguments.file)))
    text = found.toml()
    try:
        parse_gateway_toml(text, Path(arguments.output))
    except SettingsError as error:
        raise OperatorError(f"{arguments.file} leads to what is no gateway.toml: {error}") from error
    if arguments.output == "-":
        terminal.say(text)
    else:
        try:
            with Path(arguments.output).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise OperatorError(f"{arguments.output} can't be made: {error.strerror}.") from None
    _report(context, found)
    return 0


def _read(file: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise OperatorError(WITHOUT_YAML) from None
    try:
        config = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OperatorError(f"{file} can't be read: {error}.") from None
    if not isinstance(config, dict):
        raise OperatorError(f"{file} is no config.yaml of LiteLLM.")
    return config


def _report(context: Context, found: Import) -> None:
    note = context.terminal.note
    note(f"{len(found.routes)} names of your own, {len(found.accounts)} accounts, {len(found.prices)} prices.")
    for variable, where in found.variables.items():
        note(f"set      {variable} to {where}")
    for difference in found.differences:
        note(f"differs  {difference}")
