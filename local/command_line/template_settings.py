"""The settings of a stack: parameters of template.yaml, as samconfig.toml, the stack itself and the template's defaults give them.

A deployment is given all of them. CloudFormation keeps what it is not given: a setting that was taken out of the file would stay
on, and a new default would never reach an old stack. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Parameter.html
"""

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path

from .stack import DEFAULT_STACK, OperatorError

MAX_NAME = 43
"""A stack's name is part of its functions' names, which have at most 64 characters."""
ROLLOUT = "Rollout"
URLS, BY_DAY = "FunctionUrls", "RecordsByDay"
"""What an upgrade does not change by itself, since addresses, or the records of a release before, hang on it."""


def check_name(name: str) -> None:
    """Raises OperatorError before AWS would, minutes later."""
    if not re.fullmatch(rf"[A-Za-z][A-Za-z0-9-]{{0,{MAX_NAME - 1}}}", name):
        rule = f"a letter, then letters, digits and hyphens, at most {MAX_NAME} characters in all"
        raise OperatorError(f"A stack can't be named {name}: {rule}.")


def defaults(template: Path) -> dict[str, str]:
    """The template's parameters."""
    text = template.read_text("utf-8").partition("\nParameters:\n")[2].partition("\nRules:\n")[0] + "\n"
    found = re.findall(r"^  (\w+):\n(?:    .*\n)*?    Default: (.*)\n", text, re.MULTILINE)
    return {name: default.strip('"') for name, default in found}


def own_settings(samconfig: Path, stack: str) -> dict[str, str]:
    """What the file says of one stack: `[<stack>.deploy.parameters]`, for the first stack `[default.deploy.parameters]` as well.
    Raises OperatorError."""
    document = tomllib.loads(samconfig.read_text("utf-8")) if samconfig.exists() else {}
    sections = ("default", stack) if stack == DEFAULT_STACK else (stack,)
    found: dict[str, str] = {}
    for section in sections:
        written = document.get(section, {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
        for setting in shlex.split(written) if isinstance(written, str) else written:
            name, equals, value = setting.partition("=")
            if not equals:
                raise OperatorError(f"{samconfig.name}, [{section}.deploy.parameters]: {setting!r} is not Name=value.")
            found[name] = value
    return found


def settings_of(
    stack: str, template: Path, samconfig: Path, current: Mapping[str, str] | None, outputs: Mapping[str, str]
) -> dict[str, str]:
    """All parameters of the next deployment. `current` is what the stack has, None if there is none. Raises OperatorError."""
    known, own = defaults(template), own_settings(samconfig, stack)
    if unknown := sorted(own.keys() - known.keys()):
        raise OperatorError(f"{samconfig.name}: template.yaml has no parameter {', '.join(unknown)}.")
    # A stack may have been made before there was a choice.
    urls = "all" if "CompletionsUrl" in outputs else "chat" if "ChatUrl" in outputs else "none"
    kept = {} if current is None else {URLS: current.get(URLS) or urls, BY_DAY: current.get(BY_DAY) or "true"}
    return {**known, **kept, **own}
