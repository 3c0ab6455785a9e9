"""Who may sign in to the console by an identity provider, and as what: `[sign_in]` of gateway.toml, and its rules over the claims
of an ID token.

https://openid.net/specs/openid-connect-core-1_0.html#IDToken
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from haimaker.validation.settings import SettingsError, validate_url
from haimaker.validation.toml_table import TomlTable

if TYPE_CHECKING:
    from haimaker.store import Role

ROLES: tuple["Role", ...] = ("admin", "viewer", "team_admin")
USUAL_SCOPES = ("openid", "email", "profile")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EMAIL, EMAIL_VERIFIED = "email", "email_verified"


class RoleRule(NamedTuple):
    """The role of people whose claim has this value; a claim that is a list has it as one of its items."""

    claim: str
    value: str
    role: "Role"
    team_id: str | None = None
    """Which team a team's administrator administers."""


class SignInSettings(NamedTuple):
    """An identity provider, and what its people may do here."""

    issuer: str
    """Exactly as the provider writes it."""
    client_id: str
    url: str
    """Where browsers reach the gateway."""
    rules: tuple[RoleRule, ...]
    """The first that fits counts; whom none fits may not sign in."""
    name: str = "SSO"
    """How the console's button calls the provider."""
    scopes: tuple[str, ...] = USUAL_SCOPES
    hours: float = 8.0
    """How long a session lasts."""

    @property
    def redirect_uri(self) -> str:
        return f"{self.url}/sign-in/callback"


def read_sign_in(table: TomlTable) -> SignInSettings:
    """Raises TomlError."""
    issuer = _get_url(table, "issuer", "https://login.example.com", keep_slash=True)
    client_id, url = table.get_str("client_id", example="haimaker"), _get_url(table, "url", "https://llm.example.com")
    name = table.get_str("name", "SSO", pattern=r"\S(.{0,38}\S)?", example="Example SSO")
    scopes = table.get_strs("scopes", pattern=r"[\x21\x23-\x5b\x5d-\x7e]+", example="openid") or USUAL_SCOPES
    if "openid" not in scopes:
        raise table.error("scopes", "must have openid among them")
    hours = table.get_float("hours", 8.0, 24.0)
    return SignInSettings(issuer, client_id, url, tuple(table.get_tables("roles", _read_rule, least=1)), name, scopes, hours)


def _read_rule(table: TomlTable) -> RoleRule:
    claim, value = table.get_str("claim", example="groups"), table.get_str("value", example="platform")
    chosen = table.get_choice("role", ROLES, "")
    role = next(role for role in ROLES if role == chosen)
    team_id = table.get_str("team", example="growth") if "team" in table.own else None
    if (role == "team_admin") != (team_id is not None):
        raise table.error("team", "says which team a team_admin administers, and goes with no other role")
    return RoleRule(claim, value, role, team_id)


def _get_url(table: TomlTable, name: str, example: str, *, keep_slash: bool = False) -> str:
    """Over plain HTTP on this machine only."""
    text = table.get_str(name, example=example)
    try:
        url = validate_url(name, text, example)
    except SettingsError:
        raise table.error(name, f"must be a URL such as {example}") from None
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise table.error(name, "must begin with https:// unless it is on this machine")
    return text if keep_slash else url


def find_rule(claims: Mapping[str, object], rules: tuple[RoleRule, ...]) -> RoleRule | None:
    """The rule that says what somebody with these claims may do. An e-mail address counts only where the provider says that it is
    verified: elsewhere people can choose it."""
    for rule in rules:
        if rule.claim == EMAIL and claims.get(EMAIL_VERIFIED) is not True:
            continue
        value = _claim(claims, rule.claim)
        if value == rule.value or (isinstance(value, list) and rule.value in value):
            return rule
    return None


def _claim(claims: Mapping[str, object], name: str) -> object:
    """The claim of this name; else the one at this path of nested objects, such as Keycloak's `realm_access.roles`."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
