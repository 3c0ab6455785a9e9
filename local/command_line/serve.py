"""`haimaker`, or `haimaker serve`: the gateway on this machine, until it is interrupted; `haimaker health`: whether it answers."""

from typing import Any

from .api_client import APIClient
from .context import Context
from .stack import OperatorError


def add(commands: Any) -> None:
    parser = commands.add_parser("serve", help="serve the gateway until interrupted; PORT and HOST say where", description=__doc__)
    parser.set_defaults(run=run)
    about = "whether the gateway answers, by the exit status"
    commands.add_parser("health", help=about).set_defaults(run=health)


def run(context: Context) -> int:
    """Raises OperatorError."""
    arguments = context.arguments
    named = [option for option, given in (("--stack", arguments.stack), ("--url", arguments.url)) if given]
    if named:
        raise OperatorError(f"{named[0]} needs a command, such as: haimaker {named[0]} ... keys list")
    from ..__main__ import main  # the other commands need none of it

    return main()


def health(context: Context) -> int:
    """Needs no key. Raises OperatorError."""
    told = APIClient(context.url(), "").get("/health")
    context.terminal.tell(str(told["status"]), **told)
    return 0
