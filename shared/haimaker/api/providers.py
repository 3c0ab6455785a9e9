"""Providers as people see them: which are on and by which variable, how their calls went, whether they take their credentials.

GET  /providers                 those that are on, with their calls of the last `hours`; with `all=true` those that are off too
POST /providers/test            asks one whether it takes its credentials, which costs nothing
POST /providers/credentials     sets one of the variables that let the gateway in, never an address; its value is shown nowhere

Names of variables are shown, their values and the providers' addresses never are. A stack's credentials are in SSM, to which this
may add where the deployer says so; its calls are counted in CloudWatch.
"""

import time
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, cast

from haimaker.accounts.errors import check_usable, require_admin, require_reader
from haimaker.api import audit
from haimaker.api.account_admin import read_flag, to_iso_time, whole_number
from haimaker.api.account_filters import check_known
from haimaker.credentials.sources import EditableCredentials, StaticCredentials
from haimaker.http.errors import BadRequestError, NotFoundError, missing_parameter
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request
from haimaker.observability import provider_calls
from haimaker.observability.provider_calls import HOUR_S, Calls, percentile
from haimaker.providers.provider import Provider
from haimaker.providers.registry import INDEX, NAMES, ONLINE, get
from haimaker.store import Account
from haimaker.validation.settings import SettingsError

if TYPE_CHECKING:
    from haimaker.services import Services

PARAMETERS = ("hours", "all")
USUAL_HOURS, MAX_HOURS = 24, 31 * 24
FAILS_OFTEN = 0.05
MEANINGS: Mapping[str, str] = {
    "provider_auth_failed": "It refuses the gateway's credentials.",
    "provider_timeout": "It did not answer in time.",
    "provider_unreachable": "It could not be reached.",
    "provider_connection_lost": "It closed the connection before its answer was complete.",
    "invalid_provider_response": "Its answer could not be understood.",
    "stream_interrupted": "Its stream ended before the answer was complete.",
    "insufficient_quota": "Its account has no credit left.",
    "overloaded": "It is overloaded.",
}
BY_STATUS: Mapping[int, str] = {
    402: "Its account has no credit left.",
    404: "It does not have this model.",
    429: "It limits how much may be asked, or its account has no credit left.",
    503: "It is not available.",
}


def list_providers(services: "Services", caller: Account, request: Request) -> JSON:
    """Raises BadRequestError, PermissionDeniedError."""
    check_usable(caller, time.time())
    require_reader(caller)
    check_known(request.query, PARAMETERS)
    hours = min(whole_number(request, "hours", USUAL_HOURS), MAX_HOURS)
    now_s, on = time.time(), services.runtime().clients.access
    if services.observer.provider_calls:
        services.observer.provider_calls.write()
    calls: dict[str, dict[str, dict[int, Calls]]] = {}
    for target, by_hour in provider_calls.read(services.store.documents, now_s - hours * HOUR_S, now_s).items():
        calls.setdefault(target.partition("/")[0], {})[target] = by_hour
    open_circuits = services.runtime().clients.health.breaker.open_circuits(now_s)
    offline = [name for name in NAMES if services.settings.demo and name not in ONLINE]
    names = [*on, *offline, *(name for name in calls if name not in on and name not in offline)]
    if read_flag(request, "all"):
        names += [name for name in ONLINE if name not in names]
    shown: list[JSON] = []
    for name in names:
        health = _health(calls.get(name, {}), sorted(each for each in open_circuits if each.partition("/")[0] == name))
        shown.append({"provider": name, "on": name in on or name in offline, **_credential(services, name), **health})
    own = _own(services)
    return {
        "object": "list",
        "hours": hours,
        "takes_credentials": own is not None and own.takes,
        "counts_calls": services.observer.provider_calls is not None,
        "data": shown,
    }


def test_provider(services: "Services", caller: Account, request: Request) -> JSON:
    """Raises BadRequestError, NotFoundError, PermissionDeniedError."""
    from haimaker.upstream.probe import ask_provider

    name = _named(caller, request, "provider")
    clients = services.runtime().clients
    access = clients.access.get(name)
    if access is None:
        raise NotFoundError(f"The provider {name[:100]} is not on.", param="provider", code="provider_off")
    definition = get(name) if name in NAMES else services.settings.config.accounts[name].definition
    if definition.auth.signs_as and access.api_key is None and services.settings.providers_parameter:
        message = f"{name} goes by the roles of the functions that call it, which this one has not: ask it for something."
        return {"provider": name, "ok": False, "state": "limited", "message": message}
    said = ask_provider(definition, access, clients.http_client)
    return {"provider": name, "ok": said.state == "ok", "state": said.state, "message": f"{name} {said.message}"}


