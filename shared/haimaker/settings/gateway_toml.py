"""`gateway.toml`: the deployer's own names, accounts and prices, parsed and checked. Imported only when the file says something.

With the standard library alone, so that the layer's build can check the file:
`python -m haimaker.settings.gateway_toml gateway.toml`.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from haimaker.http.values import Patience
from haimaker.models.catalog import Facts
from haimaker.models.names import AUTO
from haimaker.observability.redaction import BUILT_IN, Redaction
from haimaker.providers.registry import NAMES, ONLINE, find, get
from haimaker.routing import auto_rules
from haimaker.routing.plan import BACK_OFF, RESTING, STRATEGIES, BackOff, Config, ProviderAccount, Resting, Route, Weighted
from haimaker.routing.targets import Targets, account_row, facts_of_base
from haimaker.validation.settings import SettingsError
from haimaker.validation.toml_table import Mistake, Table, line_of, whole

MODEL = r"[^\s/]+(/\S+)?"
TARGET = r"[^\s/]+/\S+"
EXAMPLE = "openai/gpt-4o-mini"
ACCOUNT = r"[a-z][a-z0-9_-]{0,63}"
LONGEST_S = 890.0
"""A function ends at 900 s, and has to settle before that."""
FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def parse(text: str, path: Path) -> Config:
    """Raises SettingsError, naming the line."""
    try:
        return _config(Table((), tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    except Mistake as mistake:
        line = line_of(text, mistake.place)
        where = f"{path}, line {line}" if line else str(path)
        place = ".".join(map(str, mistake.place))
        raise SettingsError(f"{where}: {place}: {mistake}.") from None


def _config(file: Table) -> Config:
    defaults = file.take("defaults", {})
    default = whole(Table(("defaults",), defaults), _settings)
    resting = whole(Table(("health",), file.take("health", {})), _resting)
    auto = file.take("auto", {})
    accounts = file.by_name("accounts", ACCOUNT, _account)
    config = Config(
        routes=file.by_name("routes", MODEL, _route, defaults=defaults),
        prices=file.by_name("prices", TARGET, _price),
        base_models=file.by_name("models", TARGET, partial(_base_model, accounts)),
        default=default,
        accounts=accounts,
        resting=resting,
        auto=whole(Table(("auto",), auto), partial(auto_rules.read, source="gateway.toml")) if auto else None,
        redaction=whole(Table(("content",), file.take("content")), _redaction) if "content" in file.own else None,
    )
    file.done()
    _check_names(config)
    return config


def _route(name: str, table: Table) -> Route:
    if name.count("*") > 1:
        raise Mistake(table.place, "may have one star")
    raw = table.take("targets", [])
    if not isinstance(raw, list) or not raw:
        raise table.wrong("targets", "must be a list of one or more targets")
    route = _settings(table)
    targets = [
        whole(Table((*table.place, "targets", position), _named(each)), partial(_target, route))
        for position, each in enumerate(raw)
    ]
    for position, target in enumerate(targets):
        if "*" in target.model and "*" not in name:
            raise Mistake((*table.place, "targets", position), "may have a star where the route's name has one")
    return replace(route, targets=tuple(targets))


def _settings(table: Table) -> Route:
    """What a route has besides its targets, and what `defaults` has."""
    fallbacks, for_context, for_policy = (table.texts(name, pattern=MODEL, example=EXAMPLE) for name in FALLBACKS)
    return Route(
        (),
        fallbacks,
        for_context,
        for_policy,
        retries=table.whole("retries", 2, 0, 10),
        timeout_s=table.number("timeout_s", 590.0, LONGEST_S),
        strategy=table.one_of("strategy", STRATEGIES, STRATEGIES[0]),
        patience=Patience(
            float("inf"),
            table.number("first_byte_timeout_s", float("inf"), LONGEST_S),
            table.number("between_chunks_timeout_s", float("inf"), LONGEST_S),
        ),
        back_off=BackOff(
            table.number("back_off_s", BACK_OFF.first_s, 60, least=0),
            table.number("longest_wait_s", BACK_OFF.longest_s, 300, least=0),
            table.number("jitter", BACK_OFF.jitter, 10, least=0),
        ),
    )


def _named(target: object) -> object:
    """A name alone is a target of weight 1."""
    return {"model": target} if isinstance(target, str) else target


def _target(route: Route, table: Table) -> Weighted:
    model = table.text("model", pattern=MODEL, example=EXAMPLE)
    weight = table.number("weight", 1.0, 1e6)
    patience = Patience(
        table.number("timeout_s", float("inf"), LONGEST_S),
        table.number("first_byte_timeout_s", route.patience.first_byte_s, LONGEST_S),
        table.number("between_chunks_timeout_s", route.patience.between_s, LONGEST_S),
    )
    return Weighted(model, weight, patience)


def _resting(table: Table) -> Resting:
    return Resting(
        table.whole("failures", RESTING.failures, 1, 1_000),
        table.number("rest_s", RESTING.rest_s, 3_600),
        table.number("longest_rest_s", RESTING.longest_rest_s, 86_400),
    )


def _redaction(table: Table) -> Redaction:
    """Which kinds are taken out of content that is kept: all, unless `redact` names some; and patterns of the deployer's own."""
    names = table.texts("redact", pattern="|".join(BUILT_IN), example=next(iter(BUILT_IN))) if "redact" in table.own else None
    patterns = Table((*table.place, "patterns"), table.take("patterns", {}))
    return Redaction(
        tuple(BUILT_IN) if names is None else names,
        {name: _pattern(patterns, name) for name in sorted(patterns.own)},
    )


