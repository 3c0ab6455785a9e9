"""`gateway.toml`: the deployer's own names, accounts and prices, parsed and checked. Imported only when the file says something.

With the standard library alone, so that the layer's build can check the file:
`python -m haimaker.settings.gateway_toml gateway.toml`.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from haimaker.accounts.sign_in import read_sign_in
from haimaker.http.values import AttemptTimeouts
from haimaker.lean_dataclasses import replace
from haimaker.models.catalog import ModelInfo
from haimaker.models.names import AUTO, OWN_NAME, ROUTABLE
from haimaker.observability.redaction import BUILT_IN, Redaction
from haimaker.providers.provider import BatchAccount
from haimaker.providers.registry import NAMES, ONLINE, find, get
from haimaker.routing import auto_rules
from haimaker.routing.config import (
    BACK_OFF,
    DEFAULT_CIRCUIT_BREAKER,
    STRATEGIES,
    BackOff,
    BatchSettings,
    CircuitBreakerSettings,
    Config,
    ProviderAccount,
    Route,
    Target,
)
from haimaker.routing.targets import TargetResolver, account_definition, model_info_for_base
from haimaker.validation.settings import SettingsError
from haimaker.validation.toml_table import TomlError, TomlTable, find_line, read_whole

TARGET = r"[^\s/]+/\S+"
EXAMPLE = "openai/gpt-4o-mini"
BUCKET = r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[A-Za-z0-9_-]{1,100}){0,5}"
ROLE = r"arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,600}"
ACCOUNT = r"[a-z][a-z0-9_-]{0,63}"
MAX_TIMEOUT_S = 890.0
"""A function ends at 900 s, and has to settle before that."""
FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def parse_gateway_toml(text: str, path: Path) -> Config:
    """The configuration in the text of a gateway.toml. Raises SettingsError, which names the line."""
    try:
        return _config(TomlTable((), tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    except TomlError as mistake:
        line = find_line(text, mistake.place)
        where = f"{path}, line {line}" if line else str(path)
        place = ".".join(map(str, mistake.place))
        raise SettingsError(f"{where}: {place}: {mistake}.") from None


def _config(file: TomlTable) -> Config:
    defaults = file.pop("defaults", {})
    default = read_whole(TomlTable(("defaults",), defaults), _settings)
    circuit_breaker = read_whole(TomlTable(("health",), file.pop("health", {})), _circuit_breaker)
    auto = file.pop("auto", {})
    accounts = file.get_named_tables("accounts", ACCOUNT, _account)
    config = Config(
        routes=file.get_named_tables("routes", OWN_NAME, _route, defaults=defaults),
        prices=file.get_named_tables("prices", TARGET, _price),
        base_models=file.get_named_tables("models", TARGET, partial(_base_model, accounts)),
        default=default,
        accounts=accounts,
        circuit_breaker=circuit_breaker,
        auto=read_whole(TomlTable(("auto",), auto), partial(auto_rules.read_definition, source="gateway.toml")) if auto else None,
        sign_in=read_whole(TomlTable(("sign_in",), file.pop("sign_in")), read_sign_in) if "sign_in" in file.own else None,
        allowed_ids=file.get_strs("allowed_ids", pattern=r"[\w-]{1,200}", example="vs_1"),
        batches=read_whole(TomlTable(("batches",), file.pop("batches", {})), _batches),
        redaction=read_whole(TomlTable(("content",), file.pop("content")), _redaction) if "content" in file.own else None,
    )
    file.require_empty()
    _check_names(config)
    return config


def _batches(table: TomlTable) -> BatchSettings:
    default = BatchSettings()
    native, least = table.get_bool("native", default.native), table.get_int("least_lines", default.least_lines, 1, 50_000)
    named = TomlTable((*table.place, "deployments"), table.pop("deployments", {}))
    for target in named.own:
        if not re.fullmatch(TARGET, target):
            raise TomlError((*named.place, target), "is no provider/model")
    deployments = {target: named.get_str(target, pattern=r"\S+", example="gpt-4o-batch") for target in sorted(named.own)}
    return BatchSettings(native, least, deployments, table.get_named_tables("accounts", ACCOUNT, _batch_account))


def _batch_account(name: str, table: TomlTable) -> BatchAccount:
    return BatchAccount(
        table.get_str("bucket", "", pattern=f"|{BUCKET}", example="my-bucket/haimaker"),
        table.get_str("role", "", pattern=f"|{ROLE}", example="arn:aws:iam::123456789012:role/batches"),
        table.get_str("account", "", pattern=r"|[a-z0-9-]{1,63}", example="my-account"),
    )


def _route(name: str, table: TomlTable) -> Route:
    if name.count("*") > 1:
        raise TomlError(table.place, "may have one star")
    raw = table.pop("targets", [])
    if not isinstance(raw, list) or not raw:
        raise table.error("targets", "must be a list of one or more targets")
    route = _settings(table)
    # A target may be written as its name alone.
    tables = [{"model": target} if isinstance(target, str) else target for target in raw]
    targets = [
        read_whole(TomlTable((*table.place, "targets", position), each), partial(_target, route))
        for position, each in enumerate(tables)
    ]
    for position, target in enumerate(targets):
        if "*" in target.model and "*" not in name:
            raise TomlError((*table.place, "targets", position), "may have a star where the route's name has one")
    return replace(route, targets=tuple(targets))


def _settings(table: TomlTable) -> Route:
    """The fields that a route and `defaults` have in common."""
    fallbacks, for_context, for_policy = (table.get_strs(name, pattern=OWN_NAME, example=EXAMPLE) for name in FALLBACKS)
    return Route(
        (),
        fallbacks,
        for_context,
        for_policy,
        retries=table.get_int("retries", 2, 0, 10),
        timeout_s=table.get_float("timeout_s", 590.0, MAX_TIMEOUT_S),
        strategy=table.get_choice("strategy", STRATEGIES, STRATEGIES[0]),
        timeouts=AttemptTimeouts(
            float("inf"),
            table.get_float("first_byte_timeout_s", float("inf"), MAX_TIMEOUT_S),
            table.get_float("between_chunks_timeout_s", float("inf"), MAX_TIMEOUT_S),
        ),
        back_off=BackOff(
            table.get_float("back_off_s", BACK_OFF.first_s, 60, least=0),
            table.get_float("longest_wait_s", BACK_OFF.longest_s, 300, least=0),
            table.get_float("jitter", BACK_OFF.jitter, 10, least=0),
        ),
    )


def _target(route: Route, table: TomlTable) -> Target:
    model = table.get_str("model", pattern=ROUTABLE, example=EXAMPLE)
    weight = table.get_float("weight", 1.0, 1e6)
    timeouts = AttemptTimeouts(
        table.get_float("timeout_s", float("inf"), MAX_TIMEOUT_S),
        table.get_float("first_byte_timeout_s", route.timeouts.first_byte_s, MAX_TIMEOUT_S),
        table.get_float("between_chunks_timeout_s", route.timeouts.between_s, MAX_TIMEOUT_S),
    )
    return Target(model, weight, timeouts)


def _circuit_breaker(table: TomlTable) -> CircuitBreakerSettings:
    return CircuitBreakerSettings(
        table.get_int("failures", DEFAULT_CIRCUIT_BREAKER.failures, 1, 1_000),
        table.get_float("rest_s", DEFAULT_CIRCUIT_BREAKER.open_s, 3_600),
        table.get_float("longest_rest_s", DEFAULT_CIRCUIT_BREAKER.max_open_s, 86_400),
    )


def _redaction(table: TomlTable) -> Redaction:
    """What is taken out of content that is kept: all kinds, unless `redact` names some, and patterns of the deployer's own."""
    names = table.get_strs("redact", pattern="|".join(BUILT_IN), example=next(iter(BUILT_IN))) if "redact" in table.own else None
    patterns = TomlTable((*table.place, "patterns"), table.pop("patterns", {}))
    return Redaction(
        tuple(BUILT_IN) if names is None else names,
        {name: _pattern(patterns, name) for name in sorted(patterns.own)},
    )


