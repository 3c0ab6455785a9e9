"""The API's own description: valid by OpenAPI's schema, complete, and true of requests that the gateway takes and refuses."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from haimaker.api.openapi import SCHEMAS, UNDESCRIBED, WITHOUT_KEY, document, path_of
from haimaker.api.openapi_fields import (
    ACCOUNT_BODIES,
    ACTIONS,
    BODIES,
    CHOICES,
    GOOGLES_KEY,
    MOST,
    NEEDED,
    PARAMETERS,
    QUERIES,
    WITHOUT_BODY,
)
from haimaker.api.paths import LOCAL_ROUTES, ROUTES
from haimaker.http.values import Request, Response
from tests.contract.money_support import ADMIN, Desk

DOCUMENT = document("1.2.3")
ALL = (*ROUTES, *LOCAL_ROUTES)


def test_it_is_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_operation_is_in_it_and_every_name_is_one_of_an_operation() -> None:
    operations = {route.operation for route in ALL}
    acting = {f"{operation} {action}" for operation, actions in ACTIONS.items() for action in actions}
    assert {*QUERIES, *CHOICES, *MOST, *NEEDED, *ACCOUNT_BODIES} <= operations | acting
    assert {*SCHEMAS, *BODIES, *WITHOUT_KEY, *WITHOUT_BODY, *ACTIONS} <= operations
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert ("POST", "/v1/chat/completions") in described
    assert ("POST", "/v1beta/models/{id}:streamGenerateContent") in described
    assert ("POST", "/v1/team/block") in described
    missing = operations - {
        route.operation
        for route in ALL
        for action in ACTIONS.get(route.operation, ("",))
        if (route.method, (path_of(route) or "").replace("{action}", action)) in described
    }
    assert missing == {*UNDESCRIBED}
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            schemas = [each["schema"] for each in operation.get("requestBody", {"content": {}})["content"].values()]
            assert all(schema != {"type": "object"} for schema in schemas), f"{path}: its fields are said"


class Noting(dict[str, str]):
    """A query that notes which of its parameters are asked for by name."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__(given)
        self.read = set[str]()

    def get(self, name: str, otherwise: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, otherwise)

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)


LEADING_ON: list[dict[str, str]] = [
    {}, {"key": ADMIN}, {"page": "1"}, {"limit": "3"}, {"top": "2", "group_by": "key", "keys": "a"}, {"all": "true"},
    {"start_date": "2026-11-01"}, {"stream": "true"}, {"state": "a"},
]  # fmt: skip
"""Parameters upon which others are read."""
REFUSED = {"files_list": {"ids", "ids[]"}}
"""Read to be refused in words."""
OF_KEYS = {"key_alias", "team_id", "user_id", "key_hash"}
"""Which the filter of teams and end users, the same as that of keys, refuses before it reads them."""


@pytest.mark.parametrize("operation", sorted({route.operation for route in ALL} - {*UNDESCRIBED}))
def test_every_parameter_that_is_read_is_in_it_and_every_one_in_it_is_taken(desk: Desk, operation: str) -> None:
    headers = {"authorization": f"Bearer {ADMIN}", "anthropic-version": "2023-06-01"}

    def ask(query: dict[str, str], action: str) -> Response:
        path = {"id": "demo/echo", "action": action, "file": "x"}
        return desk.gateway.handle(operation, Request("described", headers, b"{}", path, query))

    for action in ACTIONS.get(operation, ("",)):
        read = set[str]()
        for given in LEADING_ON:
            ask(query := Noting(given), action)
            read |= query.read
        said = {
            *QUERIES.get(f"{operation} {action}".rstrip(), ()),
            *([GOOGLES_KEY] if operation.startswith("gemini_") else ()),
        }
        assert read - said - REFUSED.get(operation, set()) - (OF_KEYS if operation in ACTIONS else set()) == set()
        for name in said:
            body = ask({name: "1"}, action).body
            assert not isinstance(body, bytes) or b"unknown_parameter" not in body, (name, action)


def is_refused(desk: Desk, operation: str, name: str, value: str) -> bool:
    """Whether a query parameter may not have a value; of a report that may have a `top`."""
    operation, _, action = operation.partition(" ")
    headers, path = {"authorization": f"Bearer {ADMIN}"}, {"id": "x", "action": action}
    query = {"group_by": "model", name: value} if operation == "spend_report" else {name: value}
    answer = desk.gateway.handle(operation, Request("chosen", headers, b"", path, query))
    return answer.status == 400 and name in str(json.loads(bytes(answer.body))["error"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "name"),
    [(operation, name) for operation, choices in CHOICES.items() for name in choices if name in QUERIES[operation]],
)
def test_of_a_parameter_with_choices_each_is_taken_and_no_other(desk: Desk, operation: str, name: str) -> None:
    assert [value for value in CHOICES[operation][name] if is_refused(desk, operation, name, value)] == []
    assert is_refused(desk, operation, name, "none-of-them") or operation == "responses_input_items", "which is looked for first"


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (operation, name)
        for operation, names in QUERIES.items()
        for name in names
        if (PARAMETERS.get(f"{operation} {name}") or PARAMETERS.get(name, {})).get("type") == "integer"
        and operation not in ("responses_input_items", "models_list")
    ],
)
def test_of_a_number_its_bounds_are_taken_and_nothing_beyond(desk: Desk, operation: str, name: str) -> None:
    """Input items of a response are looked for first, and only Anthropic's clients page through models."""
    least, most = int(str(PARAMETERS[name]["minimum"])), MOST.get(operation, {}).get(name)
    within, beyond = [least, most or 1_000], [least - 1, *([most + 1] if most else [])]
    assert [value for value in within if is_refused(desk, operation, name, str(value))] == []
    assert [value for value in beyond if not is_refused(desk, operation, name, str(value))] == []


