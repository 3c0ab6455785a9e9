"""`haimaker deploy`, `admin-key`, `credentials`, `reconcile`, `invoke`, `logs`, `destroy`: a stack in an AWS account."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from haimaker.billing.pending import KIND
from haimaker.credentials import provider_secrets
from haimaker.credentials.access import connections_from_env
from haimaker.models.table import TABLE
from haimaker.settings.price_updates import publish
from haimaker.settings.settings import Settings
from haimaker.store import Store, StoreUnavailable

from ..home import explain
from .context import Context
from .operate import HEALTH, PUBLISHED, UNCHANGED
from .prices import check_table
from .reconcile import Reconciliation, open_local
from .stack import DEFAULT_STACK, OperatorError

TITLES = ("provider", "variable", "kept in")


def add(commands: Any) -> None:
    deploy = commands.add_parser("deploy", help="build, and make or change the stack")
    deploy.add_argument("--yes", action="store_true", help="do not ask before changes")
    deploy.set_defaults(run=lambda context: context.operator().deploy(confirmed=context.arguments.yes))
    admin_key = commands.add_parser("admin-key", help="make an administrator's key of the stack")
    admin_key.set_defaults(run=lambda context: context.operator().admin_key())
    _add_credentials(commands.add_parser("credentials", help="which providers have a key; with --provider, give the stack one"))
    proof = commands.add_parser(
        "reconcile", help="prove by the records what accounts spent, and repair it; without --stack, locally"
    )
    proof.add_argument("--check", action="store_true", help="only report; the exit status says whether all is well")
    proof.set_defaults(run=reconcile)
    prices = commands.add_parser("prices", help="give a gateway that runs the table of prices of this version, or of a file")
    prices.add_argument("file", nargs="?", type=Path, default=TABLE, help="as make prices writes it; without, that of this version")
    prices.set_defaults(run=publish_prices)
    invoke = commands.add_parser("invoke", help="invoke a deployed function")
    invoke.add_argument("--function", default="ModelsFunction")
    invoke.add_argument("--event", default=HEALTH)
    invoke.set_defaults(run=lambda context: context.operator().invoke(context.arguments.function, context.arguments.event))
    logs = commands.add_parser("logs", help="follow the logs of the deployed functions")
    logs.add_argument("--function")
    logs.set_defaults(run=lambda context: context.operator().logs(context.arguments.function))
    destroy = commands.add_parser("destroy", help="delete the stack; asks, and keeps the tables unless told otherwise")
    destroy.set_defaults(run=lambda context: context.operator().destroy())


def publish_prices(context: Context) -> int:
    lines = check_table(context.arguments.file)
    if context.arguments.stack:
        return context.operator().publish_prices(lines)
    settings = Settings.from_environment(context.environment)
    try:
        documents = open_local(settings).documents
        is_new = publish(documents, lines)
        context.terminal.tell(PUBLISHED if is_new else UNCHANGED, published=is_new)
    except StoreUnavailable as error:
        raise OperatorError(explain(settings.home, str(error))) from error
    return 0


def reconcile(context: Context) -> int:
    check = context.arguments.check
    if context.arguments.stack:
        return context.operator().reconcile(check=check)
    said: list[str] = []
    say = said.append if context.terminal.as_json else context.terminal.say
    settings = Settings.from_environment(context.environment)
    try:
        store = open_local(settings)
        if not check and store.documents.all(KIND):
            _settle_pending(settings, store, say)
        proof = Reconciliation(store, check, say)
        status = proof.run()
    except StoreUnavailable as error:
        raise OperatorError(explain(settings.home, str(error))) from error
    if context.terminal.as_json:
        context.terminal.tell("", **{name.replace(" ", "_"): count for name, count in proof.found.items()}, said=said)
    return status


def _settle_pending(settings: Settings, store: Store, say: Callable[[str], object]) -> None:
    """Asks providers for what they make in the background. Raises StoreUnavailable."""
    from haimaker.api.background_polls import settle_all  # with all of the gateway: not before it is needed
    from haimaker.gateway import Gateway

    told = settle_all(Gateway.from_store(settings, store))
    say(f"{told} answers in the background that nobody had asked for were settled.")


def _add_credentials(parser: argparse.ArgumentParser) -> None:
    named = parser.add_mutually_exclusive_group()
    named.add_argument("--provider", help="whose key, such as openai")
    named.add_argument("--name", help="any other variable, such as OLLAMA_BASE_URL")
    parser.add_argument("--remove", action="store_true", help="forget it instead")
    parser.set_defaults(run=credentials)


def credentials(context: Context) -> int:
    arguments = context.arguments
    if arguments.provider or arguments.name:
        return context.operator().credentials(arguments.provider, arguments.name, remove=arguments.remove)
    if not arguments.stack:
        on = [(name, "", "this shell's environment") for name in connections_from_env(dict(context.environment))]
        empty = f"No provider is on here: export OPENAI_API_KEY=...   (--stack {DEFAULT_STACK} shows what the stack has)"
        context.terminal.show([name for name, _, _ in on], TITLES, on, empty=empty)
        return 0
    stack = context.stack()
    places = provider_secrets.parameters(stack.output("ProvidersParameter"))
    kept = [(name, place) for place, document in zip(places, stack.secrets(), strict=True) for name in sorted(document)]
    rows = [(", ".join(connections_from_env({name: "http://x.example"})), name, place) for name, place in kept]
    empty = f"The stack {stack.name} has no provider's key: make credentials PROVIDER=openai"
    context.terminal.show([name for name, _ in kept], TITLES, rows, empty=empty)
    return 0