def put_credential(services: "Services", caller: Account, request: Request) -> JSON:
    """Raises BadRequestError, PermissionDeniedError."""
    variable = _named(caller, request, "variable")
    value = parse_json(request.body).get("value")
    provider = next((name for name in ONLINE if variable in credential_variables(get(name))), None)
    if provider is None:
        message = f"{variable[:100]} is no variable of a provider's credential. Addresses are set where the gateway is started."
        raise BadRequestError(message, param="variable", code="invalid_value")
    if not isinstance(value, str) or not value.strip():
        raise missing_parameter("value")
    own = _own(services)
    if own is None or not own.takes:
        message = "This gateway takes no credentials while it runs. In a stack TakeCredentials=true lets it."
        raise BadRequestError(message, code="credentials_fixed")
    own.current()  # what is set is known once they are read
    was_set = own.source_of(variable) is not None
    try:
        own.put(variable, value.strip())
    except SettingsError as error:
        raise BadRequestError(str(error), param="value", code="invalid_value") from None
    on = [name for name in ONLINE if name in own.current() and variable in credential_variables(get(name))]
    action = "updated" if was_set else "created"
    store = audit.AuditedStore(services.store)
    store.changes.append(audit.credential_change(variable, action))
    events = audit.events_of(store, caller, "providers.put_credential", request)
    for event in events:
        services.observer.audit(event)
    audit.save_events(services.store, events)
    return {"variable": variable, "action": action, "on": on}


def credential_variables(provider: Provider) -> tuple[str, ...]:
    """The variables whose value is a key or a token, not those that are an address or name a file."""
    return (f"{provider.name.upper()}_API_KEY", *provider.auth.key_variables, *provider.auth.token_variables)


def _named(caller: Account, request: Request, field: str) -> str:
    """What an administrator's request names."""
    check_usable(caller, time.time())
    require_admin(caller)
    named = parse_json(request.body).get(field)
    if not isinstance(named, str) or not named:
        raise missing_parameter(field)
    return named


def _own(services: "Services") -> EditableCredentials | None:
    """The gateway's credentials, if it is known where they come from."""
    own = services.credentials
    return None if isinstance(own, StaticCredentials) else cast(EditableCredentials, own)


def _credential(services: "Services", name: str) -> JSON:
    """The variable that turns a provider on, and where it is set; else those that would, and the one that may be set here."""
    wanted = INDEX[name][1] if name in INDEX else (f"{name.upper()}_API_KEY",)
    own = _own(services)
    sources = {each: own.source_of(each) for each in wanted} if own else {}
    variable = next((each for each in wanted if sources.get(each)), None)
    takes = next((each for each in credential_variables(get(name)) if each in wanted), None) if name in ONLINE else None
    return {"variable": variable, "from": sources.get(variable or ""), "variables": list(wanted), "credential": takes}


def _health(targets: Mapping[str, Mapping[int, Calls]], resting: list[str]) -> JSON:
    hours: dict[int, Calls] = {}
    for by_hour in targets.values():
        for at_s, calls in by_hour.items():
            hours[at_s] = hours.get(at_s, Calls()).plus(calls)
    whole = _sum(hours.values())
    state = "unused" if not whole.attempts else "failing" if whole.failures > FAILS_OFTEN * whole.attempts else "ok"
    return {
        "health": "resting" if resting else state,
        "resting": resting,
        **_amounts(whole),
        "last_error": _error(whole),
        "by_hour": [{"at": to_iso_time(at_s), **_amounts(hours[at_s])} for at_s in sorted(hours)],
        "models": [_model(target, by_hour.values()) for target, by_hour in sorted(targets.items())],
    }


def _model(target: str, calls: Iterable[Calls]) -> JSON:
    whole = _sum(calls)
    return {"target": target, **_amounts(whole), "last_error": _error(whole)}


def _sum(calls: Iterable[Calls]) -> Calls:
    return reduce(Calls.plus, calls, Calls())


def _amounts(calls: Calls) -> JSON:
    return {
        "attempts": calls.attempts,
        "failures": calls.failures,
        "duration_p50_ms": percentile(calls.duration_ms, 0.5),
        "duration_p95_ms": percentile(calls.duration_ms, 0.95),
        "first_byte_p50_ms": percentile(calls.first_byte_ms, 0.5),
        "first_byte_p95_ms": percentile(calls.first_byte_ms, 0.95),
    }


def _error(calls: Calls) -> JSON | None:
    if calls.last_error is None:
        return None
    code, status, at_s = calls.last_error
    meaning = MEANINGS.get(code) or BY_STATUS.get(status) or f"It answered with status {status}."
    return {"code": code, "status": status, "at": to_iso_time(at_s), "message": meaning}
