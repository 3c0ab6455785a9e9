"""The audit trail: who changed what, when, with the values before and after, and GET /audit, which tells it.

A change is kept as a document of its UTC day, beside the accounts, and is a log line as well. No secret is in it: accounts hold
hashes, and of metadata it is only said that they were changed. Names are LiteLLM's where it has them
(https://docs.litellm.ai/docs/proxy/multiple_admins).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haimaker.accounts.aliases import CLAIMS
from haimaker.accounts.errors import check_usable, require_reader
from haimaker.api.account_admin import to_iso_time
from haimaker.api.account_filters import check_known
from haimaker.api.spend_filters import DateRange, Page
from haimaker.http.errors import invalid_value
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import fields
from haimaker.pricing.amounts import to_usd
from haimaker.store import NEVER_S, Account, Balance, ModelLimit, Store, ledger
from haimaker.store.documents import Document, Documents
from haimaker.store.totals import DAY_S, day_to_s, to_day

KIND = "audit "
"""The kind of its documents, before the UTC day."""
CONDITIONS = ("object_id", "changed_by_api_key", "action", "table_name")
ACTIONS = ("created", "updated", "deleted")
PARAMETERS = ("start_date", "end_date", "limit", "cursor", "order", "search", *CONDITIONS)
UNSAID = ("id", "version", "created_s", "carried_nanousd", "name")
CHANGED = "changed"
OPAQUE = ("metadata",)
"""Fields of which only that is said: people may keep anything in them."""


class AuditedStore:
    """A store that notes each change of an account or a document that is made through it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes: list[JSON] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def documents(self) -> "_AuditedDocuments":
        return _AuditedDocuments(self._store.documents, self.changes)

    def put(self, account: Account, spent_as: Balance | None = None) -> bool:
        return self._note(self._store.put(account, spent_as), "created", account.id, {}, _show_account(account), account.alias)

    def update(self, account: Account) -> bool:
        before = self._store.get(account.id)
        shown = _show_account(before.account) if before else {}
        return self._note(self._store.update(account), "updated", account.id, shown, _show_account(account), account.alias)

    def delete(self, account_id: str) -> bool:
        before = self._store.get(account_id)
        shown, alias = (_show_account(before.account), before.account.alias) if before else ({}, None)
        return self._note(self._store.delete(account_id), "deleted", account_id, shown, {}, alias)

    def _note(self, done: bool, action: str, object_id: str, before: JSON, after: JSON, name: str | None) -> bool:
        if done:
            self.changes.append(_change(action, object_id, name, before, after))
        return done


class _AuditedDocuments:
    def __init__(self, documents: Documents, changes: list[JSON]) -> None:
        self._documents, self._changes = documents, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def put(self, kind: str, document: Document) -> bool:
        if kind.startswith(CLAIMS):  # what they are for is told as the change of the account
            return self._documents.put(kind, document)
        before = self._documents.get(kind, document.name) if document.version else None
        done = self._documents.put(kind, document)
        if done:
            action = "updated" if before else "created"
            self._changes.append(_change(action, f"{kind}#{document.name}", None, before.body if before else {}, document.body))
        return done

    def delete(self, kind: str, name: str) -> bool:
        before = self._documents.get(kind, name)
        done = self._documents.delete(kind, name)
        if done:
            self._changes.append(_change("deleted", f"{kind}#{name}", None, before.body if before else {}, {}))
        return done


def events_of(store: AuditedStore, caller: Account, operation: str, request: Request) -> list[JSON]:
    """The changes that a request of `caller` made, in their order."""
    now_s = time.time()
    who = {"changed_by": caller.alias or caller.name, "changed_by_api_key": caller.id.partition("#")[2]}
    common = {"updated_at": to_iso_time(now_s), "operation": operation, "request_id": request.id, **who}
    return [
        {"id": ledger.sort_key(now_s, f"{request.id}-{number:04d}"), **common, **change}
        for number, change in enumerate(store.changes)
        if change["action"] != "updated" or change["updated_values"]
    ]


def credential_change(variable: str, action: str) -> JSON:
    """The change of a variable that holds a secret: only that it was set."""
    return _change(action, f"credential#{variable}", variable, {"value": None}, {"value": CHANGED})


def batch_change(batch_id: str, before: str, after: str) -> JSON:
    return _change("updated", f"batch#{batch_id}", None, {"status": before}, {"status": after})


