"""The API's own description: valid by OpenAPI's schema, complete, and true of requests that the gateway takes and refuses."""

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from haimaker.api.openapi import QUERIES, SCHEMAS, UNDESCRIBED, WITHOUT_KEY, document, path_of
from haimaker.api.paths import ROUTES
from tests.contract.money_support import Desk

DOCUMENT = document("1.2.3")


def test_it_is_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_operation_is_in_it_and_every_name_is_one_of_an_operation() -> None:
    operations = {route.operation for route in ROUTES}
    assert {*SCHEMAS, *QUERIES, *WITHOUT_KEY} <= operations
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert ("POST", "/v1/chat/completions") in described
    assert ("POST", "/v1beta/models/{id}:streamGenerateContent") in described
    missing = operations - {route.operation for route in ROUTES if (route.method, path_of(route)) in described}
    assert missing == {*UNDESCRIBED}
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("path", "body", "fits"),
    [
        ("/v1/chat/completions", {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}]}, True),
        ("/v1/chat/completions", {"model": "demo/echo", "messages": "Hi"}, False),
        ("/v1/embeddings", {"model": "demo/embedding", "input": ["a", "b"]}, True),
        ("/v1/key/generate", {"key_alias": "x", "max_budget": 5}, True),
        ("/v1/key/generate", {"max_budgets": 5}, False),
        ("/v1/key/generate", {"role": "owner"}, False),
        ("/v1/team/{action}", {"team_id": "described", "max_budget": 1}, True),
    ],
)
def test_what_it_says_of_bodies_is_what_the_gateway_does(desk: Desk, path: str, body: dict, fits: bool) -> None:
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}
    assert Draft202012Validator(whole).is_valid(body) == fits
    answer = desk.ask("POST", path.removeprefix("/v1").replace("{action}", "new"), body)
    assert (answer.status_code == 200) == fits, answer.text


def test_it_is_served_to_anybody_with_a_page(desk: Desk) -> None:
    root = desk.url.removesuffix("/v1")
    served = desk.http.get(f"{root}/openapi.json", headers={})
    assert served.json()["paths"].keys() == DOCUMENT["paths"].keys()
    page = desk.http.get(f"{root}/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<code>/v1/chat/completions</code>" in page.text
    assert "<code>max_budget</code>" in page.text
