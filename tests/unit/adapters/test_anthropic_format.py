"""Anthropic's Messages at providers that serve them beside OpenAI's chats: where, with which key, of which requests, and that what
one of them thinks is read by nobody else."""

import json
from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters.events import json_object
from haimaker.api import formats
from haimaker.credentials.access import connections_from_env
from haimaker.credentials.headers import auth_headers
from haimaker.http.values import JSON, Event, Request
from haimaker.models.catalog import Place
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import UpstreamBody
from haimaker.providers.registry import all_providers, get
from haimaker.routing.config import Config
from haimaker.routing.context import RoutingContext
from haimaker.routing.router import Router
from tests.support.builders import attempt

SERVED = {
    "deepseek": ("https://api.deepseek.com/anthropic/v1/messages", "x-api-key"),
    "moonshot": ("https://api.moonshot.ai/anthropic/v1/messages", "authorization"),
    "zai": ("https://api.z.ai/api/anthropic/v1/messages", "authorization"),
    "minimax": ("https://api.minimax.io/anthropic/v1/messages", "authorization"),
    "openrouter": ("https://openrouter.ai/api/v1/messages", "authorization"),
}
HELLO: JSON = {"role": "user", "content": "Hi"}
TOOL: JSON = {"name": "look", "input_schema": {"type": "object"}}
ANSWER: JSON = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "tomorrow": {"x": 1},
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s1"}, {"type": "text", "text": "Hi"}],
    "usage": {"input_tokens": 3, "output_tokens": 2},
}  # fmt: skip
EVENTS: list[JSON] = [
    {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s1"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def messages(body: JSON) -> ChatRequest:
    raw = json.dumps({"model": "m", "max_tokens": 9, "messages": [HELLO], **body}).encode()
    parsed: Any = formats.find("messages").parse(Request("r1", {}, raw))
    return parsed


def at(provider: str) -> Attempt:
    own = get(provider)
    return attempt(f"{provider}/m", provider=own.operations.get("messages", own))


def sent(provider: str, body: JSON) -> JSON:
    asked, target = messages(body), at(provider)
    made: JSON = json.loads(adapters.find(asked, target).to_upstream(asked, target).body)
    return made


@pytest.mark.parametrize(("provider", "url", "header"), [(name, *where) for name, where in SERVED.items()])
@pytest.mark.parametrize("given", [{}, {"_BASE_URL": "{}"}], ids=["its own address", "the same, named"])
def test_where_a_request_goes_and_with_what(provider: str, url: str, header: str, given: dict[str, str]) -> None:
    named = {f"{provider.upper()}{name}": said.format(get(provider).endpoint.base_url) for name, said in given.items()}
    connection = connections_from_env({f"{provider.upper()}_API_KEY": "k", **named})[provider]
    asked, target = messages({}), at(provider)
    call = adapters.find(asked, target).to_upstream(asked, target)
    access = connection.for_operation(asked.operation, target.provider.endpoint.base_url)
    assert access.base_url + access.path_of(call.path, "m") == url
    assert auth_headers(target.provider, access, call, 0)[header].endswith("k")
    assert call.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("provider", SERVED)
def test_chats_go_where_the_deployer_says(provider: str) -> None:
    """Also where chats and messages have one address at the vendor's."""
    given = {f"{provider.upper()}_API_KEY": "k", f"{provider.upper()}_BASE_URL": "http://127.0.0.1:1/v1"}
    access = connections_from_env(given)[provider].for_operation("chat_completions", get(provider).endpoint.base_url)
    assert access.base_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("provider", "host", "tools", "native"),
    [
        *((name, "", [], True) for name in SERVED),
        *((name, "", [TOOL, {**TOOL, "type": "custom"}], True) for name in SERVED),
        *((name, "", [TOOL, {"type": "web_search_20250305", "name": "web_search"}], False) for name in SERVED),
        ("deepseek", "api.deepseek.com", [], True),
        ("deepseek", "proxy.example", [], False),
        ("openrouter", "proxy.example", [], False),
        ("anthropic", "proxy.example", [{"type": "web_search_20250305", "name": "web_search"}], True),
        ("groq", "", [], False),
    ],
)
def test_which_requests_pass_as_they_are(provider: str, host: str, tools: list[JSON], native: bool) -> None:
    router = Router(Config(), all_providers(), {provider: Place(host=host)} if host else {})
    asked = messages({"tools": tools})
    serving = router.serving(f"{provider}/m", RoutingContext("r", 0, asked.client_operation, asked.original))
    assert serving is not None
    assert adapters.is_native(asked, attempt(f"{provider}/m", provider=serving)) == native


def test_what_is_taken_and_ignored_is_left_out_and_told() -> None:
    asked, target = messages({"top_k": 5, "service_tier": "auto", "future": 1}), at("deepseek")
    call = adapters.find(asked, target).to_upstream(asked, target)
    assert json.loads(call.body) == {"model": "m", "max_tokens": 9, "messages": [HELLO], "future": 1}
    assert set(call.dropped) == {"top_k", "service_tier"}


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_is_its_providers_own_but_for_the_mark_of_its_thinking(streamed: bool) -> None:
    asked, target = messages({"stream": streamed}), at("deepseek")
    adapter = adapters.find(asked, target)
    if streamed:
        made = adapter.from_stream((Event(json.dumps(each).encode()) for each in EVENTS), asked, target)
        told = [json_object(event) for chunk in made for event in chunk.native]
        expected = json.loads(json.dumps(EVENTS))
        expected[1]["content_block"]["signature"] = "haimaker:deepseek:"
        expected[3]["delta"]["signature"] = "haimaker:deepseek:s1"
        assert told == expected
    else:
        result = adapter.from_upstream(UpstreamBody({}, json.dumps(ANSWER).encode()), asked, target)
        expected = json.loads(json.dumps(ANSWER))
        expected["content"][0]["signature"] = "haimaker:deepseek:s1"
        assert result.native == expected


@pytest.mark.parametrize(
    ("provider", "signature", "kept"),
    [
        ("deepseek", "haimaker:deepseek:s1", "s1"),
        ("deepseek", "haimaker:deepseek:haimaker:deepseek:s1", "s1"),
        ("deepseek", "haimaker:moonshot:s1", None),
        ("deepseek", "haimaker", None),
        ("deepseek", "of Claude", None),
        ("anthropic", "haimaker:deepseek:s1", None),
        ("anthropic", "of Claude", "of Claude"),
    ],
)
def test_thinking_goes_back_to_who_thought_it(provider: str, signature: str, kept: str | None) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": signature}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi"}]}
    turn = sent(provider, {"messages": [HELLO, said, HELLO]})["messages"][1]
    assert [block["signature"] for block in turn["content"] if block["type"] == "thinking"] == ([kept] if kept else [])


def test_a_chat_gets_the_words_of_marked_thinking() -> None:
    said = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "haimaker:deepseek:s1"}]}
    assert messages({"messages": [HELLO, said, HELLO]}).body["messages"][1]["reasoning_content"] == "Hm."
