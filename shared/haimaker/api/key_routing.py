"""Checks the routing that an administrator gives a key. Imported when a key with routing is made or changed."""

from haimaker.http.errors import BadRequestError, NotFoundError
from haimaker.routing.auto_service import ROUTER_DOCUMENTS
from haimaker.routing.request_options import KEY_FIELDS, preferences_from_fields
from haimaker.store import Account, Store


def validate_routing(store: Store, account: Account) -> Account:
    """Returns the account if its `router_settings` and `auto_router_id` are valid. Raises BadRequestError, NotFoundError."""
    settings = account.routing.get("router_settings") or {}
    for name in settings.keys() - KEY_FIELDS:
        known = ", ".join(sorted(KEY_FIELDS))
        message = f"Unknown parameter: 'router_settings.{name}'. There are {known}."
        raise BadRequestError(message[:500], param=f"router_settings.{name}"[:200], code="unknown_parameter")
    preferences_from_fields(settings)
    router_id = account.routing.get("auto_router_id")
    if router_id and store.documents.get(ROUTER_DOCUMENTS, router_id) is None:
        raise NotFoundError("There is no such router.", param="auto_router_id", code="router_not_found")
    return account