def session_change(person: Account, *, ends: bool = False) -> JSON:
    """Somebody signs in, or out. The object is the person."""
    shown = {name: value for name in ("role", "team_id") if (value := getattr(person, name))}
    before, after = (shown, {}) if ends else ({}, shown)
    return _change("deleted" if ends else "created", f"session#{person.id.partition('#')[2]}", person.alias, before, after)


def save_events(store: Store, events: Sequence[JSON]) -> None:
    """Raises StoreUnavailable."""
    for event in events:
        store.documents.put(KIND + to_day(int(event["id"].partition("#")[0]) / 10**6), Document(event["id"], event, 0))


def list_events(store: Store, caller: Account, request: Request) -> JSON:
    """GET /audit: changes, the newest first, of the last 30 days or between `start_date` and `end_date`; of one object with
    `object_id`, by one key with `changed_by_api_key`, and with `search`, a part of what or who is named, or the beginning of an id.
    Raises BadRequestError, PermissionDeniedError."""
    check_usable(caller, time.time())
    require_reader(caller)
    check_known(request.query, PARAMETERS)
    page, span = Page.from_request(request), DateRange.from_request(request, time.time())
    if not page.newest_first:
        raise invalid_value("order", "'desc': changes are listed from the newest on")
    wanted = {name: value for name in CONDITIONS if (value := request.query.get(name))}
    if wanted.get("action", ACTIONS[0]) not in ACTIONS:
        raise invalid_value("action", f"one of {', '.join(ACTIONS)}")
    part = request.query.get("search", "").casefold()
    found: list[JSON] = []
    for event in _newest(store, span, page.cursor):
        if all(event[name] == value for name, value in wanted.items()) and _is_found(event, part):
            if len(found) == page.limit:
                return {"object": "list", "data": found, "has_more": True, "next_cursor": found[-1]["id"]}
            found.append(event)
    return {"object": "list", "data": found, "has_more": False, "next_cursor": None}


def _is_found(event: JSON, part: str) -> bool:
    named = (event["object_name"], event["changed_by"])
    return any(part in name.casefold() for name in named if name) or event["object_id"].casefold().startswith(part)


def _newest(store: Store, span: DateRange, cursor: str | None) -> Iterator[JSON]:
    since, until = ledger.sort_key(span.since_s), cursor or ledger.sort_key(span.until_s)
    first_day, last_day = span.days()
    if cursor:
        last_day = min(last_day, to_day(int(cursor.partition("#")[0]) / 10**6))
    moment_s = day_to_s(last_day)
    while moment_s >= day_to_s(first_day):
        after, more = until, True
        while more:
            documents, more = store.documents.page(KIND + to_day(moment_s), after, newest_first=True)
            for each in documents:
                if each.name < since:
                    return
                yield each.body
            after = documents[-1].name if documents else after
        moment_s -= DAY_S


def _change(action: str, object_id: str, name: str | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> JSON:
    """A change with the fields that differ."""
    names = [field for field in {**before, **after} if before.get(field) != after.get(field)]
    old, new = ({field: values.get(field) for field in names} for values in (before, after))
    for field in set(OPAQUE) & set(names):
        old[field], new[field] = None, CHANGED
    return {
        "action": action,
        "table_name": object_id.partition("#")[0],
        "object_id": object_id.partition("#")[2],
        "object_name": name,
        "before_value": old if before else {},
        "updated_values": new if after else {},
    }


def _show_account(account: Account) -> JSON:
    """The account as people know it: money in USD, moments in ISO 8601."""
    shown: JSON = {}
    for field in fields(account):
        value = getattr(account, field.name)
        if field.name in UNSAID or value in (None, (), {}, False, "user"):
            continue
        if field.name.endswith("_nanousd"):
            shown[field.name.removesuffix("_nanousd")] = to_usd(value)
        elif field.name == "model_limits":
            shown[field.name] = {model: _show_limit(limit) for model, limit in value.items()}
        elif field.name == "expires_s":
            shown |= {"expires": to_iso_time(value)} if value < NEVER_S else {}
        else:
            shown[field.name] = list(value) if isinstance(value, tuple) else value
    return shown


def _show_limit(limit: ModelLimit) -> JSON:
    said = {field.name: getattr(limit, field.name) for field in fields(limit)}
    said["budget"] = to_usd(said.pop("budget_nanousd"))
    return {name: value for name, value in said.items() if value is not None}
