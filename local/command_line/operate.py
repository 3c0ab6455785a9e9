"""An operator's work on a deployed stack: making, changing, looking after and deleting it.

Every command first says what it will do, and in which account. No secret is an argument, an environment variable or part of
an output, but for the new administrator's key, which is printed once.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from haimaker.accounts import keys as auth
from haimaker.billing.pending import ALL, KIND
from haimaker.credentials import provider_secrets
from haimaker.settings.price_updates import publish
from haimaker.store import StoreUnavailable

from ..installation import IS_CLONE, ROOT
from . import template_settings
from .reconcile import Reconciliation
from .records_move import move_records
from .stack import OperatorError, Stack
from .terminal import Terminal, read_secret, run
from .totals_repair import repair_totals

NEEDS_CLONE = "This needs the template and its build, which only a clone of the repository has: see docs/deploy.md there."
SAM = ROOT / ".venv-aws" / "bin" / "sam"
BUILT, ROLLOUT = (ROOT / ".aws-sam" / "build" / name for name in ("template.yaml", "rollout.yaml"))
PUBLISHED = "Written: who serves takes them within ten minutes, what is deployed later only if its own are older."
UNCHANGED = "These prices are there already."
HEALTH = "events/models_health.json"
OUTLIVING = ("AccountsTable", "RecordsTable", "ProvidersParameter")
"""Outputs that name what is still there when the stack is deleted."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The commands. Each returns an exit status; all raise OperatorError."""

    stack: Stack
    terminal: Terminal = field(default_factory=Terminal)
    read_secret: Callable[[str], str] = read_secret
    run: Callable[[Sequence[str]], int] = run

    def deploy(self, *, confirmed: bool = False) -> int:
        _require_clone()
        template_settings.check_name(self.stack.name)
        self._announce("Builds the layer, then makes or changes the stack; the changes are shown first.")
        settings = template_settings.settings_of(
            self.stack.name, ROOT / "template.yaml", ROOT / "samconfig.toml", self.stack.parameters(), self.stack.outputs_or_none()
        )
        for bytecode in ROOT.glob("functions/*/__pycache__"):  # functions go into the account as they are
            shutil.rmtree(bytecode, ignore_errors=True)
        built = self.run(["env", f"ARCHITECTURE={settings['Architecture']}", str(SAM), "build"])
        if built:
            return built
        given = [f"{name}={value}" for name, value in settings.items()]
        options = [*self._stack_options(), *(["--no-confirm-changeset"] if confirmed else [])]
        if (rollout := settings[template_settings.ROLLOUT]) != "none":
            digest = hashlib.sha256("\n".join(given).encode()).hexdigest()[:12]
            script = [str(SAM.with_name("python")), str(ROOT / "scripts" / "rollout_template.py")]
            if failed := self.run([*script, rollout, digest, str(BUILT), str(ROLLOUT)]):
                return failed
            options += ["--template-file", str(ROLLOUT)]
        deployed = self.run([str(SAM), "deploy", *options, "--parameter-overrides", *given])
        return deployed or self._tell_addresses()

    def admin_key(self) -> int:
        self._announce("Makes an administrator's key and stores its hash in the stack's table.")
        key = auth.new_key()
        self.stack.add_admin(key, int(time.time()))
        self.terminal.say(f"The key, shown this once and stored nowhere. Keep it like a password:\n\n    {key}\n")
        self.terminal.say(f"Issue keys with it at {self.stack.output('BaseUrl')}/key/generate; POST /key/delete takes it away.")
        return 0

    def credentials(self, provider: str | None, name: str | None, *, remove: bool = False) -> int:
        variable = provider_secrets.validate_name(name) if name else provider_secrets.variable_of(provider or "")
        self._announce(f"{'Removes' if remove else 'Stores'} {variable} in the stack's encrypted parameter.")
        if variable == provider_secrets.SIGN_IN_SECRET:
            self.stack.put_sign_in_secret(None if remove else self._read_secret(variable))
            self.terminal.say("Removed." if remove else "Written. The next who signs in needs it.")
            return 0
        old = self.stack.secrets()
        if remove:
            new = provider_secrets.without_secret(old, variable)
        else:
            new = provider_secrets.with_secret(old, variable, self._read_secret(variable))
            new = provider_secrets.validate_documents(new)
        changed = self.stack.put_secrets(old, new)
        self.terminal.say(
            f"Written: {', '.join(changed)}. Functions see it within five minutes." if changed else "Nothing had to change."
        )
        self.terminal.say(f"Stored now: {', '.join(sorted({known for document in new for known in document})) or 'nothing'}")
        return 0

    def _read_secret(self, variable: str) -> str:
        return provider_secrets.validate_secret(self.read_secret(f"{variable} (not shown): "))

    def reconcile(self, *, check: bool) -> int:
        """The exit status is 1 if something is wrong, or can't be proven."""
        self._announce("Proves by their records what accounts spent" + ("." if check else ", and repairs what is wrong."))
        try:
            store = self.stack.store()
            if not check and store.documents.all(KIND):  # the function has the providers' credentials
                self.stack.invoke("responses", {KIND: ALL})
            status = Reconciliation(store, check, self.terminal.say).run()
            names = (self.stack.output("AccountsTable"), self.stack.output("RecordsTable"))
            missing = repair_totals(store, names, check, self.terminal.say)
            if not check:
                move_records(store, self.terminal.say)
        except StoreUnavailable as error:
            raise OperatorError(str(error)) from error
        if not check:
            self.stack.empty_queue("RollupFailures")
        return status or int(check and missing > 0)

    def publish_prices(self, lines: bytes) -> int:
        self._announce("Gives the stack's functions a table of prices.")
        try:
            self.terminal.say(PUBLISHED if publish(self.stack.store().documents, lines) else UNCHANGED)
        except StoreUnavailable as error:
            raise OperatorError(str(error)) from error
        return 0

    def invoke(self, function: str, event: str) -> int:
        _require_clone()
        self._announce(f"Invokes {function} with {event}.")
        return self.run([str(SAM), "remote", "invoke", function, *self._stack_options(), "--event-file", event])

    def logs(self, function: str | None) -> int:
        _require_clone()
        self._announce(f"Shows new log lines of {function or 'all functions'} until interrupted.")
        name = ["--name", function] if function else []
        return self.run([str(SAM), "logs", *self._stack_options(), "--tail", *name])

    def destroy(self) -> int:
        _require_clone()
        kept = [self.stack.outputs[name] for name in OUTLIVING if name in self.stack.outputs]
        self._announce("Deletes the stack: its functions, addresses and logs. The tables stay unless you say otherwise next.")
        if self.terminal.ask(f"Type the stack's name, {self.stack.name}, to delete it: ").strip() != self.stack.name:
            self.terminal.say("Nothing is deleted.")
            return 1
        deleted = self.run([str(SAM), "delete", *self._stack_options(), "--no-prompts"])
        if not deleted and kept:
            self._delete_what_is_kept(*kept)
        return deleted

    def _delete_what_is_kept(self, accounts: str, records: str, secrets: str) -> None:
        if self.terminal.confirm(
            f"Delete the tables too ({accounts} and {records}), with all keys and all records of what was spent?"
        ):
            self.stack.delete_tables([accounts, records])
        else:
            self.terminal.say(f"Kept: {accounts} and {records}. They cost their storage only.")
        if self.terminal.confirm(f"Delete the providers' keys, and the secret of signing in, too ({secrets})?"):
            self.stack.delete_secrets(secrets)

    def _announce(self, what: str) -> None:
        self.terminal.say(f"{what}\nStack {self.stack.name}: {self.stack.owner()}")

    def _stack_options(self) -> list[str]:
        return ["--stack-name", self.stack.name, "--region", self.stack.region]

    def _tell_addresses(self) -> int:
        self.terminal.say(f"\nbase_url for every endpoint   {self.stack.output('BaseUrl')}")
        if chat := self.stack.outputs.get("ChatUrl"):
            self.terminal.say(f"base_url for chat, cheaper    {chat}")
        if dashboard := self.stack.outputs.get("DashboardUrl"):
            self.terminal.say(f"what it does and costs        {dashboard}")
        if console := self.stack.outputs.get("ConsoleUrl"):
            self.terminal.say(f"in a browser, with a key      {console}")
        self.terminal.say("Next: make admin-key   and   make credentials PROVIDER=openai")
        return 0


def _require_clone() -> None:
    if not IS_CLONE:
        raise OperatorError(NEEDS_CLONE)
