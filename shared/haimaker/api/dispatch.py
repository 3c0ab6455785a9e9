"""What the gateway can be asked besides what models serve, by the names that `paths.py` gives: a table, and how each is answered.

Modules that only some operations need are imported when these are first asked for.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from haimaker.accounts import keys as auth
from haimaker.accounts.errors import check_usable
from haimaker.api import uploads
from haimaker.http.errors import AuthenticationError, BadRequestError, NotFoundError
from haimaker.http.responses import json_response
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request, Response
from haimaker.lean_dataclasses import replace
from haimaker.models.table import current_table
from haimaker.providers.registry import all_providers
from haimaker.routing.router import Router

if TYPE_CHECKING:
    from haimaker.links.local import LocalLinkStore
    from haimaker.services import Services
    from haimaker.store import Account

Handler = Callable[["Services", Request], Response]

HUB_LASTS_S = 300
SIGN_IN = frozenset({"sign_in", "sign_in_callback", "sign_in_session", "sign_out"})
KEYLESS = SIGN_IN | {
    "index", "metrics", "openapi", "docs", "health", "console", "models_hub", "link_read", "link_write", "responses_socket"
}  # fmt: skip
"""Operations that need no key."""
READS_MUCH = frozenset({
    "key_list", "team_show", "end_user_show", "spend_logs", "spend_report", "spend_keys", "audit_list", "refusals_list",
    "providers_list", "batches_overview", "auto_router_list", "models_list", "gemini_models_list", "models_hub",
})  # fmt: skip
"""Operations whose answers are long, or made of much that is kept: others are to be answered beside them."""
TELLS_PRICES = frozenset({"health", "models_list", "models_retrieve", "models_hub", "spend_calculate", "route_simulate"})
"""Operations whose functions run nothing after an answer: newer ones are asked for before it."""


def _health(services: "Services", request: Request) -> Response:
    table = current_table()
    prices = {"date": table.date, "outdated": table.is_outdated(datetime.now(UTC).date())}
    return json_response({"status": "ok", "prices": prices})


def _caller(services: "Services", request: Request) -> "Account":
    """The account of a request's key, or of who is signed in to the console that it comes from. What generates or is charged asks
    for a key itself. Raises APIError."""
    if services.settings.config.sign_in and "cookie" in request.headers and not auth.has_key(request.headers):
        from haimaker.api import sign_in

        if sign_in.has_session(request):
            return sign_in.account_of(services, request)
    return services.accounts.authenticate(request.headers, fresh=True)


def _models_handler(name: str) -> Handler:
    """A handler that lists models in the client's shape: for the stable version of its API Google's SDK asks at OpenAI's path."""

    def handle(services: "Services", request: Request) -> Response:
        from haimaker.api import models

        if "x-goog-api-key" in request.headers:
            return _google_models_handler(name)(services, request)
        return _models_of(services, request, getattr(models, name))

    return handle


def _models_of(services: "Services", request: Request, answer: Callable[..., JSON]) -> Response:
    billed = services.accounts.billed_accounts(_caller(services, request))
    router = services.runtime().router
    account = replace(billed.key, models=billed.allowed_models(router.full_name))
    return json_response(answer(router, account, request))


def _refusals(services: "Services", request: Request) -> Response:
    from haimaker.api.refusals import list_refusals

    account = _caller(services, request)
    services.refusals.write()
    return json_response(list_refusals(services.store, account, request))


def _content(services: "Services", request: Request) -> Response:
    from haimaker.api.content import show_content

    account = _caller(services, request)
    return json_response(show_content(services, account, request, time.time()))


def _openapi(services: "Services", request: Request) -> Response:
    """Describes the API to anybody: it says nothing of what is kept or configured."""
    from haimaker.api import openapi

    return json_response(openapi.document(services.settings.version))


def _docs(services: "Services", request: Request) -> Response:
    from haimaker.api import openapi
    from haimaker.api.console import HEADERS

    headers = {**HEADERS, "content-type": "text/html; charset=utf-8", "cache-control": "no-cache"}
    return Response(200, headers, openapi.page(services.settings.version))


