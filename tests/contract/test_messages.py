"""Anthropic's SDK asks for Messages: of a provider that speaks them, which is passed on, and of others, by a translation."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import beta_tool

from haimaker.http.values import JSON
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, only_record, price
from tests.support.documentation import ADDRESS, Guide, run, serve, shape
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

CLAUDE = "anthropic/claude-sonnet-5-5"
HELLO: Any = [{"role": "user", "content": "Hi"}]
CHAT_USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Bern"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "Eq", "page_age": None}
    ],
}
CITED = {"type": "web_search_result_location", "cited_text": "b", "url": "https://a.example", "title": "A", "encrypted_index": "Eo"}
CONTENT: list[JSON] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
    {"type": "redacted_thinking", "data": "EmwK"},
    SEARCH,
    FOUND,
    {"type": "text", "text": "Rain.", "citations": [CITED]},
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Bern"}, "caller": {"type": "direct"}},
    {"type": "block_of_tomorrow", "what": {"ever": [1, None]}},
]
WHOLE: JSON = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": CONTENT,
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "container": None,
    "usage": {
        "input_tokens": 20,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 8,
        "output_tokens": 9,
        "server_tool_use": {"web_search_requests": 1},
        "service_tier": "standard",
    },
    "field_of_tomorrow": {"a": [1]},
}


def sdk(desk: Desk, key: str) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(verify=False)  # plain HTTP needs no certificates, which take 17 ms to read
    return anthropic.Anthropic(base_url=desk.url.removesuffix("/v1"), api_key=key, max_retries=0, timeout=30, http_client=http)


@pytest.fixture
def claude(desk: Desk, key: str) -> anthropic.Anthropic:
    return sdk(desk, key)


def chat_reply(message: JSON, finish_reason: str, *, stream: bool) -> Reply:
    head = {"id": "chatcmpl-1", "created": 1, "model": "any"}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
        return Reply.json(200, {**head, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE})
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", ()))]
    deltas = [{"role": "assistant", name: text} for name, text in message.items() if name != "tool_calls" and text]
    deltas += [{"tool_calls": [call]} for call in calls]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks = [*([one] for one in choices), [{"index": 0, "delta": {}, "finish_reason": finish_reason}]]
    return Reply.sse([*({**head, "choices": one} for one in chunks), {**head, "choices": [], "usage": CHAT_USAGE}])


def events_of(message: JSON) -> list[JSON]:
    """The events that Anthropic makes of a message."""
    events: list[JSON] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": opened(block)})
        events += [{"type": "content_block_delta", **at, "delta": delta} for delta in deltas_of(block)]
        events.append({"type": "content_block_stop", **at})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    return [*events, {"type": "message_delta", "delta": delta, "usage": message["usage"]}, {"type": "message_stop"}]


def opened(block: JSON) -> JSON:
    empty: JSON = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    without = {name: value for name, value in block.items() if name != "citations"}
    return {**without, **empty.get(block["type"], {})}


def deltas_of(block: JSON) -> list[JSON]:
    if block["type"] == "text":
        cited = [{"type": "citations_delta", "citation": each} for each in block.get("citations", ())]
        return [*cited, {"type": "text_delta", "text": block["text"]}]
    if block["type"] == "thinking":
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return [{"type": "thinking_delta", "thinking": block["thinking"]}, signed]
    if block["type"] == "tool_use":
        return [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"city": ', '"Bern"}')]
    return []


def named(events: list[JSON]) -> Reply:
    pieces = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return Reply.sse(pieces, done=False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_speaks_messages_is_passed_on(
    claude: anthropic.Anthropic, desk: Desk, key: str, upstream: FakeUpstream, stream: bool
) -> None:
    """Nothing is lost in either direction, at any depth; the cost is added."""
    upstream.answers(named(events_of(WHOLE)) if stream else Reply.json(200, WHOLE))
    asked: JSON = {
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": HELLO,
        "tools": [
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 1, "allowed_domains": ["a.example"]},
            {"name": "get_weather", "input_schema": {"type": "object"}, "defer_loading": True},
        ],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "context_management": {"edits": []},
        "field_of_tomorrow": {"deep": [{"er": None}]},
    }
    response = post(desk, key, {"model": CLAUDE, **asked, **({"stream": True} if stream else {})})
    sent = upstream.calls[-1]
    assert sent.json == {"model": "claude-sonnet-5-5", **asked, **({"stream": True} if stream else {})}
    assert sent.path.endswith("/messages")
    assert sent.headers["anthropic-version"] == "2023-06-01"
    record = only_record(desk, key)
    assert (record.detail["cached_tokens"], record.detail["output_tokens"]) == (8, 9)
    assert response.headers["request-id"] == record.request_id
    assert "x-haimaker-dropped-params" not in response.headers
    cost = record.detail["cost_usd"]
    if stream:
        told = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]
        expected = events_of(WHOLE)
        expected[-2]["usage"] = {**WHOLE["usage"], "cost": cost}
        assert told == expected
    else:
        assert response.json() == {**WHOLE, "usage": {**WHOLE["usage"], "cost": cost}}
    assert cost > 0.01  # a search alone


def post(desk: Desk, key: str, body: JSON) -> httpx.Response:
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{desk.url}/messages?beta=true", json=body, headers=headers, timeout=30, verify=False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_the_sdk_reads_text_thinking_and_tools(
    claude: anthropic.Anthropic, desk: Desk, key: str, upstream: FakeUpstream, stream: bool, native: bool
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Bern"}'}}
    if native:
        content = [CONTENT[0], {"type": "text", "text": "Rain."}, CONTENT[5]]
        whole = {**WHOLE, "content": content}
        upstream.answers(named(events_of(whole)) if stream else Reply.json(200, whole))
    else:
        message = {"reasoning_content": "Hm.", "content": "Rain.", "tool_calls": [call]}
        upstream.answers(chat_reply(message, "tool_calls", stream=stream))
    asked: Any = {
        "model": CLAUDE if native else MODEL,
        "max_tokens": 100,
        "messages": HELLO,
        "tools": [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}],
    }
    if stream:
        with claude.messages.stream(**asked) as events:
            answer: Any = events.get_final_message()
    else:
        answer = claude.messages.create(**asked)
    thinking, text, use = answer.content
    assert (thinking.thinking, text.text, use.name, use.input) == ("Hm.", "Rain.", "get_weather", {"city": "Bern"})
    assert answer.stop_reason == "tool_use"
    record = only_record(desk, key)
    assert record.detail["client_format"] == "messages"
    rows = desk.ask("GET", "/spend/logs", key=key).json()["data"]
    assert [row["client_format"] for row in rows] == ["messages"]
    if not stream:  # of a stream's last usage, the SDK keeps what it knows
        assert answer.usage.cost == record.detail["cost_usd"]
    if not native:
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 5)
        assert record.cost_nanousd == price(12, 5)


def test_the_tool_runner_ends(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    """The second turn has the first answer in it, as the runner sends it back once it has heard that no threads are kept."""

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return f"Rain in {city}."

    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Bern"}'}}
    upstream.answers(
        chat_reply({"reasoning_content": "Hm.", "content": None, "tool_calls": [call]}, "tool_calls", stream=False),
        chat_reply({"content": "It rains."}, "stop", stream=False),
    )
    runner = claude.beta.messages.tool_runner(model=MODEL, max_tokens=100, tools=[get_weather], messages=HELLO)
    assert [block.text for block in runner.until_done().content if block.type == "text"] == ["It rains."]
    said, result = upstream.calls[-1].json["messages"][1:]
    assert said["tool_calls"] == [call]
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call_1", "Rain in Bern.")


@pytest.mark.parametrize(
    ("break_it", "error", "kind"),
    [
        (lambda desk: {"model": "anthropic/nobody-knows-it"}, None, None),
        (lambda desk: {"messages": []}, anthropic.BadRequestError, "invalid_request_error"),
        (lambda desk: {"model": "nowhere/none"}, anthropic.NotFoundError, "not_found_error"),
    ],
)
def test_errors_are_the_sdks_own(
    claude: anthropic.Anthropic, desk: Desk, upstream: FakeUpstream, break_it: Callable[[Desk], JSON], error: Any, kind: str | None
) -> None:
    body: Any = {"model": CLAUDE, "max_tokens": 10, "messages": HELLO, **break_it(desk)}
    if error is None:
        upstream.answers(Reply.json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}))
        error, kind = anthropic.InternalServerError, "overloaded_error"
    with pytest.raises(error) as raised:
        claude.messages.create(**body)
    assert raised.value.body["error"]["type"] == kind
    assert raised.value.request_id == raised.value.body["request_id"]


def test_a_key_that_is_not_known_and_one_without_money(desk: Desk, key: str) -> None:
    with pytest.raises(anthropic.AuthenticationError) as raised:
        sdk(desk, "sk-hm-nobody").messages.create(model=CLAUDE, max_tokens=10, messages=HELLO)
    assert raised.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]
    with pytest.raises(anthropic.APIStatusError) as broke:
        sdk(desk, desk.key(max_budget=0.000001)).messages.create(model=CLAUDE, max_tokens=1_000, messages=HELLO)
    assert broke.value.status_code == 402
    assert broke.value.body["error"]["type"] == "billing_error"  # type: ignore[index]


@pytest.mark.parametrize("model", [CLAUDE, MODEL])
def test_a_stream_that_breaks_off_ends_with_an_error(
    claude: anthropic.Anthropic, upstream: FakeUpstream, desk: Desk, key: str, model: str
) -> None:
    begun = events_of({**WHOLE, "content": [{"type": "text", "text": "Rain."}]})[:4]
    chunk = {"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": "Rain."}, "finish_reason": None}]}
    upstream.answers(named(begun) if model == CLAUDE else Reply.sse([chunk], done=False))
    with (
        pytest.raises(anthropic.APIStatusError) as raised,
        claude.messages.stream(model=model, max_tokens=10, messages=HELLO) as events,
    ):
        list(events)
    assert raised.value.body["error"]["type"] == "api_error"  # type: ignore[index]
    assert only_record(desk, key).detail["status"] == "cut"


def test_a_fallback_from_claude_is_translated(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    def answer(call: Call) -> Reply:
        if call.path.endswith("/messages"):
            return Reply.json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}})
        return chat_reply({"content": "Rain."}, "stop", stream=False)

    upstream.answers(answer, answer)
    body = {"model": CLAUDE, "models": [MODEL], "max_tokens": 10, "messages": HELLO, "top_k": 3}
    response = post(desk, key, body)
    assert response.json()["content"] == [{"type": "text", "text": "Rain."}]
    assert response.headers["x-haimaker-attempts"] == "2"
    assert response.headers["x-haimaker-dropped-params"] == "top_k"


def test_what_no_other_vendor_has_is_refused_by_them(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    servers = [{"type": "url", "url": "https://mcp.example", "name": "m"}]
    refused = post(desk, key, {"model": MODEL, "max_tokens": 10, "messages": HELLO, "mcp_servers": servers})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    upstream.answers(Reply.json(200, {**WHOLE, "content": [{"type": "text", "text": "Rain."}]}))
    assert post(desk, key, {"model": CLAUDE, "max_tokens": 10, "messages": HELLO, "mcp_servers": servers}).status_code == 200
    assert upstream.calls[-1].json["mcp_servers"] == servers


HELD: JSON = {"id": "container_011Ab", "expires_at": "2026-12-30T00:00:00Z"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/messages", "/chat/completions"])
def test_a_container_goes_on_for_the_key_that_was_told_of_it(desk: Desk, upstream: FakeUpstream, path: str, stream: bool) -> None:
    """https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool#container-reuse"""
    team = desk.admin("/team/new", team_alias=f"containers{path}{stream}")["team_id"]
    owner, mate, stranger = desk.key(team_id=team), desk.key(team_id=team), desk.key()
    whole = {**WHOLE, "content": [{"type": "text", "text": "Rain."}], "stop_reason": "end_turn", "container": HELD}
    begun, *rest = events_of({**whole, "container": None})
    rest[-2]["delta"]["container"] = HELD
    upstream.answers(named([begun, *rest]) if stream else Reply.json(200, whole))
    tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
    body = {"model": CLAUDE, "max_tokens": 9, "messages": HELLO, "tools": tools}
    asked = {**body, **({"stream": True, "stream_options": {"include_usage": True}} if stream else {})}
    if path == "/messages":
        asked.pop("stream_options", None)
    told = desk.ask("POST", path, asked, key=owner).text
    found = re.search(r'"container":\s*\{[^}]*"id":\s*"([^"]+)"', told)
    assert found, told
    shown = found[1]
    assert (told.count(HELD["id"]), HELD["expires_at"] in told) == (told.count(shown), True)
    upstream.answers(Reply.json(200, whole))
    for key in (owner, mate):
        for given, sent in ((shown, HELD["id"]), ({"id": shown, "skills": []}, {"id": HELD["id"], "skills": []})):
            again = desk.ask("POST", path, {**body, "container": given}, key=key)
            assert again.status_code == 200, again.text
            assert upstream.calls[-1].json["container"] == sent
    asked_so_far = len(upstream.calls)
    for key, given in ((stranger, shown), (stranger, {"id": shown}), (owner, HELD["id"]), (owner, shown.replace("Ab", "Ac"))):
        for streams in (False, True):
            refused = desk.ask("POST", path, {**body, "container": given, "stream": streams}, key=key)
            assert (refused.status_code, "not found" in refused.json()["error"]["message"]) == (404, True), refused.text
            assert (refused.json()["error"]["type"] == "not_found_error") == (path == "/messages")
    assert len(upstream.calls) == asked_so_far
    if path == "/messages":  # a model elsewhere has no containers, and goes on without
        upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
        elsewhere = desk.ask("POST", path, {**body, "model": MODEL, "container": shown}, key=owner)
        assert (elsewhere.status_code, elsewhere.headers["x-haimaker-dropped-params"]) == (200, "container,tools[0]")


