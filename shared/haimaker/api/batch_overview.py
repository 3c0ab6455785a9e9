"""Batches of others, for who may see them: an administrator, a viewer, a team's administrator, with a key or signed in.

GET  /batch/list          those of `key`, or of `team_id`; else of the team that one leads; else all that have not ended
POST /batch/{id}/cancel   one that has not ended; told in the audit trail

A key sees its own at /v1/batches, where no session counts.
"""

import time
from typing import TYPE_CHECKING

from haimaker.accounts.errors import check_usable, leads, may_see, require_reader, sees_all
from haimaker.accounts.kinds import TEAM
from haimaker.api import audit, batches
from haimaker.api.account_admin import get_account
from haimaker.api.account_filters import check_known
from haimaker.api.keys import account_id_for
from haimaker.api.paging import read_page, to_list
from haimaker.batches import Batch, BatchDirectory
from haimaker.http.errors import NotFoundError, PermissionDeniedError
from haimaker.http.values import JSON, Request
from haimaker.store import Account, Store
from haimaker.stored_files import owner_of

if TYPE_CHECKING:
    from haimaker.services import Services

PARAMETERS = ("limit", "order", "after", "key", "team_id")
DEFAULT_LISTED, MOST_LISTED = 20, 100


def list_batches(services: "Services", caller: Account, request: Request) -> JSON:
    """The newest first. Raises BadRequestError, NotFoundError, PermissionDeniedError."""
    check_usable(caller, time.time())
    check_known(request.query, PARAMETERS)
    page, owner = read_page(request, DEFAULT_LISTED, MOST_LISTED), _asked_owner(services.store, caller, request)
    if owner is not None:
        found, more = BatchDirectory(services.store.documents).page(owner, page.after, page.limit)
        return to_list([_to_json(batch) for batch in found], has_more=more)
    opened = [batch for batch in reversed(_directory(services).open()) if page.after is None or batch.id < page.after]
    service = batches.batch_service(services)
    return to_list([_to_json(service.with_progress(batch)) for batch in opened[: page.limit]], has_more=len(opened) > page.limit)


def cancel_batch(services: "Services", caller: Account, request: Request) -> JSON:
    """Raises ConflictError, NotFoundError, PermissionDeniedError."""
    check_usable(caller, time.time())
    batch = next((each for each in _directory(services).open() if each.id == request.path["id"]), None)
    if caller.role != "admin" and not (batch and _leads(caller, batch.owner)):
        raise PermissionDeniedError(
            "Others' batches are cancelled by administrators, and by those of their team.", code="admin_only"
        )
    if batch is None:
        raise NotFoundError("There is no such batch, or it has ended.", param="id", code="batch_not_found")
    cancelled = batches.cancel_batch(services, batch)
    store = audit.AuditedStore(services.store)
    store.changes.append(audit.batch_change(batch.id, batch.status, cancelled.status))
    events = audit.events_of(store, caller, "batches.cancel", request)
    for event in events:
        services.observer.audit(event)
    audit.save_events(services.store, events)
    return _to_json(cancelled)


def _asked_owner(store: Store, caller: Account, request: Request) -> str | None:
    """The owner whose batches are asked for; None for all of them."""
    team_id = request.query.get("team_id") or (None if sees_all(caller) or request.query.get("key") else caller.team_id)
    if team_id:
        if not leads(caller, team_id):
            require_reader(caller)
        return TEAM.account_id(team_id)
    if request.query.get("key"):
        account = get_account(store, account_id_for(request.query["key"])).account
        if not may_see(caller, account):
            require_reader(caller)
        return owner_of(account)
    require_reader(caller)
    return None


def _leads(caller: Account, owner: str) -> bool:
    return leads(caller, caller.team_id) and owner == TEAM.account_id(caller.team_id or "")


def _directory(services: "Services") -> BatchDirectory:
    return batches.batch_service(services).directory


def _to_json(batch: Batch) -> JSON:
    """A batch with its team and its key."""
    kind, _, name = batch.owner.partition("#")
    token_id = str(batch.body["account_id"]).partition("#")[2]
    return {**batches.to_json(batch), "team_id": name if kind == TEAM.name else None, "token_id": token_id}
