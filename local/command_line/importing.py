"""`haimaker import litellm config.yaml`: writes a `gateway.toml`, and says what of the file has no counterpart here."""

from pathlib import Path
from typing import Any

from haimaker.settings.gateway_toml import parse_gateway_toml
from haimaker.validation.settings import SettingsError

from .context import Context
from .litellm import Import, convert
from .stack import OperatorError

WITHOUT_YAML = "Reading YAML needs a package that is not installed here: pip install pyyaml"


def add(commands: Any) -> None:
    parser = commands.add_parser("import", help="routes from another gateway's configuration", description=__doc__)
    litellm = parser.add_subparsers(dest="action", required=True, metavar="FROM").add_parser("litellm", help="its config.yaml")
    litellm.add_argument("file")
    litellm.add_argument("--output", metavar="FILE", default="gateway.toml", help="a new file; gateway.toml without, - prints it")
    litellm.set_defaults(run=import_litellm)


def import_litellm(context: Context) -> int:
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
