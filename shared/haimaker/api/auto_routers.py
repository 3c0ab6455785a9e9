"""`/auto-router/…`: an administrator's definitions of routers, kept in the store; a key gets one by `auto_router_id`.

POST /auto-router/new                      a definition, see auto_rules.py
GET  /auto-router/list
GET  /auto-router/{id}/info
POST /auto-router/{id}/update              the fields that change; `rules` replaces all rules
POST /auto-router/{id}/delete
POST /auto-router/{id}/rules               one more rule, or, with the `id` of one, its new form
POST /auto-router/{id}/rules/delete        the rule whose `id` the body names
POST /auto-router/{id}/rules/reorder       `rule_ids` in their new order
POST /auto-router/{id}/simulate            `prompt`, or a request, as `simulate.py` has it
"""

import secrets
from collections.abc import Callable

from haimaker.accounts.cache import AccountCache
from haimaker.api.account_admin import check_admin, check_reader
from haimaker.api.simulate import OWN_FIELDS, simulate_request
from haimaker.http.errors import BadRequestError, ConflictError, NotFoundError, invalid_parameter
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.models.names import AUTO
from haimaker.routing.auto_rules import AutoRouterDefinition
from haimaker.routing.auto_service import ROUTER_DOCUMENTS, parse_definition
from haimaker.routing.planner import Planner
from haimaker.store import Account, Store
from haimaker.store.documents import Document
from haimaker.validation.toml_table import TomlError

TRIES = 5


def new(store: Store, caller: Account, request: Request) -> JSON:
    """Stores a router. Raises BadRequestError, ConflictError, PermissionDeniedError."""
    body = _body(caller, request)
    router_id = f"router_{secrets.token_hex(8)}"
    kept = Document(router_id, _validate(router_id, body), 0)
    if not store.documents.put(ROUTER_DOCUMENTS, kept):
        raise ConflictError("A router with this id exists already; try again.")
    return _to_json(kept)


def list_routers(store: Store, caller: Account, request: Request) -> JSON:
    """All routers. Raises PermissionDeniedError."""
    check_reader(caller)
    return {"routers": [_to_json(document) for document in store.documents.all(ROUTER_DOCUMENTS)]}


def info(store: Store, caller: Account, request: Request) -> JSON:
    """One router. Raises NotFoundError, PermissionDeniedError."""
    check_reader(caller)
    return _to_json(_get_router(store, request))


def update(store: Store, caller: Account, request: Request) -> JSON:
    """Changes the fields that the body names. Raises BadRequestError, ConflictError, NotFoundError, PermissionDeniedError."""
    body = _body(caller, request)
    return _update_router(store, request, lambda router: {**router, **body})


def delete(store: Store, caller: Account, request: Request) -> JSON:
    """Deletes a router; keys that named it use that of `gateway.toml` from then on."""
    check_admin(caller)
    router_id = _get_router(store, request).name
    store.documents.delete(ROUTER_DOCUMENTS, router_id)
    return {"deleted": router_id}


def put_rule(store: Store, caller: Account, request: Request) -> JSON:
    """Adds a rule, as the last one, or changes the one whose `id` the body has. Raises as `update` does."""
    body = _body(caller, request)

    def change(router: JSON) -> JSON:
        rules: list[JSON] = router["rules"]
        if any(rule["id"] == body.get("id") for rule in rules):
            return {**router, "rules": [{**rule, **body} if rule["id"] == body["id"] else rule for rule in rules]}
        last = max((rule.get("rule_order", 0) for rule in rules), default=-1)
        return {**router, "rules": [*rules, {"rule_order": last + 1, **body}]}

    return _update_router(store, request, change)


def delete_rule(store: Store, caller: Account, request: Request) -> JSON:
    """Deletes the rule whose `id` the body has. Raises as `update` does."""
    body = _body(caller, request)

    def change(router: JSON) -> JSON:
        kept = [rule for rule in router["rules"] if rule["id"] != body.get("id")]
        if len(kept) == len(router["rules"]):
            raise NotFoundError("The router has no such rule.", param="id", code="rule_not_found")
        return {**router, "rules": kept}

    return _update_router(store, request, change)


def reorder(store: Store, caller: Account, request: Request) -> JSON:
    """Puts the rules in the order of `rule_ids`. Raises as `update` does."""
    order = _body(caller, request).get("rule_ids")

    def change(router: JSON) -> JSON:
        by_id = {rule["id"]: rule for rule in router["rules"]}
        if not isinstance(order, list) or sorted(map(str, order)) != sorted(by_id):
            raise BadRequestError("'rule_ids' must name every rule once.", param="rule_ids", code="invalid_value")
        return {**router, "rules": [{**by_id[rule_id], "rule_order": place} for place, rule_id in enumerate(order)]}

    return _update_router(store, request, change)


def simulate(planner: Planner, accounts: AccountCache, caller: Account, request: Request) -> JSON:
    """Shows where a request would go if its key had this router. Raises as `simulate_request` does."""
    body = _body(caller, request)
    document = _get_router(accounts.store, request)
    if isinstance(body.get("prompt"), str) and "messages" not in body:
        body["messages"] = [{"role": "user", "content": body.pop("prompt")}]
    inner = body["request"] if isinstance(body.get("request"), dict) else {n: v for n, v in body.items() if n not in OWN_FIELDS}
    asked = {**{name: body[name] for name in OWN_FIELDS if name in body}, "request": {**inner, "model": AUTO}}
    given = Request(request.id, request.headers, dumps(asked))
    return simulate_request(planner, accounts, caller, given, parse_definition(document.name, document.body))


def _update_router(store: Store, request: Request, change: Callable[[JSON], JSON]) -> JSON:
    """Changes a router as it is now; tries again if another request changed it at the same moment. Raises ConflictError."""
    for _ in range(TRIES):
        document = _get_router(store, request)
        changed = document._replace(body=_validate(document.name, change(document.body)))
        if store.documents.put(ROUTER_DOCUMENTS, changed):
            return _to_json(changed)
    raise ConflictError("The router was changed by somebody else at the same moment; try again.")


def _validate(router_id: str, body: JSON) -> JSON:
    """The definition as it is stored, each rule with an id. Raises BadRequestError, which names the field."""
    rules = body.get("rules")
    if isinstance(rules, list):
        body = {
            **body,
            "rules": [{"id": f"rule_{secrets.token_hex(4)}", **rule} if isinstance(rule, dict) else rule for rule in rules],
        }
    try:
        definition: AutoRouterDefinition = parse_definition(router_id, body)
    except TomlError as mistake:
        param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake.place).lstrip(".")
        raise invalid_parameter(param, f"it {mistake}") from None
    if len({rule.id for rule in definition.rules}) < len(definition.rules):
        raise BadRequestError("Each rule needs an id of its own.", param="rules", code="invalid_value")
    return {"rules": [], **body}


def _to_json(document: Document) -> JSON:
    return {"auto_router_id": document.name, **document.body}


def _body(caller: Account, request: Request) -> JSON:
    check_admin(caller)
    return parse_json(request.body)


def _get_router(store: Store, request: Request) -> Document:
    """The router that the path names. Raises NotFoundError."""
    document = store.documents.get(ROUTER_DOCUMENTS, request.path.get("id", ""))
    if document is None:
        raise NotFoundError("There is no such router.", param="id", code="router_not_found")
    return document
