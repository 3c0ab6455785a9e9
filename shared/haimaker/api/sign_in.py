"""Signing in to the console by an identity provider, and the sessions that this makes.

GET  /sign-in            sends a browser to the identity provider
GET  /sign-in/callback   takes it back, makes a session of it and leads to the console
GET  /sign-in/session    who is signed in, and the token that its page sends with everything that it asks
POST /sign-in/out        ends the session

A session is a cookie that no script can read and a document of the store, found by the SHA-256 of the cookie's secret; it counts
together with the token in a header that no other page can send (https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html),
and only for operations that ask for `account_of`: none of those that generate. What its person may do is looked up in the rules of
gateway.toml each time, so that a rule that is gone ends its sessions.
"""

import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from html import escape
from typing import TYPE_CHECKING, Any

from haimaker.accounts.errors import check_usable, store_error
from haimaker.accounts.kinds import TEAM
from haimaker.accounts.oidc import Flow, IdentityProvider
from haimaker.accounts.sign_in import RoleRule, SignInSettings, find_rule
from haimaker.api import console
from haimaker.api.account_admin import to_iso_time
from haimaker.api.audit import AuditedStore, events_of, save_events, session_change
from haimaker.aws.client import AWSError
from haimaker.http.client import HTTPClient
from haimaker.http.errors import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    NotFoundError,
    PermissionDeniedError,
    ServiceUnavailableError,
)
from haimaker.http.responses import json_response
from haimaker.http.values import JSON, Request, Response
from haimaker.store import Account, Store, StoreUnavailable
from haimaker.store.documents import Document

if TYPE_CHECKING:
    from haimaker.services import Services

COOKIE = "__Host-haimaker"
"""The prefix keeps hosts of the same domain from setting it: https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie"""
CSRF_HEADER = "x-haimaker-csrf"
FLOW, SESSION = "flow", "session"
FLOW_S = 600
"""How long a sign-in may be under way."""
KIND = "sessions"
"""The kind of its documents."""
MAX_NAME = 200
NO_STORE = {"cache-control": "no-store"}


def begin(services: "Services", request: Request) -> Response:
    """Raises NotFoundError where nobody can sign in. It takes no parameter: where the way ends is for the settings to say."""
    flow = Flow.new()
    try:
        location = _provider(services).authorization_url(flow)
    except BadGatewayError as error:
        return _failure_page(services, request, error)
    cookie = _cookie(f"{FLOW}.{'.'.join(flow)}", FLOW_S, "Lax")  # since the provider's page leads back
    return Response(302, {"location": location, "set-cookie": cookie, "content-type": "text/plain", **NO_STORE}, b"")


def callback(services: "Services", request: Request) -> Response:
    """Raises NotFoundError where nobody can sign in."""
    settings = _settings(services)
    try:
        claims = _claims(services, settings, request)
        rule = find_rule(claims, settings.rules)
        if rule is None:
            message = "You are known, but no rule of this gateway lets you in. Ask its administrator."
            raise PermissionDeniedError(message, code="no_role")
        _check_team(services.store, rule, time.time())
        secret, person = _save_session(services.store, settings, claims, rule)
        _note(services, request, "sign_in", person)
    except StoreUnavailable as error:
        return _failure_page(services, request, store_error(error))
    except APIError as error:
        return _failure_page(services, request, error)
    cookie = _cookie(f"{SESSION}.{secret}", int(settings.hours * 3_600), "Strict")
    headers = {"location": f"{settings.url}/console", "set-cookie": cookie, "content-type": "text/plain", **NO_STORE}
    return Response(302, headers, b"")


def show_session(services: "Services", request: Request) -> Response:
    """`person` is None where nobody is signed in: the page asks this before it knows. Raises NotFoundError."""
    settings, secret = _settings(services), _value_of(request, SESSION)
    try:
        account = _account(services, settings, secret)
    except AuthenticationError:
        return _with(json_response({"person": None}), NO_STORE)
    person = {
        "key_alias": account.alias,
        "key_name": account.name,
        "role": account.role,
        "team_id": account.team_id,
        "expires": to_iso_time(account.expires_s),
    }
    return _with(json_response({"person": person, "csrf_token": _csrf_token(secret)}), NO_STORE)


