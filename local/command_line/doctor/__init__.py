"""`haimaker doctor`: what is missing or wrong on this laptop, or in this account, and how to put it right. It changes nothing."""

from typing import Any

from ..context import Context
from ..terminal import printable
from . import account, laptop, providers
from .finding import MISSING, OK, WRONG, Check, Finding

MARKS = {OK: "ok     ", MISSING: "missing", WRONG: "WRONG  "}


def add(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="what is missing here or in the account, and the fix", description=__doc__)
    parser.add_argument("--online", action="store_true", help="ask every provider whether it takes its key; costs nothing")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    """1 if something is wrong; what is only missing is no failure. What keeps several checks from looking is told once."""
    terminal = context.terminal
    checks = [*laptop.TOOLS, *(account.CHECKS if context.arguments.stack else laptop.CHECKS)]
    if context.arguments.online:
        checks.append(Check("providers", providers.ask_providers))
    found: list[Finding] = []
    for check in terminal.each(checks, len(checks), lambda check: check.subject):
        for finding in check.findings(context):
            if any(finding.message == each.message for each in found):
                continue
            found.append(finding)
            if not terminal.as_json:
                _tell(context, finding)
    if terminal.as_json:
        terminal.show([finding._asdict() for finding in found], (), ())
    elif not any(finding.level == WRONG for finding in found):
        terminal.say(
            "Nothing is wrong." + ("" if context.arguments.online else "   haimaker doctor --online asks the providers, too.")
        )
    return int(any(finding.level == WRONG for finding in found))


def _tell(context: Context, finding: Finding) -> None:
    context.terminal.say(f"{MARKS[finding.level]}  {finding.subject:<12}  {printable(finding.message)}")
    if finding.fix:
        context.terminal.say(f"{'':<7}  {'':<12}  → {printable(finding.fix)}")
