"""LiteLLM's `config.yaml` as a `gateway.toml`, and what of it has no counterpart. Pure.

https://docs.litellm.ai/docs/proxy/configs https://docs.litellm.ai/docs/proxy/config_settings
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeGuard

from haimaker.http.json import as_list, as_object
from haimaker.models.catalog import find_model
from haimaker.models.names import OWN_NAME
from haimaker.providers.registry import NAMES, ONLINE, get

JSON = dict[str, Any]

FROM_ENVIRONMENT = "os.environ/"
NAMED = tomllib.loads(Path(__file__).with_name("litellm_names.toml").read_text("utf-8"))
OTHERWISE_CALLED: Mapping[str, str] = NAMED["providers"]
"""LiteLLM's prefixes that are not the names here."""
GUESSED: Sequence[str] = NAMED["guessed"]
WITH_ADDRESS: str = NAMED["with_address"]
STRATEGIES = {
    "simple-shuffle": "weighted",
    "latency-based-routing": "lowest-latency",
    "cost-based-routing": "lowest-cost",
    "least-busy": "weighted",
    "usage-based-routing": "weighted",
    "usage-based-routing-v2": "weighted",
}
FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
RATES = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost")
CREDENTIALS = ("api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "vertex_credentials")
SETTINGS = {
    "aws_region_name": "AWS_REGION",
    "vertex_project": "PROJECT",
    "vertex_location": "LOCATION",
    "api_version": "API_VERSION",
}
"""Of a deployment, and the variable that has it here, without the provider's prefix but for AWS's."""
TAKEN = {
    "model",
    "custom_llm_provider",
    "api_base",
    "weight",
    "timeout",
    "stream_timeout",
    "max_retries",
    *RATES,
    *CREDENTIALS,
    *SETTINGS,
}
DROP_PARAMS = 'not a setting here: send "drop_params": true with a request; what no model of a route takes is refused'
OF_ALL = "budgets are of keys, teams and users here"
NO_COUNTERPART = "has no counterpart here"
OF_DEPLOYMENTS = {
    **dict.fromkeys(("rpm", "tpm", "max_budget", "budget_duration"), "limits are of keys, teams and users here"),
    "drop_params": DROP_PARAMS,
    "max_tokens": "a default is none of a model here; clients send it, and a key with a budget gets what is left",
}
KNOWN_SETTINGS = {
    "general_settings": {
        "max_budget": OF_ALL,
        "budget_duration": OF_ALL,
        "master_key": "put it into HAIMAKER_ADMIN_KEY; --keys imports the others",
        "database_url": "not needed: keys and records are in SQLite, or in DynamoDB with STORE=dynamodb",
        "alerting": "not here; budgets and failures are log lines, and alarms in the stack",
    },
    "litellm_settings": {
        "drop_params": DROP_PARAMS,
        "max_budget": OF_ALL,
        "budget_duration": OF_ALL,
        "default_model": "a key has one, default_model; there is none for all",
        "cache": "there is no cache of answers",
        "success_callback": "callbacks are not run; each request is a JSON log line and a record",
        "failure_callback": "callbacks are not run; each failure is in the log and in the record's attempts",
        "callbacks": "callbacks and guardrails are not run",
        "set_verbose": "nothing to set",
    },
}


@dataclass
class Import:
    """What is written, and what is to be told; each difference with its place in LiteLLM's file."""

    accounts: dict[str, JSON] = field(default_factory=dict)
    routes: dict[str, JSON] = field(default_factory=dict)
    prices: dict[str, dict[str, str]] = field(default_factory=dict)
    base_models: dict[str, str] = field(default_factory=dict)
    defaults: JSON = field(default_factory=dict)
    health: JSON = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    """Of this gateway, and where their value is now."""
    differences: list[str] = field(default_factory=list)

    def differ(self, place: str, said: str) -> None:
        if (line := f"{place}: {said}") not in self.differences:
            self.differences.append(line)

    def toml(self) -> str:
        """The file. It holds no secret."""
        lines = ["# From LiteLLM's config.yaml. docs/routing.md says what else may stand here.", ""]
        lines += ["[defaults]", *_pairs(self.defaults), ""] if self.defaults else []
        lines += ["[health]", *_pairs(self.health), ""] if self.health else []
        for name, account in self.accounts.items():
            lines += [f"[accounts.{name}]", *_pairs(account), ""]
        for name, base in self.base_models.items():
            lines += [f"[models.{_text(name)}]", f"base_model = {_text(base)}", ""]
        for name, prices in self.prices.items():
            lines += [f"[prices.{_text(name)}]", *_pairs(prices), ""]
        for name, route in self.routes.items():
            targets = [f"    {_inline(target)}," for target in route["targets"]]
            rest = _pairs({key: value for key, value in route.items() if key != "targets"})
            lines += [f"[routes.{_text(name)}]", "targets = [", *targets, "]", *rest, ""]
        return "\n".join(lines).rstrip() + "\n"


def convert(config: JSON) -> Import:
    """A config as YAML has it. What is not understood is told, never guessed at in silence."""
    found = Import()
    deployments = as_list(config.get("model_list"))
    for position, entry in enumerate(deployments):
        if isinstance(entry, dict) and isinstance(entry.get("litellm_params"), dict):
            _deployment(found, f"model_list[{position}]", entry)
        else:
            found.differ(f"model_list[{position}]", "has no litellm_params, and is left out")
    _router(found, config)
    for section, known in KNOWN_SETTINGS.items():
        for name in as_object(config.get(section)):
            if name not in (*FALLBACKS, "default_fallbacks", "num_retries", "request_timeout"):
                found.differ(f"{section}.{name}", known.get(name, NO_COUNTERPART))
    for section in config:
        if section not in ("model_list", "router_settings", *KNOWN_SETTINGS):
            found.differ(section, "put them into .env" if section == "environment_variables" else NO_COUNTERPART)
    _drop_plain(found)
    return found


def _deployment(found: Import, place: str, entry: JSON) -> None:
    params, name = entry["litellm_params"], str(entry.get("model_name") or entry["litellm_params"].get("model"))
    if str(params.get("model", "")).startswith(FROM_ENVIRONMENT):
        variable = params["model"].removeprefix(FROM_ENVIRONMENT)
        found.differ(
            f"{place} ({name})", f"its model is in ${variable}, which is not read; write it into config.yaml, and try again"
        )
        return
    if params.get("model") == "*":
        found.differ(f"{place} ({name})", "needs no name: every model of a provider that is on is served as provider/model")
        return
    provider, model = _provider_and_model(params)
    if provider not in ONLINE:
        found.differ(f"{place} ({name})", f"{provider or 'its provider'} is not one that is known here; it is left out")
        return
    if not re.fullmatch(r"\S+", model) or not re.fullmatch(OWN_NAME, name):
        found.differ(f"{place} ({name})", "has a name that none can have here, or no model; it is left out")
        return
    account = _account(found, place, provider, params)
    target = f"{account}/{model}"
    for rates in (params, as_object(entry.get("model_info"))):
        prices = {rate: f"{Decimal(str(rates[rate])):f}" for rate in RATES if _is_number(rates.get(rate))}
        if prices:
            found.prices.setdefault(target, {}).update(prices)
    base = as_object(entry.get("model_info")).get("base_model")
    if isinstance(base, str):
        plain = base.removeprefix(f"{provider}/")
        if find_model(provider, plain) or find_model(WITH_ADDRESS, plain.removeprefix(f"{WITH_ADDRESS}/")):
            found.base_models[target] = plain
        else:
            found.differ(f"{place} ({name})", f"base_model {base} has no price here; give it one in [prices]")
    _target(found, name, target, params)
    for unknown in sorted(set(params) - TAKEN):
        found.differ(f"{place} ({name}): {unknown}", OF_DEPLOYMENTS.get(unknown, NO_COUNTERPART))


def _target(found: Import, name: str, target: str, params: JSON) -> None:
    route = found.routes.setdefault(name, {"targets": []})
    made: JSON = {"model": target}
    if _is_number(params.get("weight")):
        made["weight"] = float(params["weight"])
    if _is_number(params.get("timeout")):
        made["timeout_s"] = min(890.0, float(params["timeout"]))
    if _is_number(params.get("stream_timeout")):
        made["first_byte_timeout_s"] = min(890.0, float(params["stream_timeout"]))
    if isinstance(params.get("max_retries"), int):
        route["retries"] = max(route.get("retries", 0), min(10, params["max_retries"]))
    if made not in route["targets"]:
        route["targets"].append(made)


def _provider_and_model(params: JSON) -> tuple[str, str]:
    """An empty provider where nothing says whose the model is."""
    written = str(params.get("model", ""))
    named = params.get("custom_llm_provider")
    prefix, slash, rest = written.partition("/")
    prefix = OTHERWISE_CALLED.get(prefix, prefix)
    if named:
        return OTHERWISE_CALLED.get(str(named), str(named)), rest if slash and prefix == named else written
    if slash and prefix in NAMES:
        return prefix, rest
    if params.get("api_base") and not slash:
        return WITH_ADDRESS, written
    if slash:
        return prefix, rest
    return next((provider for provider in GUESSED if find_model(provider, written)), ""), written


def _account(found: Import, place: str, provider: str, params: JSON) -> str:
    """The provider itself, or an account of it where the deployment has an address, a region or a key of its own."""
    prefix = provider.upper().replace("-", "_")
    key, base, usual = params.get("api_key"), params.get("api_base"), f"{prefix}_API_KEY"
    settings: dict[str, str] = {}
    needs: dict[str, str] = {}
    if isinstance(base, str) and base.startswith(FROM_ENVIRONMENT):
        needs["BASE_URL"] = "$" + base.removeprefix(FROM_ENVIRONMENT)
    elif isinstance(base, str) and base:
        settings["BASE_URL"] = base
    for name, variable in SETTINGS.items():
        if isinstance(params.get(name), str) and not params[name].startswith(FROM_ENVIRONMENT):
            settings[variable] = params[name]
    if isinstance(key, str) and key.startswith(FROM_ENVIRONMENT) and key != FROM_ENVIRONMENT + usual:
        needs["API_KEY"] = "$" + key.removeprefix(FROM_ENVIRONMENT)
    elif isinstance(key, str) and key and not key.startswith(FROM_ENVIRONMENT):
        needs["API_KEY"] = f"the api_key of {place}, which is not copied"
    if not settings and set(needs) <= {"API_KEY"} and found.variables.get(usual, needs.get("API_KEY")) == needs.get("API_KEY"):
        if needs:
            found.variables[usual] = needs["API_KEY"]
        return provider
    made: JSON = {"provider": provider, **({"settings": settings} if settings else {})}
    if "API_KEY" not in needs and (key or get(provider).auth.signs_as):
        made["shares_credentials"] = True
    for other, account in found.accounts.items():
        own = {variable: found.variables.get(f"{other.upper()}_{variable}") for variable in needs}
        if account == made and own == needs:
            return other
    name = f"{provider.replace('-', '_')}_{sum(each['provider'] == provider for each in found.accounts.values()) + 2}"
    found.accounts[name] = made
    found.variables |= {f"{name.upper()}_{variable}": where for variable, where in needs.items()}
    return name


def _router(found: Import, config: JSON) -> None:
    router, general = as_object(config.get("router_settings")), as_object(config.get("litellm_settings"))
    for kind in FALLBACKS:
        for entry in (*as_list(router.get(kind)), *as_list(general.get(kind))):
            for name, targets in as_object(entry).items():
                _fallback(found, kind, name, [str(target) for target in as_list(targets) if isinstance(target, str)])
    if isinstance(general.get("default_fallbacks"), list):
        found.defaults["fallbacks"] = list(_targets(found, [str(name) for name in general["default_fallbacks"]]))
    retries = router.get("num_retries", general.get("num_retries"))
    if isinstance(retries, int):
        found.defaults["retries"] = min(10, retries)
    timeout = router.get("timeout", general.get("request_timeout"))
    if _is_number(timeout):
        found.defaults["timeout_s"] = min(890.0, float(timeout))
    strategy = router.get("routing_strategy")
    if strategy is not None:
        if strategy in STRATEGIES:
            found.defaults["strategy"] = STRATEGIES[strategy]
        if STRATEGIES.get(strategy, "weighted") == "weighted" and strategy != "simple-shuffle":
            found.differ("router_settings.routing_strategy", f"{strategy} has no counterpart; targets are taken by weight")
    for alias, named in as_object(router.get("model_group_alias")).items():
        group = named.get("model") if isinstance(named, dict) else named
        if group in found.routes:
            found.routes[str(alias)] = dict(found.routes[group])
        else:
            found.differ(f"router_settings.model_group_alias.{alias}", f"{group} is none of the models")
    if _is_number(router.get("cooldown_time")):
        found.health["rest_s"] = min(3_600.0, float(router["cooldown_time"]))
    if isinstance(router.get("allowed_fails"), int):
        found.health["failures"] = min(1_000, router["allowed_fails"] + 1)
        found.differ("router_settings.allowed_fails", "failures in a row count here, not those of a minute")
    taken = {*FALLBACKS, "num_retries", "timeout", "routing_strategy", "model_group_alias", "cooldown_time", "allowed_fails"}
    for name in router:
        if name not in taken:
            found.differ(f"router_settings.{name}", NO_COUNTERPART)


def _fallback(found: Import, kind: str, name: str, targets: list[str]) -> None:
    made = list(_targets(found, targets))
    if name == "*":
        found.defaults[kind] = made
    elif name in found.routes:
        found.routes[name][kind] = made
    else:
        found.differ(f"{kind}.{name}", "is none of the models")


def _targets(found: Import, names: list[str]) -> Iterator[str]:
    """The models behind LiteLLM's names: a fallback here is a model, not a name of one's own."""
    for name in names:
        if name in found.routes:
            yield from (target["model"] for target in found.routes[name]["targets"])
        elif "/" in name and name.partition("/")[0] in ONLINE:
            yield name
        else:
            found.differ(f"fallback {name}", "is none of the models")


def _drop_plain(found: Import) -> None:
    """A name that leads to itself alone needs no route."""
    for name, route in list(found.routes.items()):
        if route == {"targets": [{"model": name}]}:
            del found.routes[name]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _text(value: str) -> str:
    """A string as TOML takes it: JSON's form, but that TOML has no surrogates and no escaped slash."""
    return re.sub("\x7f", r"\\u007F", json.dumps(value, ensure_ascii=False))


def _value(value: object) -> str:
    if isinstance(value, dict):
        return _inline(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _inline(table: Mapping[str, object]) -> str:
    return f"{{ {', '.join(f'{name} = {_value(value)}' for name, value in table.items())} }}"


def _pairs(table: Mapping[str, object]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in table.items()]
