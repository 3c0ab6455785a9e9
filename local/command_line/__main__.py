"""Reads the words of a command and carries it out."""

import argparse
import sys
from collections.abc import Sequence

from haimaker.credentials.provider_secrets import SecretsError
from haimaker.validation.settings import SettingsError

from ..installation import current_version
from . import (
    backup,
    batches,
    chat,
    completion,
    connect,
    deployment,
    doctor,
    export,
    importing,
    keys,
    models,
    payers,
    routes,
    serve,
    spend,
)
from .context import Context
from .stack import OperatorError
from .terminal import Terminal

COMMANDS = (serve, chat, batches, connect, keys, payers, spend, models, routes, importing, export, backup, doctor, deployment)
INTERRUPTED = 130


def shared() -> argparse.ArgumentParser:
    """The options that may stand anywhere in a command."""
    made = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    made.add_argument("--stack", help="of a stack in your AWS account; the command is then about it, not about the local gateway")
    made.add_argument("--url", help="a gateway's base_url (HAIMAKER_URL), if it is not the local one")
    made.add_argument("--key-file", metavar="FILE", help="a file with the key to ask with, - for standard input (HAIMAKER_KEY)")
    made.add_argument("--json", action="store_true", help="print JSON, for programs")
    return made


def parser() -> argparse.ArgumentParser:
    about = "A gateway to LLM providers: serves it, talks through it, and works on its keys, spend, models, routes and credentials."
    made = argparse.ArgumentParser("haimaker", description=about, parents=[shared()], allow_abbrev=False)
    made.add_argument("--version", action="version", version=f"haimaker {current_version()}")
    made.set_defaults(run=serve.run)
    commands = made.add_subparsers(dest="command", metavar="COMMAND", title="commands", description="without one, it serves")
    for command in COMMANDS:
        command.add(commands)
    completion.add_with(parser)(commands)
    return made


def read(words: Sequence[str]) -> argparse.Namespace:
    found, others = shared().parse_known_args(words)
    return parser().parse_args(others, found)


def carry_out(context: Context) -> int:
    return int(context.arguments.run(context))


def main() -> int:
    arguments = read(sys.argv[1:])
    terminal = Terminal(arguments.json)
    try:
        return carry_out(Context(arguments, terminal))
    except (OperatorError, SecretsError, SettingsError) as error:
        terminal.note(f"haimaker: {error}")
        return 1
    except (KeyboardInterrupt, EOFError):
        return INTERRUPTED
    except BrokenPipeError:  # what reads the output has seen enough
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