def _metrics(services: "Services", request: Request) -> Response:
    """Metrics for Prometheus, which has a token of its own: what collects metrics should hold no key."""
    from hmac import compare_digest

    from haimaker.observability.metrics import NAMESPACE
    from haimaker.observability.prometheus import CONTENT_TYPE

    settings, metrics = services.settings, services.observer.prometheus
    token = settings.metrics_token
    if settings.function_name:
        message = (
            f"A stack's metrics are in CloudWatch, in the namespace {NAMESPACE} with the dimension service={settings.service}: "
            "its functions run apart, and none knows what the others count."
        )
        raise NotFoundError(message, code="metrics_off")
    if not token or metrics is None:
        message = "This gateway shows no metrics: HAIMAKER_METRICS_TOKEN turns them on. A deployed stack has them in CloudWatch."
        raise NotFoundError(message, code="metrics_off")
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    is_it = compare_digest(sent.strip().encode("latin-1", "replace"), token.strip().encode())  # headers are bytes, read as Latin-1
    if not is_it or scheme.lower() != "bearer":
        raise AuthenticationError("Metrics are shown to who sends HAIMAKER_METRICS_TOKEN as a bearer token.")
    return Response(200, {"content-type": CONTENT_TYPE, "cache-control": "no-store"}, metrics.text())


def _models_hub(services: "Services", request: Request) -> Response:
    if not services.settings.public_models:
        raise NotFoundError("Unknown request URL: this gateway does not publish its models.", code="unknown_url")
    headers = {"content-type": "application/json", "cache-control": f"public, max-age={HUB_LASTS_S}"}
    runtime = services.runtime()
    if services.public_catalog is None or services.public_catalog[0] is not runtime:
        from haimaker.api import models

        services.public_catalog = runtime, dumps(models.public_models(runtime.router))
    return Response(200, headers, services.public_catalog[1])


def _calculate(services: "Services", request: Request) -> Response:
    """Prices are known of providers that are off as well, at their default locations."""
    from haimaker.api import calculate

    billed = services.accounts.billed_accounts(services.accounts.authenticate(request.headers, fresh=True))
    check_usable(billed.key, time.time())
    definitions = [*all_providers(), *(account.definition for account in services.settings.config.accounts.values())]
    places = {} if services.is_function else services.places()  # a stack's function for this may not read the credentials
    router = Router(services.settings.config, definitions, places)
    allowed = billed.allowed_models(router.full_name)
    return json_response(calculate.calculate_cost(router, allowed, request, services.settings.default_max_output_tokens))


def _index(services: "Services", request: Request) -> Response:
    """The page at `/`: a browser is led to the console, a program reads where things are."""
    where = {"console": "/console", "base_url": "/v1", "models": "/v1/models", "health": "/health"}
    answer = json_response({"haimaker": where})
    return Response(302, {**answer.headers, "location": "/console", "cache-control": "no-store"}, answer.body)


def _console(services: "Services", request: Request) -> Response:
    """The same for everybody: what it shows, it asks for with its reader's key."""
    from haimaker.api import console

    sign_in = services.settings.config.sign_in
    return console.serve(request, *((f"{sign_in.url}/sign-in", sign_in.name) if sign_in else ()))


def _module_handler(module: str, name: str) -> Handler:
    """An operation of a module of this package, which is imported when it is first asked for and does all itself."""

    def handle(services: "Services", request: Request) -> Response:
        act: Handler = getattr(import_module(f"haimaker.api.{module}"), name)
        return act(services, request)

    return handle


def _account_handler(module: str, name: str) -> Handler:
    """An operation on what the store keeps."""

    def handle(services: "Services", request: Request) -> Response:
        account = _caller(services, request)
        return json_response(getattr(import_module(f"haimaker.api.{module}"), name)(services.store, account, request))

    return handle


