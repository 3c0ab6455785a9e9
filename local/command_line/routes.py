"""`haimaker routes check`: whether gateway.toml is what the gateway can read, and where each of its names leads."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from haimaker.credentials import provider_secrets
from haimaker.credentials.access import connections_from_env
from haimaker.providers.registry import all_providers
from haimaker.routing.config import Config, Route
from haimaker.routing.targets import TargetResolver
from haimaker.settings.gateway_toml import FALLBACKS, parse_gateway_toml
from haimaker.settings.settings import local_config

from .context import Context
from .stack import OperatorError
from .terminal import usd

TITLES = ("name", "part", "share", "target", "input $/M", "output $/M", "to be looked at")
RATES = ("input_cost_per_token", "output_cost_per_token")


class RouteTarget(NamedTuple):
    """A target of a route with its share, its prices and what is wrong with it."""

    name: str
    part: str
    share: str
    target: str
    input_usd_per_million: str
    output_usd_per_million: str
    problem: str


def add(commands: Any) -> None:
    parser = commands.add_parser("routes", help="check your own names in gateway.toml", description=__doc__)
    check = parser.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
        "check", help="and say where they lead"
    )
    check.add_argument("file", nargs="?", help="instead of what HAIMAKER_CONFIG names, ./gateway.toml or shared/gateway.toml")
    check.set_defaults(run=check_routes)


def check_routes(context: Context) -> int:
    """Prints each route's targets; the exit status is 1 where a target can't be used. Raises SettingsError where the gateway would
    not start."""
    path = Path(context.arguments.file) if context.arguments.file else path_of(context.environment)
    config = read(path)
    secrets = provider_secrets.merge(context.stack().secrets()) if context.arguments.stack else context.environment
    found = list(list_targets(config, connections_from_env(secrets, config.accounts)))
    context.terminal.show([lead._asdict() for lead in found], TITLES, found, empty=f"{path} is valid, and names no routes.")
    return int(any(lead.problem for lead in found))


def path_of(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HAIMAKER_CONFIG") or local_config()).expanduser()


def read(path: Path) -> Config:
    """The configuration of a gateway.toml. Raises SettingsError, OperatorError."""
    try:
        return parse_gateway_toml(path.read_text("utf-8"), path)
    except FileNotFoundError:
        raise OperatorError(f"There is no {path}: names of your own would stand there.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} can't be read: {error}.") from None


def list_targets(config: Config, on: Collection[str]) -> Iterator[RouteTarget]:
    """The targets of all routes: what each costs, and what is wrong with it."""
    rows = [*all_providers(), *(account.definition for account in config.accounts.values())]
    targets = TargetResolver(config, [definition for definition in rows if definition.name in on or definition.offline])
    for name, route in config.routes.items():
        for part, share, model in _parts(route):
            target = targets.full_name(model)
            is_route = target in config.routes
            rates = {} if is_route else targets.model_info_for(target).rates
            problem = "" if is_route or "*" in target.partition("/")[0] else _problem(targets, target, bool(rates))
            price_in, price_out = (_per_million(rates.get(rate)) for rate in RATES)
            yield RouteTarget(name, part, share, target, price_in, price_out, problem)


def _parts(route: Route) -> Iterator[tuple[str, str, str]]:
    total = sum(target.weight for target in route.targets)
    for target in route.targets:
        yield "target", f"{100 * target.weight / total:.0f} %", target.model
    for part in FALLBACKS:
        for model in getattr(route, part):
            yield part.removesuffix("s").replace("_", " "), "", model


def _problem(targets: TargetResolver, target: str, priced: bool) -> str:
    provider, slash, model = target.partition("/")
    if not slash:
        return "no provider that is on lists it"
    off = "" if targets.is_on(provider) else f"{provider} has no key here"
    priced = priced or "*" in model or targets.model_info_for(target).priced
    return "; ".join(filter(None, (off, "" if priced else "no price is known: keys with a budget can't use it")))


def _per_million(rate: object) -> str:
    return "" if rate is None else usd(float(str(rate)) * 1e6).removeprefix("$")