def sign_out(services: "Services", request: Request) -> Response:
    """Raises AuthenticationError, NotFoundError."""
    person = account_of(services, request)
    services.store.documents.delete(KIND, _digest(_value_of(request, SESSION)))
    _note(services, request, "sign_out", person)
    return _with(json_response({"person": None}), {"set-cookie": _cookie("", 0, "Strict"), **NO_STORE})


def _note(services: "Services", request: Request, operation: str, person: Account) -> None:
    """Into the audit trail. Raises StoreUnavailable."""
    store = AuditedStore(services.store)
    store.changes.append(session_change(person, ends=operation == "sign_out"))
    events = events_of(store, person, operation, request)
    for event in events:
        services.observer.audit(event)
    save_events(services.store, events)


def has_session(request: Request) -> bool:
    """Whether a request brings a session's cookie and no key."""
    return COOKIE in request.headers.get("cookie", "")


def account_of(services: "Services", request: Request) -> Account:
    """The account of the person whose session a request brings. Raises AuthenticationError, NotFoundError."""
    settings, secret = _settings(services), _value_of(request, SESSION)
    account = _account(services, settings, secret)
    sent = request.headers.get(CSRF_HEADER, "")
    if not compare_digest(sent.encode(), _csrf_token(secret).encode()):
        message = f"A session counts only with its token in the header {CSRF_HEADER}, which the console sends."
        raise AuthenticationError(message, code="csrf_token_missing")
    return account


def _account(services: "Services", settings: SignInSettings, secret: str) -> Account:
    """Raises AuthenticationError."""
    now_s = time.time()
    document = services.store.documents.get(KIND, _digest(secret)) if secret else None
    found: Mapping[str, Any] = document.body if document else {}
    rule = next((each for each in settings.rules if [each.claim, each.value] == found.get("rule")), None)
    if rule is None or found["expires_s"] <= now_s or found["issuer"] != settings.issuer:
        raise AuthenticationError("Your session has ended. Sign in again.", code="session_ended")
    _check_team(services.store, rule, now_s)
    return _person(found, rule)


def _person(session: Mapping[str, Any], rule: RoleRule) -> Account:
    return Account(
        f"person#{_digest(session['issuer'] + ' ' + session['sub'])}",
        session["name"],
        session["created_s"],
        role=rule.role,
        alias=session["name"],
        team_id=rule.team_id,
        expires_s=session["expires_s"],
    )


def _check_team(store: Store, rule: RoleRule, now_s: float) -> None:
    """Raises AuthenticationError unless there is the team that the rule names, and it is not blocked."""
    if rule.team_id is None:
        return
    team = store.get(TEAM.account_id(rule.team_id))
    if team is None:
        raise AuthenticationError(f"The team {rule.team_id} does not exist.", code="team_not_found")
    check_usable(team.account, now_s)


def _claims(services: "Services", settings: SignInSettings, request: Request) -> Mapping[str, Any]:
    """Raises AuthenticationError, BadGatewayError, PermissionDeniedError."""
    asked = request.query
    parts = _value_of(request, FLOW).split(".")
    flow = Flow(*parts) if len(parts) == len(Flow._fields) and all(parts) else None
    if flow is None or not compare_digest(asked.get("state", "").encode(), flow.state.encode()):
        message = "This sign-in was not begun in this browser, or took more than ten minutes. Sign in again."
        raise AuthenticationError(message, code="sign_in_expired")
    if asked.get("iss", settings.issuer) != settings.issuer:  # https://www.rfc-editor.org/rfc/rfc9207
        raise AuthenticationError("The answer is another identity provider's.", code="id_token_invalid")
    if asked.get("error"):
        raise PermissionDeniedError("The identity provider did not let you in.", code="sign_in_denied")
    if not asked.get("code"):
        raise AuthenticationError("The identity provider sent no code. Sign in again.", code="sign_in_expired")
    return _provider(services).redeem(asked["code"], flow)