def _pattern(table: TomlTable, name: str) -> str:
    pattern = table.get_str(name)
    try:
        re.compile(pattern)
    except re.error as error:
        raise table.error(name, f"is no regular expression: {error}") from None
    return pattern


def _account(name: str, table: TomlTable) -> ProviderAccount:
    if name in NAMES:
        raise TomlError(table.place, "is a provider's own name; an account needs another")
    base = table.get_choice("provider", ONLINE, "")
    settings = TomlTable((*table.place, "settings"), table.pop("settings", {}))
    found = {variable: settings.get_str(variable) for variable in sorted(settings.own)}
    return ProviderAccount(account_definition(name, get(base)), base, found, table.get_bool("shares_credentials"))


def _base_model(accounts: Mapping[str, ProviderAccount], name: str, table: TomlTable) -> str:
    base = table.get_str("base_model", example="gpt-4o")
    provider = name.partition("/")[0]
    definition = accounts[provider].definition if provider in accounts else find(provider)
    if definition is None or not model_info_for_base(definition, base):
        raise TomlError(table.place, f"the table of prices has no {base!r}; it may be written provider/model")
    return base


def _price(name: str, table: TomlTable) -> dict[str, str | int | float]:
    prices = {rate: table.pop(rate) for rate in sorted(table.own)}
    for rate, price in prices.items():
        if not isinstance(price, str | int | float) or isinstance(price, bool):
            raise table.error(rate, "must be a price in USD")
        try:
            ModelInfo.unknown(*name.split("/", 1)).with_prices({rate: price})
        except ValueError as error:
            raise table.error(rate, str(error)) from None
    return prices


def _check_names(config: Config) -> None:
    """Raises TomlError for a name that can't be a model: neither a route, nor at a known provider or account, nor listed by a
    provider."""
    known = TargetResolver(config, ())
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
    for name in config.batches.accounts:
        if known.definition(name) is None:
            raise TomlError(("batches", "accounts", name), "is neither a provider nor an account")


def _check(known: TargetResolver, place: tuple[str | int, ...], model: str, *, routes_too: bool) -> None:
    if model == AUTO:
        raise TomlError(place, f"{AUTO} chooses among models and routes, and can't be one of them")
    if (routes_too and model in known.config.routes) or model.startswith("*"):
        return
    if known.definition(model.partition("/")[0]) and "/" in model:
        return
    if "/" in model or not known.known_owners(model):
        raise TomlError(place, f"{model!r} is neither a route nor a model of a provider")


def main(arguments: list[str]) -> int:
    """Checks files; prints what is wrong, and fails if anything is."""
    for argument in arguments:
        path = Path(argument)
        try:
            parse_gateway_toml(path.read_text("utf-8"), path)
        except (SettingsError, OSError, UnicodeDecodeError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