def _audited_handler(module: str, name: str, shown: str | None = None, *, warns: bool = False) -> Handler:
    """An operation that changes what the store keeps. Each change goes into the audit trail, also of one that then failed, with
    `shown` or else the module and the action as the name of the operation. A key that `warns` is told with what is likely a
    mistake in it."""

    def changing(services: "Services", request: Request) -> Response:
        from haimaker.api import audit

        account = _caller(services, request)
        store = audit.AuditedStore(services.store)
        act = getattr(import_module(f"haimaker.api.{module}"), name)
        try:
            result = act(store, account, request)
            if warns:
                from haimaker.api.key_warnings import with_warnings
                from haimaker.http.json import parse_json

                result = with_warnings(services.settings.config, result, parse_json(request.body))
            return json_response(result)
        finally:
            events = audit.events_of(store, account, f"{shown or module}.{request.path.get('action', name)}", request)
            for event in events:
                services.observer.audit(event)
            audit.save_events(services.store, events)

    return changing


def _planning_handler(module: str, name: str) -> Handler:
    """An operation that shows what routing decides."""

    def handle(services: "Services", request: Request) -> Response:
        account = _caller(services, request)
        act = getattr(import_module(f"haimaker.api.{module}"), name)
        return json_response(act(services.runtime().planner, services.accounts, account, request))

    return handle


def _managing_handler(module: str, name: str) -> Handler:
    """An operation on more than the store keeps, of whoever has a key or is signed in."""

    def handle(services: "Services", request: Request) -> Response:
        account = _caller(services, request)
        return json_response(getattr(import_module(f"haimaker.api.{module}"), name)(services, account, request))

    return handle


def _folder(services: "Services") -> "LocalLinkStore":
    """The local gateway's own files: who has a link to one needs no key."""
    from haimaker.links.local import LocalLinkStore

    return LocalLinkStore.from_settings(services.settings)


def _google_models_handler(name: str) -> Handler:
    def handle(services: "Services", request: Request) -> Response:
        from haimaker.api.formats import gemini_models

        return _models_of(services, request, getattr(gemini_models, name))

    return handle


def _google_tokens(services: "Services", request: Request) -> Response:
    from haimaker.api.count_tokens import count_tokens
    from haimaker.api.formats import gemini

    return json_response({"totalTokens": count_tokens(services, request, gemini.parse_prompt)})


def _google_unserved(services: "Services", request: Request) -> Response:
    """What else Google's API does with a model."""
    services.accounts.authenticate(request.headers, fresh=True)
    name = request.path.get("id", "")[:200]
    raise NotFoundError(f"This gateway has no action {name!r} of Google's.", code="unknown_url")


def _token_count_handler(operation: str, **fields: str) -> Handler:
    def handle(services: "Services", request: Request) -> Response:
        from haimaker.api import formats
        from haimaker.api.count_tokens import count_tokens

        return json_response({**fields, "input_tokens": count_tokens(services, request, formats.find(operation).parse)})

    return handle


def _no_socket(services: "Services", request: Request) -> Response:
    """Clients try a WebSocket first, and fall back at once to the ordinary way where they are told so."""
    message = "This gateway has no WebSocket: send POST /v1/responses."
    raise BadRequestError(message, status=426, code="websocket_not_supported", headers={"upgrade": "HTTP/1.1"})


_CHANGES: Mapping[str, Handler] = {
    "key_generate": _audited_handler("keys", "generate", warns=True),
    "key_update": _audited_handler("keys", "update", warns=True),
    "key_block": _audited_handler("keys", "block"),
    "key_unblock": _audited_handler("keys", "unblock"),
    "key_delete": _audited_handler("keys", "delete"),
    "key_regenerate": _audited_handler("keys", "regenerate"),
    "key_import": _audited_handler("imports", "import_accounts"),
    "team_change": _audited_handler("accounts", "change_team", "teams"),
    "end_user_change": _audited_handler("accounts", "change_end_user", "customers"),
    "auto_router_new": _audited_handler("auto_routers", "new"),
    "auto_router_update": _audited_handler("auto_routers", "update"),
    "auto_router_delete": _audited_handler("auto_routers", "delete"),
    "auto_router_rule": _audited_handler("auto_routers", "put_rule"),
    "auto_router_rule_delete": _audited_handler("auto_routers", "delete_rule"),
    "auto_router_reorder": _audited_handler("auto_routers", "reorder"),
}
CHANGING = frozenset(_CHANGES)
"""Operations that change what the store keeps."""