def _pattern(table: Table, name: str) -> str:
    pattern = table.text(name)
    try:
        re.compile(pattern)
    except re.error as error:
        raise table.wrong(name, f"is no regular expression: {error}") from None
    return pattern


def _account(name: str, table: Table) -> ProviderAccount:
    if name in NAMES:
        raise Mistake(table.place, "is a provider's own name; an account needs another")
    base = table.one_of("provider", ONLINE, "")
    settings = Table((*table.place, "settings"), table.take("settings", {}))
    found = {variable: settings.text(variable) for variable in sorted(settings.own)}
    return ProviderAccount(account_row(name, get(base)), base, found, table.flag("shares_credentials"))


def _base_model(accounts: Mapping[str, ProviderAccount], name: str, table: Table) -> str:
    base = table.text("base_model", example="gpt-4o")
    provider = name.partition("/")[0]
    row = accounts[provider].row if provider in accounts else find(provider)
    if row is None or not facts_of_base(row, base):
        raise Mistake(table.place, f"the table of prices has no {base!r}; it may be written provider/model")
    return base


def _price(name: str, table: Table) -> dict[str, str | int | float]:
    prices = {rate: table.take(rate) for rate in sorted(table.own)}
    for rate, price in prices.items():
        if not isinstance(price, str | int | float) or isinstance(price, bool):
            raise table.wrong(rate, "must be a price in USD")
        try:
            Facts.unknown(*name.split("/", 1)).with_prices({rate: price})
        except ValueError as error:
            raise table.wrong(rate, str(error)) from None
    return prices


def _check_names(config: Config) -> None:
    """That every name in a list of models can be one: a route, a provider's or account's, or a bare model that a provider lists."""
    known = Targets(config, ())
    routes = [(("routes", name), route) for name, route in config.routes.items()]
    for place, route in [(("defaults",), config.default), *routes]:
        for position, target in enumerate(route.targets):
            _check(known, (*place, "targets", position), target.model, routes_too=False)
        for name in FALLBACKS:
            for position, model in enumerate(getattr(route, name)):
                if place == ("defaults",) or getattr(config.default, name) != getattr(route, name):
                    _check(known, (*place, name, position), model, routes_too=True)
    for position, rule in enumerate(config.auto.rules if config.auto else ()):
        _check(known, ("auto", "rules", position), rule.model, routes_too=True)
    for name in ("default_model", "embedding_model"):
        if model := getattr(config.auto, name, None):
            _check(known, ("auto", name), model, routes_too=True)


def _check(known: Targets, place: tuple[str | int, ...], model: str, *, routes_too: bool) -> None:
    if model == AUTO:
        raise Mistake(place, f"{AUTO} chooses among models and routes, and can't be one of them")
    if (routes_too and model in known.config.routes) or model.startswith("*"):
        return
    if known.row(model.partition("/")[0]) and "/" in model:
        return
    if "/" in model or not known.would_list(model):
        raise Mistake(place, f"{model!r} is neither a route nor a model of a provider")


def main(arguments: list[str]) -> int:
    """Checks files; says what is wrong, and fails."""
    for argument in arguments:
        path = Path(argument)
        try:
            parse(path.read_text("utf-8"), path)
        except (SettingsError, OSError, UnicodeDecodeError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
