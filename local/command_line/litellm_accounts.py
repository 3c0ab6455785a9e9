"""Rows of LiteLLM's tables of keys and teams, as PostgreSQL writes them as CSV, in the fields of `/key/import`. Pure.

https://github.com/BerriAI/litellm/blob/main/schema.prisma https://www.postgresql.org/docs/current/sql-copy.html
"""

import csv
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

JSON = dict[str, Any]
Read = Callable[[str], Any]

ALL_MODELS = ("all-proxy-models", "all-team-models")
NO_MODELS = "no-default-models"


class Table(NamedTuple):
    name: str
    id: str
    columns: Mapping[str, Read]
    """Those that are taken."""


def _list(text: str) -> list[str]:
    """An array of texts, `{a,"b c"}`. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO"""
    inner = text.strip().removeprefix("{").removesuffix("}")
    return next(csv.reader([inner], escapechar="\\"), []) if inner else []


def _flag(text: str) -> bool:
    return text.strip().lower() in ("t", "true", "1")


def _whole(text: str) -> int:
    return int(float(text))


_SHARED: Mapping[str, Read] = {
    "team_id": str,
    "spend": float,
    "max_budget": float,
    "budget_duration": str,
    "budget_reset_at": str,
    "models": _list,
    "rpm_limit": _whole,
    "tpm_limit": _whole,
    "max_parallel_requests": _whole,
    "blocked": _flag,
    "model_max_budget": json.loads,
    "metadata": json.loads,
}
KEYS = Table(
    "LiteLLM_VerificationToken",
    "token",
    {**_SHARED, "token": str, "key_name": str, "key_alias": str, "user_id": str, "expires": str, "aliases": json.loads},
)
TEAMS = Table("LiteLLM_TeamTable", "team_id", {**_SHARED, "team_alias": str})
KNOWN: Mapping[str, str] = {
    "permissions": "permissions of a key are its models and its role here",
    "allowed_routes": "routes of a key can't be restricted here",
    "budget_id": "budgets are fields of a key here; give it max_budget",
    "organization_id": "there are teams here, and no organizations",
    "members_with_roles": "members of a team are its keys here",
    "guardrails": "there are no guardrails here",
    "router_settings": "routes of a key are set anew: docs/routing.md",
    "config": "is not taken",
}
"""Columns that limit something, or lead it elsewhere."""


def convert(row: Mapping[str, str], table: Table, differences: list[str]) -> JSON:
    """The row's fields; what of it is not taken is added to `differences`."""
    found: JSON = {}
    place = f"{table.name} {(row.get(table.id) or '')[:12]}"
    for column, text in row.items():
        if column in KNOWN and text not in (None, "", "{}", "[]", "null"):
            differences.append(f"{place}: {column}: {KNOWN[column]}")
        if column not in table.columns or text in (None, ""):
            continue
        try:
            value = table.columns[column](text)
        except (ValueError, csv.Error):
            differences.append(f"{place}: {column} is not of its type, and left out")
            continue
        if value not in ({}, [], None):
            found[column] = value
    metadata = found.get("metadata")
    for name in ("model_rpm_limit", "model_tpm_limit"):  # LiteLLM keeps these there
        if isinstance(metadata, dict) and metadata.get(name):
            found[name] = metadata.pop(name)
    models = found.pop("models", [])
    if NO_MODELS in models:
        differences.append(f"{place}: {NO_MODELS}: it may use none, and is blocked here")
        found["blocked"] = True
    named = [model for model in models if model not in (*ALL_MODELS, NO_MODELS)]
    if named and not set(models) & set(ALL_MODELS):
        found["models"] = named
    return found