def _save_session(store: Store, settings: SignInSettings, claims: Mapping[str, Any], rule: RoleRule) -> tuple[str, Account]:
    """The secret of a new session, and whose it is; those that have ended are swept out. Raises StoreUnavailable."""
    now_s = int(time.time())
    for document in store.documents.all(KIND):
        if document.body["expires_s"] <= now_s:
            store.documents.delete(KIND, document.name)
    secret = secrets.token_urlsafe(32)
    body: JSON = {
        "issuer": settings.issuer,
        "sub": claims["sub"],
        "name": _name_of(claims),
        "rule": [rule.claim, rule.value],
        "created_s": now_s,
        "expires_s": now_s + int(settings.hours * 3_600),
    }
    store.documents.put(KIND, Document(_digest(secret), body, 0))
    return secret, _person(body, rule)


def _name_of(claims: Mapping[str, Any]) -> str:
    """What people know somebody by."""
    named = (claims.get(name) for name in ("email", "preferred_username", "name", "sub"))
    return next(name for name in named if isinstance(name, str) and name)[:MAX_NAME]


def _settings(services: "Services") -> SignInSettings:
    settings = services.settings.config.sign_in
    if settings is None:
        raise NotFoundError("This gateway has no sign-in: [sign_in] in gateway.toml turns it on.", code="sign_in_off")
    return settings


def _provider(services: "Services") -> IdentityProvider:
    """The identity provider, one for each process, which remembers what it says of itself."""
    found = services.identity_provider
    if found is None:
        settings, client = services.settings, HTTPClient(services.settings.proxies)
        services.identity_provider = found = IdentityProvider(
            _settings(services), lambda: _read_secret(services), client, checks_signatures=settings.checks_signatures
        )
    return found


def _read_secret(services: "Services") -> str:
    """Raises ServiceUnavailableError."""
    settings = services.settings
    if not settings.sign_in_parameter or settings.aws is None:
        return settings.sign_in_secret
    from haimaker.credentials.sources import read_parameters

    try:
        found = read_parameters([settings.sign_in_parameter], settings.aws, services.observer.access_denied)
    except AWSError as error:
        services.observer.error(f"{settings.sign_in_parameter} can't be read: {error}")
        message = "The gateway can't read its secret at the identity provider at the moment."
        raise ServiceUnavailableError(message, code="credentials_unavailable", headers={"retry-after": "2"}) from error
    return found.get(settings.sign_in_parameter, "").strip()


def _failure_page(services: "Services", request: Request, error: APIError) -> Response:
    """A page that says why signing in failed: a browser comes to it, not a program."""
    services.observer.denied("sign_in", request.id, error)
    address = escape(_settings(services).url)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        'initial-scale=1"><meta name="color-scheme" content="light dark"><title>Not signed in · haimaker console</title>'
        f'<link rel="stylesheet" href="{address}/console/{console.files().version}/console.css"></head><body>'
        f'<main class="sign-in"><div class="form"><h1>Not signed in</h1><p class="notice bad">{escape(error.message)}</p>'
        f'<p><a href="{address}/console">Back to the console</a></p><small>Request {escape(request.id)}</small></div></main>'
        "</body></html>"
    )
    headers = {**console.HEADERS, "content-type": "text/html; charset=utf-8", "set-cookie": _cookie("", 0, "Lax"), **NO_STORE}
    return Response(error.status, headers, page.encode())


def _cookie(value: str, lasts_s: int, same_site: str) -> str:
    return f"{COOKIE}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; Secure; SameSite={same_site}"


def _value_of(request: Request, kind: str) -> str:
    """The cookie's value if it is of this kind, else nothing."""
    for pair in request.headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value.startswith(f"{kind}."):
            return value.removeprefix(f"{kind}.")
    return ""


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _csrf_token(secret: str) -> str:
    return _digest(f"csrf {secret}")


def _with(response: Response, headers: Mapping[str, str]) -> Response:
    return Response(response.status, {**response.headers, **headers}, response.body)