@pytest.mark.parametrize("operation", sorted(name for name, body in BODIES.items() if body.is_closed))
def test_of_a_closed_body_each_field_is_taken_and_no_other(desk: Desk, operation: str) -> None:
    [(method, path)] = {(route.method, route.template) for route in ALL if route.operation == operation}
    body = BODIES[operation]
    upload = {"filename": "a", "purpose": "batch", "bytes": 1, "mime_type": "text/plain"}
    path = path.replace("{id}", desk.ask("POST", "/uploads", upload).json()["id"])
    whole = {
        "input_file_id": "x",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        **upload,
        "part_ids": [],
        "md5": "x",
    }
    sent = {name: whole.get(name) for name in body.fields}
    for more in ({}, {"no_such_field": "x"}):
        if body.file:
            answer = desk.http.request(
                method,
                path,
                headers={"authorization": f"Bearer {ADMIN}"},
                data={"purpose": "batch", **more},
                files={body.file: ("a.jsonl", b"{}")},
            )
        else:
            answer = desk.ask(method, path, {**sent, **more})
        code = answer.json().get("error", {}).get("code")
        assert (code == "unknown_parameter") == bool(more), answer.text


@pytest.mark.parametrize(
    ("path", "body", "fits"),
    [
        ("/v1/chat/completions", {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}]}, True),
        ("/v1/chat/completions", {"model": "demo/echo", "messages": "Hi"}, False),
        ("/v1/embeddings", {"model": "demo/embedding", "input": ["a", "b"]}, True),
        ("/v1/key/generate", {"key_alias": "x", "max_budget": 5}, True),
        ("/v1/key/generate", {"max_budgets": 5}, False),
        ("/v1/key/generate", {"role": "owner"}, False),
        ("/v1/key/generate", {"key": "sk-mine"}, False),
        ("/v1/key/block", {"key_alias": "x"}, False),
        ("/v1/key/block", {"key": "sk-hm-1", "keys": ["sk-hm-2"]}, False),
        ("/v1/team/new", {"team_id": "described", "max_budget": 1}, True),
        ("/v1/team/new", {"team_ids": ["described"]}, False),
        ("/v1/team/update", {"team_id": "a", "team_ids": ["described"]}, False),
        ("/v1/team/delete", {"team_id": None}, False),
        ("/v1/customer/new", {"user_id": "described", "max_budget": 1}, True),
        ("/v1/customer/block", {"user_ids": ["described"]}, True),
        ("/v1/customer/block", {"blocked": True}, False),
        ("/v1/responses", {"model": "demo/echo", "input": "Hi"}, True),
        ("/v1/responses", {"model": "demo/echo", "input": "Hi", "store": "true"}, False),
        ("/v1/messages", {"model": "demo/echo", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}, True),
        ("/v1/messages", {"model": "demo/echo", "max_tokens": 9}, False),
        ("/v1/messages", {"model": "demo/echo", "max_tokens": 9, "messages": []}, False),
        ("/v1beta/models/{id}:generateContent", {"contents": []}, False),
        ("/v1/batches", {"input_file_id": None, "endpoint": "/v1/responses", "completion_window": "24h"}, False),
        ("/v1/chat/completions", {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}], "tools": "x"}, False),
        ("/v1/auto-router/new", {"router_name": "described", "default_model": "demo/echo"}, True),
        ("/v1/auto-router/new", {"rules": "none"}, False),
        ("/v1/uploads", {"filename": "a", "purpose": "batch", "bytes": 1, "mime_type": "text/plain"}, True),
        ("/v1/uploads", {"filename": "a", "purpose": "batch", "bytes": 1}, False),
    ],
)
def test_what_it_says_of_bodies_is_what_the_gateway_does(desk: Desk, path: str, body: dict, fits: bool) -> None:
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}
    assert Draft202012Validator(whole).is_valid(body) == fits
    answer = desk.ask("POST", path.removeprefix("/v1/").replace("{id}", "demo/echo"), body)
    assert (answer.status_code == 200) == fits, answer.text


def test_it_is_served_to_anybody_with_a_page(desk: Desk) -> None:
    root = desk.url.removesuffix("/v1")
    served = desk.http.get(f"{root}/openapi.json", headers={})
    assert served.json()["paths"].keys() == DOCUMENT["paths"].keys()
    page = desk.http.get(f"{root}/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<code>/v1/chat/completions</code>" in page.text
    assert "<code>max_budget</code>" in page.text
