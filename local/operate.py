"""`python -m local.operate`, which `make deploy`, `make admin-key` and their like call: an operator's work on a deployed stack.

Every command first says what it will do, and in which account. No secret is an argument, an environment variable or part of
an output, but for the new administrator's key, which is printed once.
"""

import argparse
import getpass
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from haimaker import auth
from local import provider_secrets
from local.provider_secrets import SecretsError
from local.stack import OperatorError, Stack

ROOT = Path(__file__).resolve().parent.parent
SAM = ROOT / ".venv-aws" / "bin" / "sam"
HEALTH = "events/models_health.json"
OUTLIVING = ("AccountsTable", "RecordsTable", "ProvidersParameter")
"""Outputs that name what is still there when the stack is deleted."""


def read_secret(prompt: str) -> str:
    """Without echo from a terminal, else all that is piped in."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.read()


def say(text: str) -> None:
    print(text, flush=True)  # before what a command that follows prints itself


def run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 (our own words and the operator's)


@dataclass(frozen=True, slots=True)
class Operator:
    """The commands. Each returns an exit status; all raise OperatorError."""

    stack: Stack
    say: Callable[[str], None] = say
    ask: Callable[[str], str] = input
    read_secret: Callable[[str], str] = read_secret
    run: Callable[[Sequence[str]], int] = run

    def deploy(self, *, confirmed: bool = False) -> int:
        self._announce("Builds the layer, then makes or changes the stack; the changes are shown first.")
        for bytecode in ROOT.glob("functions/*/__pycache__"):  # functions go into the account as they are
            shutil.rmtree(bytecode, ignore_errors=True)
        built = self.run([str(SAM), "build"])
        if built:
            return built
        confirmation = ["--no-confirm-changeset"] if confirmed else []
        deployed = self.run([str(SAM), "deploy", *self._stack_options(), *confirmation])
        return deployed or self._tell_addresses()

    def admin_key(self) -> int:
        self._announce("Makes an administrator's key and stores its hash in the stack's table.")
        key = auth.new_key()
        self.stack.add_admin(key, int(time.time()))
        self.say(f"The key, shown this once and stored nowhere. Keep it like a password:\n\n    {key}\n")
        self.say(f"Issue keys with it at {self.stack.output('BaseUrl')}/key/generate; POST /key/delete takes it away.")
        return 0

    def credentials(self, provider: str | None, name: str | None, *, remove: bool = False) -> int:
        variable = provider_secrets.checked_name(name) if name else provider_secrets.variable_of(provider or "")
        self._announce(f"{'Removes' if remove else 'Stores'} {variable} in the stack's encrypted parameter.")
        old = self.stack.secrets()
        if remove:
            new = provider_secrets.without(old, variable)
        else:
            secret = provider_secrets.checked_secret(self.read_secret(f"{variable} (not shown): "))
            new = provider_secrets.checked(provider_secrets.with_secret(old, variable, secret))
        changed = self.stack.put_secrets(old, new)
        self.say(f"Written: {', '.join(changed)}. Functions see it within five minutes." if changed else "Nothing had to change.")
        self.say(f"Stored now: {', '.join(sorted({known for document in new for known in document})) or 'nothing'}")
        return 0

    def invoke(self, function: str, event: str) -> int:
        self._announce(f"Invokes {function} with {event}.")
        return self.run([str(SAM), "remote", "invoke", function, *self._stack_options(), "--event-file", event])

    def logs(self, function: str | None) -> int:
        self._announce(f"Shows new log lines of {function or 'all functions'} until interrupted.")
        name = ["--name", function] if function else []
        return self.run([str(SAM), "logs", *self._stack_options(), "--tail", *name])

    def destroy(self) -> int:
        kept = [self.stack.outputs[name] for name in OUTLIVING if name in self.stack.outputs]
        self._announce("Deletes the stack: its functions, addresses and logs. The tables stay unless you say otherwise next.")
        if self.ask(f"Type the stack's name, {self.stack.name}, to delete it: ").strip() != self.stack.name:
            self.say("Nothing is deleted.")
            return 1
        deleted = self.run([str(SAM), "delete", *self._stack_options(), "--no-prompts"])
        if not deleted and kept:
            self._delete_what_is_kept(*kept)
        return deleted

    def _delete_what_is_kept(self, accounts: str, records: str, secrets: str) -> None:
        if self._agreed(f"Delete the tables too ({accounts} and {records}), with all keys and all records of what was spent?"):
            self.stack.delete_tables([accounts, records])
        else:
            self.say(f"Kept: {accounts} and {records}. They cost their storage only.")
        if self._agreed(f"Delete the providers' keys too ({secrets})?"):
            self.stack.delete_secrets(secrets)

    def _announce(self, what: str) -> None:
        self.say(f"{what}\nStack {self.stack.name}: {self.stack.owner()}")

    def _agreed(self, question: str) -> bool:
        return self.ask(f"{question} Type yes to do so: ").strip() == "yes"

    def _stack_options(self) -> list[str]:
        return ["--stack-name", self.stack.name, "--region", self.stack.region]

    def _tell_addresses(self) -> int:
        base, chat = self.stack.output("BaseUrl"), self.stack.output("ChatUrl")
        self.say(f"\nbase_url for every endpoint   {base}\nbase_url for chat, cheaper    {chat}")
        self.say("Next: make admin-key   and   make credentials PROVIDER=openai")
        return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m local.operate", description="An operator's work on a deployed stack.")
    made.add_argument("--stack", default="haimaker", help="the stack's name")
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("deploy").add_argument("--yes", action="store_true", help="do not ask before changes")
    commands.add_parser("admin-key")
    credentials = commands.add_parser("credentials")
    named = credentials.add_mutually_exclusive_group(required=True)
    named.add_argument("--provider", help="whose key, such as openai")
    named.add_argument("--name", help="any other variable, such as OLLAMA_BASE_URL")
    credentials.add_argument("--remove", action="store_true", help="forget it instead")
    invoke = commands.add_parser("invoke")
    invoke.add_argument("--function", default="ModelsFunction")
    invoke.add_argument("--event", default=HEALTH)
    commands.add_parser("logs").add_argument("--function")
    commands.add_parser("destroy")
    return made


def carry_out(operator: Operator, arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "deploy":
            return operator.deploy(confirmed=arguments.yes)
        case "admin-key":
            return operator.admin_key()
        case "credentials":
            return operator.credentials(arguments.provider, arguments.name, remove=arguments.remove)
        case "invoke":
            return operator.invoke(arguments.function, arguments.event)
        case "logs":
            return operator.logs(arguments.function)
        case _:
            return operator.destroy()


def main() -> int:
    arguments = parser().parse_args()
    try:
        return carry_out(Operator(Stack.of(arguments.stack)), arguments)
    except (OperatorError, SecretsError) as error:
        print(f"haimaker: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        return 130


if __name__ == "__main__":
    sys.exit(main())