HANDLERS: Mapping[str, Handler] = {
    **_CHANGES,
    "messages_count_tokens": _token_count_handler("messages"),
    "responses_input_tokens": _token_count_handler("responses", object="response.input_tokens"),
    "responses_socket": _no_socket,
    "responses_retrieve": _module_handler("stored_responses", "retrieve"),
    "responses_delete": _module_handler("stored_responses", "delete"),
    "responses_cancel": _module_handler("stored_responses", "cancel"),
    "responses_input_items": _module_handler("stored_responses", "input_items"),
    "audio_uploads": lambda services, request: json_response(uploads.create_upload(services, request)),
    "files_create": _module_handler("files", "create"),
    "files_list": _module_handler("files", "list_files"),
    "files_retrieve": _module_handler("files", "retrieve"),
    "files_content": _module_handler("files", "content"),
    "files_delete": _module_handler("files", "delete"),
    "uploads_create": _module_handler("file_uploads", "create"),
    "uploads_add_part": _module_handler("file_uploads", "add_part"),
    "uploads_complete": _module_handler("file_uploads", "complete"),
    "uploads_cancel": _module_handler("file_uploads", "cancel"),
    "batches_overview": _managing_handler("batch_overview", "list_batches"),
    "batches_overview_cancel": _managing_handler("batch_overview", "cancel_batch"),
    "batches_create": _module_handler("batches", "create"),
    "batches_list": _module_handler("batches", "list_batches"),
    "batches_retrieve": _module_handler("batches", "retrieve"),
    "batches_cancel": _module_handler("batches", "cancel"),
    "messages_batches_create": _module_handler("message_batches", "create"),
    "messages_batches_list": _module_handler("message_batches", "list_batches"),
    "messages_batches_retrieve": _module_handler("message_batches", "retrieve"),
    "messages_batches_cancel": _module_handler("message_batches", "cancel"),
    "messages_batches_delete": _module_handler("message_batches", "delete"),
    "messages_batches_results": _module_handler("message_batches", "results"),
    "models_list": _models_handler("list_models"),
    "models_retrieve": _models_handler("get_model"),
    "models_hub": _models_hub,
    "gemini_count_tokens": _google_tokens,
    "gemini_unserved": _google_unserved,
    "gemini_models_list": _google_models_handler("list_models"),
    "gemini_models_retrieve": _google_models_handler("get_model"),
    "key_info": _account_handler("keys", "info"),
    "key_list": _account_handler("keys", "list_keys"),
    "team_show": _account_handler("accounts", "show_team"),
    "end_user_show": _account_handler("accounts", "show_end_user"),
    "spend_logs": _account_handler("spend", "logs"),
    "spend_report": _account_handler("spend", "report"),
    "spend_keys": _account_handler("spend", "by_key"),
    "spend_calculate": _calculate,
    "generation": _account_handler("spend", "generation"),
    "route_simulate": _planning_handler("simulate", "simulate_request"),
    "auto_router_list": _account_handler("auto_routers", "list_routers"),
    "auto_router_info": _account_handler("auto_routers", "info"),
    "auto_router_simulate": _planning_handler("auto_routers", "simulate"),
    "audit_list": _account_handler("audit", "list_events"),
    "refusals_list": _refusals,
    "generation_content": _content,
    "providers_list": _managing_handler("providers", "list_providers"),
    "providers_test": _managing_handler("providers", "test_provider"),
    "providers_credentials": _managing_handler("providers", "put_credential"),
    "link_read": lambda services, request: _folder(services).serve(request),
    "link_write": lambda services, request: _folder(services).receive(request),
    "sign_in": _module_handler("sign_in", "begin"),
    "sign_in_callback": _module_handler("sign_in", "callback"),
    "sign_in_session": _module_handler("sign_in", "show_session"),
    "sign_out": _module_handler("sign_in", "sign_out"),
    "index": _index,
    "metrics": _metrics,
    "openapi": _openapi,
    "docs": _docs,
    "console": _console,
    "health": _health,
}
