"""POST /key/import: teams and keys that another gateway issued, by the SHA-256 of a key, with what they have spent.

A key goes on working with the secret that its users have. Such secrets are of another form than those that are issued here: the
store notes that it has some, and only then are keys of another form looked up. Fields are those of LiteLLM's tables
`LiteLLM_TeamTable` and `LiteLLM_VerificationToken`: https://github.com/BerriAI/litellm/blob/main/schema.prisma
"""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from haimaker.accounts import aliases
from haimaker.accounts.cache import IMPORTS
from haimaker.api import account_fields, keys
from haimaker.api.account_admin import apply_fields, check_admin
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.pricing.amounts import to_nanousd
from haimaker.store import NEVER_S, Account, Balance, Store
from haimaker.store.documents import Document
from haimaker.store.windows import window_end

MAX_ROWS = 500
TOKEN = re.compile(r"[0-9a-f]{64}")
OWN_FIELDS = ("token", "key_name", "spend", "budget_reset_at", "expires", "blocked")
SOURCE = "import"
"""The field in the metadata of what was imported."""


def import_accounts(store: Store, caller: Account, request: Request) -> JSON:
    """Teams first, since keys name them. What can't be taken is left out and told, the rest is imported. Raises BadRequestError,
    PermissionDeniedError."""
    check_admin(caller)
    body = parse_json(request.body)
    teams, rows = body.get("teams", []), body.get("keys", [])
    if not (isinstance(teams, list) and isinstance(rows, list) and 0 < len(teams) + len(rows) <= MAX_ROWS):
        message = f"'keys' and 'teams' are lists that have from 1 to {MAX_ROWS} entries together."
        raise BadRequestError(message, param="keys", code="invalid_value")
    imported: dict[str, list[str]] = {"teams": [], "keys": []}
    left_out: list[JSON] = []
    renamed: list[JSON] = []
    if rows and not store.documents.get(*IMPORTS):
        store.documents.put(IMPORTS[0], Document(IMPORTS[1], {"since": int(time.time())}, 0))
    for kind, found in (("teams", teams), ("keys", rows)):
        for number, row in enumerate(found):
            name = str(row.get("team_id" if kind == "teams" else "token")) if isinstance(row, dict) else f"number {number}"
            try:
                if not isinstance(row, dict):
                    raise BadRequestError("It is no object.")
                account = _team(row) if kind == "teams" else _key(store, row)
                spent = _spent(account, row)
                if store.get(account.id):
                    raise BadRequestError("It is here already.", code="exists")
                account = _with_own_alias(store, account)
                if not store.put(account, replace(spent, account=account)):
                    raise BadRequestError("It is here already.", code="exists")
            except APIError as error:
                left_out.append({"kind": kind, "id": name[:128], "param": error.param, "why": error.message})
            else:
                imported[kind].append(name)
                if spent.account.alias != account.alias:
                    renamed.append({"kind": kind, "id": name[:128], "from": spent.account.alias, "to": account.alias})
    return {"imported": imported, "left_out": left_out, "renamed": renamed}


def _with_own_alias(store: Store, account: Account) -> Account:
    """The account with its alias; if another has that, with the beginning of its id behind it: a key that is left out would be of
    no use to its people. Raises BadRequestError where that is another's too."""
    try:
        aliases.claim(store, account)
    except BadRequestError:
        name = account.id.partition("#")[2][:8]
        account = replace(account, alias=f"{(account.alias or '')[:100]} ({name})")
        aliases.claim(store, account)
    return account


def _team(row: Mapping[str, Any]) -> Account:
    now_s = time.time()
    fields = account_fields.parse({name: row[name] for name in row if name not in OWN_FIELDS}, account_fields.TeamFields)
    if not fields.team_id:
        raise BadRequestError("It has no team_id.", param="team_id")
    account = Account(f"team#{fields.team_id}", fields.team_id, int(now_s), blocked=row.get("blocked") is True)
    return replace(apply_fields(account, fields, now_s), team_id=None)


def _key(store: Store, row: Mapping[str, Any]) -> Account:
    now_s, token = time.time(), row.get("token")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise BadRequestError("It is no SHA-256 in 64 hexadecimal digits.", param="token")
    fields = account_fields.parse({name: row[name] for name in row if name not in OWN_FIELDS}, account_fields.KeyFields)
    if fields.model_fields_set & {"key", "keys", "role", "grace_period"}:
        raise BadRequestError("It has a field that no imported key has.", param="key")
    name = str(row.get("key_name") or f"{token[:8]}...")[:64]
    account = Account(f"key#{token}", name, int(now_s), blocked=row.get("blocked") is True)
    account = apply_fields(account, fields, now_s)
    expires_s = _moment_s(row, "expires") or account.expires_s
    return keys.validate(store, replace(account, expires_s=expires_s, metadata={**account.metadata, "source": SOURCE}))


def _spent(account: Account, row: Mapping[str, Any]) -> Balance:
    spend = row.get("spend") or 0
    if isinstance(spend, bool) or not isinstance(spend, int | float) or not 0 <= spend <= account_fields.MAX_BUDGET_USD:
        raise BadRequestError("It is no amount in USD.", param="spend")
    spent = to_nanousd(f"{spend:.9f}")
    ends = window_end(account.budget_window, time.time())
    if ends < NEVER_S:
        ends = _moment_s(row, "budget_reset_at") or ends
    return Balance(account, spent, 0, spent, ends)


def _moment_s(row: Mapping[str, Any], name: str) -> int | None:
    """Seconds of the epoch, of a moment as ISO 8601 has it; a moment without a zone is UTC, as PostgreSQL's are there."""
    said = row.get(name)
    if not said:
        return None
    try:
        moment = datetime.fromisoformat(said)
        return int((moment if moment.tzinfo else datetime.fromisoformat(f"{said}+00:00")).timestamp())
    except (TypeError, ValueError, OverflowError):
        raise BadRequestError("It is no moment.", param=name) from None
