"""Thousands of bodies that nobody would write, for chat and for every key operation: never a defect, never a held or spent cent."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from haimaker.http.values import Request
from tests.contract.money_support import ADMIN, Desk, chat_body
from tests.contract.random_bodies import TEXT, TREES, mutated
from tests.contract.sdk_support import MODEL
from tests.support import openai_wire

KEY_OPERATIONS = ("key_generate", "key_update", "key_block", "key_unblock", "key_delete", "key_regenerate")
CHAT = {
    **chat_body("nobody/knows"),
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 5,
    "n": 1,
    "stop": ["x"],
}
CHAT |= {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "temperature": 0.5,
    "user": "u",
    "response_format": {"type": "text"},
}
KEY = {"key_alias": "a", "models": ["openai/*"], "max_budget": 1.5, "budget_duration": "1d", "duration": "1h", "rpm_limit": 1}
KEY |= {"tpm_limit": 1, "max_parallel_requests": 1, "metadata": {"a": [1]}, "tags": ["x"]}

THOUSANDS = settings(max_examples=1_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
HUNDREDS = settings(THOUSANDS, max_examples=300)


def bodies(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    return mutated(good) | TREES.map(lambda tree: json.dumps(tree).encode()) | st.binary(max_size=60)


def check(status: int, raw: bytes) -> None:
    """Good, or an error in OpenAI's shape that is the client's."""
    assert status < 500, raw
    if status >= 400:
        error = json.loads(raw)["error"]
        assert {"message", "type", "param", "code"} <= error.keys()
        assert error["message"]
        assert error["param"] is not None or error["code"] in ("invalid_json", "model_not_found")


@pytest.fixture(scope="module")
def admin(desk: Desk) -> dict[str, str]:
    return {"authorization": f"Bearer {ADMIN}"}


@THOUSANDS
@given(raw=bodies(CHAT))
def test_chat(desk: Desk, admin: dict[str, str], raw: bytes):
    """The model is unknown: it is no provider's. The path names it, since without one the gateway would choose."""
    seen = len(desk.upstream.calls)
    response = desk.gateway.handle("chat_completions", Request("random", admin, raw, {"model": "nobody/knows"}))
    assert isinstance(response.body, bytes), raw
    check(response.status, response.body)
    assert len(desk.upstream.calls) == seen
    assert desk.money(ADMIN)[1] == 0


@HUNDREDS
@given(raw=mutated(CHAT | {"model": MODEL, "stream": False, "stream_options": None}))
def test_what_passes_is_answered_and_settled(desk: Desk, raw: bytes):
    desk.upstream.answers(openai_wire.plays_openai())
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
    response = desk.http.post("/chat/completions", content=raw, headers=headers)
    if response.headers["content-type"] == "application/json":
        check(response.status_code, response.content)
    else:
        assert response.content.endswith(b"data: [DONE]\n\n")
    assert desk.money(ADMIN)[1] == 0


@pytest.mark.parametrize("operation", KEY_OPERATIONS)
@HUNDREDS
@given(data=st.data())
def test_key_operations(desk: Desk, admin: dict[str, str], operation: str, data: st.DataObject):
    good = KEY if operation == "key_generate" else KEY | {"key": "sk-hm-nobody"}
    raw = data.draw(bodies(good))
    response = desk.gateway.handle(operation, Request("random", admin, raw))
    assert isinstance(response.body, bytes)
    check(response.status, response.body)


@HUNDREDS
@given(
    headers=st.dictionaries(
        st.sampled_from(["authorization", "api-key", "x-api-key", "x-stainless-read-timeout"]), TEXT, max_size=3
    )
)
def test_headers(desk: Desk, headers: dict[str, str]):
    assume(not any(ADMIN in value for value in headers.values()))
    response = desk.gateway.handle("chat_completions", Request("random", headers, json.dumps(CHAT).encode()))
    assert isinstance(response.body, bytes)
    assert (response.status, json.loads(response.body)["error"]["type"]) == (401, "authentication_error")


@HUNDREDS
@given(query=st.dictionaries(st.sampled_from(["key", "page", "size", "return_full_object"]), TEXT, max_size=4))
def test_queries(desk: Desk, admin: dict[str, str], query: dict[str, str]):
    for operation in ("key_info", "key_list"):
        response = desk.gateway.handle(operation, Request("random", admin, b"", {}, query))
        assert isinstance(response.body, bytes)
        check(response.status, response.body)