def in_user(*blocks: JSON) -> JSON:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


FILE: JSON = {"type": "file", "file_id": "file_011"}
SHARED_FILE: JSON = {"type": "file", "file_id": "file-shared"}
OF_OTHERS: list[tuple[str, JSON]] = [
    ("/messages", {"container": {"skills": [{"type": "custom", "skill_id": "skill_01"}]}}),
    ("/messages", {"container": {"skills": [{"skill_id": "pdf"}]}}),
    ("/messages", {"container": "container_011"}),
    ("/messages", {"system": [{"type": "document", "source": FILE}]}),
    *(
        ("/messages", in_user(block))
        for block in (
            {"type": "image", "source": FILE},
            {"type": "container_upload", "file_id": "file_011"},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": FILE}]},
            {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": FILE}]}},
            {"type": "block_of_tomorrow", "source": FILE},
            {"type": "image", "source": {"type": "url", "url": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
        )
    ),
    ("/chat/completions", {"container": {"skills": [{"type": "custom", "skill_id": "skill_01"}]}}),
    ("/chat/completions", {"cached_content": "cachedContents/a"}),
    ("/chat/completions", {"extra_body": {"google": {"cached_content": "cachedContents/a"}}}),
    ("/chat/completions", {"tools": [{"type": "file_search", "file_search": {"vector_store_ids": ["vs_1"]}}]}),
    ("/chat/completions", {"tools": [{"file_search": {"file_search_store_names": ["fileSearchStores/a"]}}]}),
    ("/chat/completions", {"tools": [{"type": "retrieval", "retrieval": {"knowledge_id": "1"}}]}),
    *(
        ("/chat/completions", in_user(part))
        for part in (
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file_id": "file-1"},
            {"type": "file", "file": {"file_data": "files/a"}},
            {"type": "file", "file": {"file_id": "HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/a"}},
            {"type": "image_url", "image_url": "https://generativelanguage.googleapis.com/v1beta/files/a"},
            {"type": "video_url", "video_url": {"url": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
            {"type": "document", "source": FILE},
        )
    ),
]


@pytest.mark.parametrize(("path", "fields"), OF_OTHERS)
def test_what_others_may_have_at_the_provider_is_not_found(desk: Desk, upstream: FakeUpstream, path: str, fields: JSON) -> None:
    """At whichever provider, and asked whole, streamed or for a count."""
    asked_so_far, key = len(upstream.calls), desk.key()
    counted = [f"{path}/count_tokens"] if path == "/messages" and fields.get("container") != "container_011" else []
    for where in (path, *counted):
        for model in (CLAUDE, "openai/gpt-4o-mini", "gemini/gemini-3.1-pro-preview"):
            for stream in (False, True):
                body = {"model": model, "max_tokens": 9, "messages": HELLO, "stream": stream, **fields}
                refused = desk.ask("POST", where, body, key=key)
                assert refused.status_code == 404, refused.text
                assert "not found" in refused.json()["error"]["message"]
    assert len(upstream.calls) == asked_so_far


ALLOWED: list[tuple[str, JSON]] = [
    ("/messages", {"container": "cntr_shared"}),
    ("/messages", {"container": {"id": "cntr_shared", "skills": [{"type": "custom", "skill_id": "skill_shared"}]}}),
    ("/messages", {"container": {"skills": [{"type": "anthropic", "skill_id": "pdf", "version": "latest"}]}}),
    ("/messages", in_user({"type": "document", "source": SHARED_FILE})),
    ("/messages", in_user({"type": "container_upload", "file_id": "file-shared"})),
    ("/chat/completions", {"container": {"id": "cntr_shared"}}),
    ("/chat/completions", in_user({"type": "document", "source": SHARED_FILE})),
]


@pytest.mark.parametrize(("path", "fields"), ALLOWED)
def test_what_the_deployer_allows_everybody_may_name(desk: Desk, upstream: FakeUpstream, path: str, fields: JSON) -> None:
    upstream.answers(Reply.json(200, {**WHOLE, "content": [{"type": "text", "text": "Rain."}]}))
    body = {"model": CLAUDE, "max_tokens": 9, "messages": HELLO, **fields}
    answer = desk.ask("POST", path, body, key=desk.key())
    assert answer.status_code == 200, answer.text
    assert {name: upstream.calls[-1].json[name] for name in fields} == fields
    if path == "/messages" and "messages" in fields:
        elsewhere = desk.ask("POST", path, {**body, "model": MODEL}, key=desk.key())
        assert (elsewhere.status_code, "Only the provider" in elsewhere.text) == (400, True)


def test_thinking_of_others_is_taken_out_for_claude(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    """A conversation that began at another vendor goes on: with calls, without thinking that nobody signed."""
    upstream.answers(Reply.json(200, {**WHOLE, "content": [{"type": "text", "text": "Rain."}]}))
    said = [
        {"type": "thinking", "thinking": "Hm.", "signature": "haimaker"},
        {"type": "tool_use", "id": "call|1__thought__abc", "name": "f", "input": {}},
    ]
    result = [{"type": "tool_result", "tool_use_id": "call|1__thought__abc", "content": "4"}]
    turns = [*HELLO, {"role": "assistant", "content": said}, {"role": "user", "content": result}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    post(desk, key, {"model": CLAUDE, "max_tokens": 2000, "messages": turns, "thinking": thinking})
    sent = upstream.calls[-1].json
    assert sent["messages"][1]["content"] == [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]
    assert sent["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "call_1", "content": "4"}]
    assert "thinking" not in sent


GUIDE = Guide.read("docs/formats.md")


def test_the_guide_works(tmp_path: Path) -> None:
    for served in serve(tmp_path):
        [command] = [text for text in GUIDE.written_in("sh") if "/v1/messages" in text]
        assert shape(json.loads(run(command, served))) == shape(json.loads(GUIDE.after(command)))
        [program] = [text for text in GUIDE.written_in("python") if "anthropic" in text]
        program = program.replace(ADDRESS, served.address)
        printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60).stdout
        assert printed == "1 2 3"


def test_models_are_listed_in_anthropics_shape(claude: anthropic.Anthropic) -> None:
    first = claude.models.list(limit=2)
    assert [model.type for model in first.data] == ["model", "model"]
    second = claude.models.list(limit=2, after_id=first.last_id or "")
    assert [model.id for model in claude.models.list(limit=2, before_id=second.data[-1].id).data] == [
        first.data[1].id,
        second.data[0].id,
    ]
    names = [model.id for model in claude.models.list(limit=1_000)]
    assert names[:2] == [model.id for model in first.data]
    assert len(names) == len(set(names)) > 1_000
    assert CLAUDE in names
    found = claude.models.retrieve(CLAUDE)
    assert (found.id, (found.max_tokens or 0) > 1_000) == (CLAUDE, True)
    with pytest.raises(anthropic.NotFoundError) as raised:
        claude.models.retrieve("anthropic/none")
    assert raised.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]


def test_anthropic_counts_for_itself(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    upstream.answers(Reply.json(200, {"input_tokens": 77}))
    tools: Any = [{"name": "f", "input_schema": {"type": "object"}}]
    counted = claude.messages.count_tokens(model=CLAUDE, messages=HELLO, system="Be brief.", tools=tools)
    assert counted.input_tokens == 77
    assert upstream.calls[-1].path.endswith("/messages/count_tokens")
    expected = {"model": "claude-sonnet-5-5", "messages": HELLO, "system": "Be brief.", "tools": tools}
    assert upstream.calls[-1].json == expected
    upstream.answers(Reply.json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}))
    assert 0 < claude.messages.count_tokens(model=CLAUDE, messages=HELLO).input_tokens < 77


def test_tokens_are_counted(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "word " * 100}])
    assert 50 < counted.input_tokens < 400


SEARCHES: JSON = {"type": "web_search_20250305", "name": "web_search"}
SEARCHING: list[tuple[str, JSON]] = [
    ("/messages", {"tools": [SEARCHES]}),
    ("/messages", {"tools": [{"type": "bash_20250124", "name": "bash"}, {**SEARCHES, "max_uses": 20}]}),
    ("/chat/completions", {"web_search_options": {"search_context_size": "high"}}),
]


@pytest.mark.parametrize(("path", "fields"), SEARCHING)
def test_a_budget_limits_how_often_anthropic_searches(desk: Desk, upstream: FakeUpstream, path: str, fields: JSON) -> None:
    """As often as it affords, since each search is another pass over the prompt."""
    upstream.answers(Reply.json(200, WHOLE))
    body = {"model": CLAUDE, "messages": HELLO, "max_tokens": 100, **fields}
    assert desk.ask("POST", path, body, key=desk.key(max_budget=0.01)).status_code == 402
    told = []
    for budget in (10, 100):
        bounded = desk.ask("POST", path, body, key=desk.key(max_budget=budget))
        assert bounded.status_code == 200, bounded.text
        sent = upstream.calls[-1].json["tools"][-1]["max_uses"]
        assert bounded.headers["x-haimaker-max-tool-calls"] == str(sent)
        told.append(sent)
    assert 1 <= told[0] < told[1] == 10
    assert desk.ask("POST", path, body).status_code == 200
    unlimited = fields["tools"][-1].get("max_uses") if "tools" in fields else 10
    assert upstream.calls[-1].json["tools"][-1].get("max_uses") == unlimited
