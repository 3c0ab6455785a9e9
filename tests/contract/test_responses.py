"""OpenAI's SDK asks for Responses: of a provider that speaks them, which is passed on, and of others, by a translation."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from haimaker.http.values import JSON
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, only_record, price
from tests.contract.test_messages import chat_reply
from tests.support.documentation import ADDRESS, Guide, run, serve, shape
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Bern"}'}}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": True}
TEXT_EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


class Answer(BaseModel):
    city: str


def test_text_is_told_in_nine_events(client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream) -> None:
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=True))
    events = list(client.responses.create(model=MODEL, input="Hi", instructions="Be brief.", stream=True))
    assert [event.type for event in events] == TEXT_EVENTS
    assert [event.sequence_number for event in events] == list(range(9))
    assert upstream.calls[-1].json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    record, last = only_record(desk, key), events[-1].response  # type: ignore[union-attr]
    assert (record.detail["client_format"], record.cost_nanousd) == ("responses", price(12, 5))
    assert (last.output_text, last.instructions, last.usage.input_tokens) == ("Rain.", "Be brief.", 12)
    assert last.usage.cost == record.detail["cost_usd"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_turn_has_the_first_ones_reasoning_and_calls(
    client: openai.OpenAI, upstream: FakeUpstream, stream: bool
) -> None:
    message = {"reasoning_content": "Hm.", "content": "Let me see.", "tool_calls": [CALL]}
    upstream.answers(chat_reply(message, "tool_calls", stream=stream), chat_reply({"content": "Rain."}, "stop", stream=False))
    asked: Any = {"model": MODEL, "tools": [WEATHER], "store": False, "include": ["reasoning.encrypted_content"]}
    question: Any = [{"role": "user", "content": "Weather?"}]
    if stream:
        with client.responses.stream(**asked, input=question) as events:
            answer: Any = events.get_final_response()
    else:
        answer = client.responses.create(**asked, input=question)
    reasoning, text, call = answer.output
    assert (reasoning.summary[0].text, text.content[0].text, call.call_id) == ("Hm.", "Let me see.", "call_1")
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    turns = [*question, *(item.model_dump(exclude_none=True) for item in answer.output), result]
    assert client.responses.create(**asked, input=turns).output_text == "Rain."
    said, told = upstream.calls[-1].json["messages"][1:]
    assert (said["content"], said["tool_calls"]) == ("Let me see.", [CALL])
    assert (told["role"], told["content"]) == ("tool", "rain")


def test_structured_answers_are_parsed(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.answers(chat_reply({"content": '{"city": "Bern"}'}, "stop", stream=False))
    parsed = client.responses.parse(model=MODEL, input="Hi", text_format=Answer).output_parsed
    assert parsed == Answer(city="Bern")
    assert upstream.calls[-1].json["response_format"]["type"] == "json_schema"


def test_codexs_tools_reach_any_model_and_come_back(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    """Namespaces are flattened, freeform tools are functions of one text, a search that must stay offline is left out."""
    patch = {"type": "custom", "name": "apply_patch", "description": "d", "format": {"type": "text"}}
    tools: Any = [
        {"type": "namespace", "name": "web", "description": "The web.", "tools": [WEATHER]},
        {"type": "web_search", "external_web_access": False},
        patch,
    ]
    spaced = {**CALL, "function": {**CALL["function"], "name": "web__get_weather"}}  # type: ignore[dict-item]
    upstream.answers(chat_reply({"content": None, "tool_calls": [spaced]}, "tool_calls", stream=False))
    raw = client.responses.with_raw_response.create(model=MODEL, input="Hi", tools=tools, store=False)
    [call] = raw.parse().output
    assert (call.name, call.namespace) == ("get_weather", "web")  # type: ignore[union-attr]
    assert raw.headers["x-haimaker-dropped-params"] == "tools[0].description,tools[1]"
    sent = upstream.calls[-1].json["tools"]
    assert [tool["function"]["name"] for tool in sent] == ["web__get_weather", "apply_patch"]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}},
        {"type": "file_search", "vector_store_ids": ["vs_shared", "vs_1"]},
        {"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_1"}},
        {"type": "shell", "environment": {"type": "container_auto", "file_ids": ["file-1"]}},
        {
            "type": "shell",
            "environment": {"type": "container_auto", "skills": [{"type": "skill_reference", "skill_id": "skill_1"}]},
        },
    ],
)
def test_what_others_may_have_at_the_provider_is_not_found(client: openai.OpenAI, tool: Any) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=GPT, input="Hi", tools=[tool])


SHARED: list[JSON] = [
    {"tools": [{"type": "file_search", "vector_store_ids": ["vs_shared"]}]},
    {"tools": [{"type": "code_interpreter", "container": "cntr_shared"}]},
    {"tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_shared"}}]},
    {
        "tools": [
            {
                "type": "shell",
                "environment": {
                    "type": "container_auto",
                    "skills": [{"type": "skill_reference", "skill_id": name} for name in ("skill_shared", "openai-spreadsheets")],
                },
            }
        ]
    },
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-shared"]}}]},
    {"prompt": {"id": "pmpt_shared", "variables": {"a": "b"}}},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-shared"}]}]},
]


@pytest.mark.parametrize("fields", SHARED)
def test_what_the_deployer_allows_everybody_may_name(client: openai.OpenAI, upstream: FakeUpstream, fields: JSON) -> None:
    """At the provider that has it."""
    upstream.answers(Reply.json(200, WHOLE))
    body = {"model": GPT, "input": "Hi", **fields}
    assert client.post("/responses", body=body, cast_to=object)
    assert {name: upstream.calls[-1].json[name] for name in fields} == fields
    if "tools" not in fields:
        asked = len(upstream.calls)
        with pytest.raises(openai.BadRequestError):
            client.post("/responses", body={**body, "model": MODEL}, cast_to=object)
        assert len(upstream.calls) == asked


@pytest.mark.parametrize(
    ("items", "nanousd"),
    [
        ([], 0),
        ([{"type": "web_search_call", "action": {"type": "search"}}] * 2, 20_000_000),
        ([{"type": "web_search_call", "action": {"type": "find_in_page"}}], 0),
        ([{"type": "file_search_call", "queries": ["a"]}], 2_500_000),
        ([{"type": "code_interpreter_call", "container_id": "c1"}] * 3, 120_000_000),
        ([{"type": "code_interpreter_call", "container_id": name} for name in ("c1", "c2")], 240_000_000),
        ([{"type": "computer_call"}, {"type": "mcp_call"}, {"type": "local_shell_call"}], 0),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_items_that_cost_are_priced(
    desk: Desk, key: str, upstream: FakeUpstream, items: list[JSON], nanousd: int, stream: bool
) -> None:
    """https://platform.openai.com/docs/pricing#built-in-tools, with containers of 4 GB"""
    said = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    tool = {"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}}
    output = [*({"id": f"i_{number}", **item} for number, item in enumerate(items)), said]
    answer = {**WHOLE, "output": output, "tools": [tool]}
    upstream.answers(named(events_of(answer)) if stream else Reply.json(200, answer))
    kinds: list[JSON] = [tool, {"type": "web_search"}, {"type": "file_search"}]
    response = desk.ask("POST", "/responses", {"model": GPT, "input": "Hi", "tools": kinds, "stream": stream}, key=key)
    assert response.status_code == 200
    tokens = 12 * 2_500 + 8 * 250 + 9 * 15_000
    assert only_record(desk, key).cost_nanousd == tokens + nanousd


def test_a_budget_holds_for_tools(desk: Desk, upstream: FakeUpstream) -> None:
    """What ten searches over a whole prompt may cost is reserved before they are run; drawing has no price."""
    upstream.answers(Reply.json(200, WHOLE))
    body = {"model": GPT, "input": "Hi", "max_output_tokens": 100, "tools": [{"type": "web_search"}]}
    assert desk.ask("POST", "/responses", body, key=desk.key(max_budget=0.1)).status_code == 402
    for budget, calls in ((0.8, "1"), (2.5, "2"), (20, "10")):
        bounded = desk.ask("POST", "/responses", body, key=desk.key(max_budget=budget))
        assert (bounded.status_code, bounded.headers["x-haimaker-max-tool-calls"]) == (200, calls), "as many as it affords"
        assert upstream.calls[-1].json["max_tool_calls"] == int(calls)
    assert desk.ask("POST", "/responses", body).status_code == 200
    assert "max_tool_calls" not in upstream.calls[-1].json
    drawn = desk.ask("POST", "/responses", {**body, "tools": [{"type": "image_generation"}]}, key=desk.key(max_budget=20))
    assert drawn.json()["error"]["code"] == "model_not_priced"


def test_a_conversation_is_made_shorter(client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream) -> None:
    """By the provider where it can, else by a summary that any model can go on with."""
    compacted = {"id": "resp_c", "object": "response.compaction", "created_at": 1, "output": [], "usage": {**USED}}
    upstream.answers(Reply.json(200, compacted))
    assert client.responses.compact(model=GPT, input="Hi").object == "response.compaction"
    assert upstream.calls[-1].path.endswith("/responses/compact")
    assert only_record(desk, key).detail["output_tokens"] == 9
    upstream.answers(chat_reply({"content": "It rained."}, "stop", stream=False))
    [item] = client.responses.compact(model=MODEL, input="Hi").output
    for model, field in ((MODEL, "messages"), (GPT, "input")):
        upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=False) if model == MODEL else Reply.json(200, WHOLE))
        turns: Any = [item.model_dump(exclude_none=True), {"role": "user", "content": "Really?"}]
        client.responses.create(model=model, input=turns, store=False)
        first = upstream.calls[-1].json[field][0]
        assert (first["role"], "It rained." in json.dumps(first)) == ("user", True)
    foreign: Any = [{"type": "compaction", "encrypted_content": "gAAA"}, {"role": "user", "content": "Hi"}]
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input=foreign)


def test_errors_are_openais(client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="Hi", background=True, store=False)
    assert raised.value.param == "background"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=desk.url, api_key="sk-hm-nobody", max_retries=0).responses.create(model=MODEL, input="Hi")
    chunk = {"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": "Rain."}, "finish_reason": None}]}
    upstream.answers(Reply.sse([chunk], done=False))
    *_, error, failed = client.responses.create(model=MODEL, input="Hi", stream=True)
    assert (error.type, failed.type) == ("error", "response.failed")
    assert failed.response.error.code == "server_error"  # type: ignore[union-attr]


def test_a_websocket_is_not_to_be_had(desk: Desk) -> None:
    refused = desk.ask("GET", "/responses", key=None)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["code"]) == (426, "invalid_request_error", "websocket_not_supported")


@pytest.mark.parametrize("path", ["/../openai/v1/responses", "/../openai/responses?api-version=preview", "/../responses"])
def test_azures_paths(desk: Desk, key: str, path: str) -> None:
    answer = desk.ask("POST", path, {"model": "demo/echo", "input": "Hi"}, key=key)
    assert answer.json()["output"][0]["content"][0]["text"] == "Hi"


def test_tokens_are_counted(client: openai.OpenAI) -> None:
    assert 50 < client.responses.input_tokens.count(model=MODEL, input="word " * 100).input_tokens < 400


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_can_be_tried_without_a_provider(client: openai.OpenAI, stream: bool) -> None:
    """`demo/agent` calls a tool once, answers in the shape that is asked for, and is always certain."""

    def ask(**fields: Any) -> Any:
        if not stream:
            return client.responses.create(model="demo/agent", **fields)
        with client.responses.stream(model="demo/agent", **fields) as events:
            return events.get_final_response()

    first = ask(input="Hi", tools=[WEATHER])
    [call] = first.output
    assert json.loads(call.arguments) == {"city": ""}
    turns: Any = [{"role": "user", "content": "Hi"}, call.model_dump(exclude_none=True)]
    turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "rain"})
    assert ask(input=turns, tools=[WEATHER]).output_text == "The tool says: rain"
    assert ask(input="Hi", tools=[WEATHER], tool_choice="none").output_text == "Hi"
    certain: JSON = {"include": ["message.output_text.logprobs"]}
    assert [one.logprob for one in ask(input="Hi you", **certain).output[0].content[0].logprobs] == [0.0, 0.0]
    wanted: Any = {"format": {"type": "json_schema", "name": "n", "schema": PARAMETERS, "strict": True}}
    assert json.loads(ask(input="Hi", text=wanted).output_text) == {"city": ""}


GUIDE = Guide.read("docs/formats.md")


def test_the_guide_works(tmp_path: Path) -> None:
    for served in serve(tmp_path):
        [command] = [text for text in GUIDE.written_in("sh") if "/v1/responses" in text]
        assert shape(json.loads(run(command, served))) == shape(json.loads(GUIDE.after(command)))
        [program] = [text for text in GUIDE.written_in("python") if "client.responses.stream" in text]
        done = subprocess.run(
            [sys.executable, "-c", program.replace(ADDRESS, served.address)], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "1 2 3"


GPT = "openai/gpt-5.4"
OUTPUT: list[JSON] = [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAAAA"},
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "Bern"}},
    {"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "https://a.example"}},
    {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "phase": "final_answer",
        "content": [{"type": "output_text", "text": "Rain.", "annotations": [], "logprobs": []}],
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": '{"city":"Bern"}',
    },
    {"id": "x_1", "type": "item_of_tomorrow", "what": {"ever": [1, None]}},
]
USED = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
    "field_of_tomorrow": 1,
}
WHOLE: JSON = {
    "id": "resp_01",
    "object": "response",
    "created_at": 7,
    "status": "completed",
    "model": "gpt-5.4-2026-03-05",
    "output": OUTPUT,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": USED,
    "field_of_tomorrow": {"a": [1]},
}


def events_of(response: JSON) -> list[JSON]:
    """The events that OpenAI makes of a response."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[JSON] = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for place, item in enumerate(response["output"]):
        where = {"item_id": item["id"], "output_index": place}
        empty: JSON = {"message": {"content": []}, "function_call": {"arguments": ""}, "reasoning": {"summary": []}}
        events.append(
            {"type": "response.output_item.added", "output_index": place, "item": {**item, **empty.get(item["type"], {})}}
        )
        if item["type"] == "message":
            part = {"content_index": 0, **where}
            events += [
                {"type": "response.content_part.added", **part, "part": {**item["content"][0], "text": ""}},
                {"type": "response.output_text.delta", **part, "delta": "Ra", "logprobs": [], "obfuscation": "x"},
                {"type": "response.output_text.delta", **part, "delta": "in.", "logprobs": []},
                {"type": "response.output_text.done", **part, "text": "Rain.", "logprobs": []},
                {"type": "response.content_part.done", **part, "part": item["content"][0]},
            ]
        elif item["type"] == "function_call":
            events += [
                {"type": "response.function_call_arguments.delta", **where, "delta": piece} for piece in ('{"city":', '"Bern"}')
            ]
            events.append({"type": "response.function_call_arguments.done", **where, "arguments": item["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": "response.completed", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def named(events: list[JSON]) -> Reply:
    return Reply.sse([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events], done=False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_speaks_responses_is_passed_on(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    """Nothing is lost in either direction, at any depth; the cost is added, the search's too."""
    upstream.answers(named(events_of(WHOLE)) if stream else Reply.json(200, WHOLE))
    asked: JSON = {
        "input": [{"role": "user", "content": "Hi"}, {"type": "item_of_tomorrow", "x": None}],
        "tools": [{"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}, WEATHER, {"type": "tool_search"}],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "max_tool_calls": 3,
        "field_of_tomorrow": {"deep": [{"er": None}]},
        **({"stream": True} if stream else {}),
    }
    mark = {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": "haimaker"}
    result = {"type": "function_call_output", "output": "4"}
    carried = {**result, "call_id": "call_1__thinking__eJyL"}
    response = desk.ask("POST", "/responses", {"model": GPT, **asked, "input": [mark, carried, *asked["input"]]}, key=key)
    sent = {**asked, "input": [{**result, "call_id": "call_1"}, *asked["input"]]}
    assert upstream.calls[-1].json == {"model": "gpt-5.4", **sent}
    assert upstream.calls[-1].path.endswith("/responses")
    record = only_record(desk, key)
    assert (record.detail["cached_tokens"], record.detail["output_tokens"], record.detail["web_searches"]) == (8, 9, 1)
    cost = record.detail["cost_usd"]
    assert cost > 0.01
    priced = {**WHOLE, "usage": {**USED, "cost": cost}}
    if stream:
        told = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]
        expected = events_of(WHOLE)
        assert told == [*expected[:-1], {**expected[-1], "response": priced}]
    else:
        assert response.json() == priced
    assert "x-haimaker-dropped-params" not in response.headers


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_has_responses_only_chats(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream, stream: bool
) -> None:
    upstream.answers(named(events_of(WHOLE)) if stream else Reply.json(200, WHOLE))
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
    said: Any = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}],
        },
        {"role": "assistant", "content": "Well?", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    asked: Any = {"model": "openai/gpt-5-pro", "messages": said, "tools": tools, "reasoning_effort": "high", "max_tokens": 100}
    if stream:
        with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
            answer: Any = events.get_final_completion()
    else:
        answer = client.chat.completions.create(**asked)
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("Rain.", "tool_calls")
    assert choice.message.tool_calls[0].function.arguments == '{"city":"Bern"}'
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 9)
    sent = upstream.calls[-1]
    assert sent.path.endswith("/responses")
    assert sent.json == {
        "model": "gpt-5-pro",
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Hi"},
                    {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "auto"},
                ],
            },
            {"type": "message", "role": "assistant", "content": "Well?"},
            {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Bern"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        ],
        "tools": [{"type": "function", "strict": False, "name": "get_weather", "parameters": PARAMETERS}],
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 100,
        "store": False,
        **({"stream": True} if stream else {}),
    }
    assert only_record(desk, key).detail["web_searches"] == 1


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ([], "/responses"),
        (
            [WEATHER, {"type": "x_search", "allowed_x_handles": ["a"]}, {"type": "mcp", "server_url": "https://a.example"}],
            "/responses",
        ),
        ([WEATHER, {"type": "custom", "name": "apply_patch"}], "/chat/completions"),
        ([{"type": "namespace", "name": "web", "tools": [WEATHER]}], "/chat/completions"),
        ([WEATHER, {"type": "tool_of_tomorrow"}], "/chat/completions"),
    ],
)
def test_who_lacks_a_kind_of_tool_is_asked_for_a_translation(
    desk: Desk, upstream: FakeUpstream, tools: list[JSON], path: str
) -> None:
    """Codex works with it; what it searches for is billed as it says itself, and a budget covers that beforehand."""
    native = path == "/responses"
    answer = {**WHOLE, "output": OUTPUT[3:4], "usage": {**USED, "cost_in_usd_ticks": 37_756_000}}
    upstream.answers(Reply.json(200, answer) if native else chat_reply({"content": "Rain."}, "stop", stream=False))
    key = desk.key(max_budget=20)
    asked = {"model": "xai/grok-4.6", "input": "Hi", "tools": tools, "max_output_tokens": 50}
    response = desk.ask("POST", "/responses", asked, key=key)
    assert (response.status_code, upstream.calls[-1].path.endswith(path)) == (200, True), response.text
    assert response.json()["output"][0]["content"][0]["text"] == "Rain."
    if native:
        assert upstream.calls[-1].json == {**asked, "model": "grok-4.6"}
        assert only_record(desk, key).cost_nanousd == 3_775_600


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "model", ["openrouter/openai/gpt-5.4", "groq/openai/gpt-oss-120b", "fireworks_ai/accounts/fireworks/models/m"]
)
def test_who_keeps_no_responses_is_asked_natively_for_those_that_nobody_wants_kept(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream, model: str, stream: bool
) -> None:
    """Tools, reasoning and all; there is none to be asked for afterwards, and the provider is not asked for it."""
    answer = {**WHOLE, "store": False}
    upstream.answers(named(events_of(answer)) if stream else Reply.json(200, answer))
    asked: Any = {"model": model, "input": "Hi", "tools": [WEATHER], "reasoning": {"effort": "high", "summary": "auto"}}
    if stream:
        *_, done = client.responses.create(**asked, stream=True)
        told: Any = done.response  # type: ignore[union-attr]
    else:
        told = client.responses.create(**asked)
    sent, asked_of_it = upstream.calls[-1], len(upstream.calls)
    assert sent.path.endswith("/responses")
    assert sent.json == {**asked, "model": model.partition("/")[2], "store": False, **({"stream": True} if stream else {})}
    assert [item.to_dict() for item in told.output] == WHOLE["output"]
    assert "response_id" not in only_record(desk, key).detail
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(told.id)
    assert len(upstream.calls) == asked_of_it
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
    assert client.responses.create(model=model, input="Hi", store=True).output_text == "Rain."
    assert upstream.calls[-1].path.endswith("/chat/completions")


@pytest.mark.parametrize("model", ["azure/gpt-5.4", "azure/gpt-5-pro"])
def test_azure_has_responses_at_its_newer_paths(client: openai.OpenAI, upstream: FakeUpstream, model: str) -> None:
    upstream.answers(Reply.json(200, WHOLE))
    assert client.responses.create(model=model, input="Hi", store=False).output_text == "Rain."
    assert upstream.calls[-1].path.endswith("/openai/v1/responses")
    assert "api-key" in upstream.calls[-1].headers


KEPT: Any = [{"id": "rs_9", "type": "reasoning", "summary": []}, OUTPUT[3]]


def test_a_response_that_its_provider_keeps_is_found_again(
    client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    """By its key alone: of another one's there is none, and the provider is not asked."""
    answer = {**WHOLE, "output": KEPT, "store": True}
    upstream.answers(named(events_of(answer)), Reply.json(200, {**answer, "previous_response_id": "resp_01"}))
    *_, done = client.responses.create(model=GPT, input="Hi", stream=True)
    first: Any = done.response  # type: ignore[union-attr]
    assert first.id == f"resp_{only_record(desk, key).request_id}"
    options: Any = {"prompt_cache_options": {"comparison_response_id": first.id}}
    second = client.responses.create(model=GPT, input="And?", previous_response_id=first.id, extra_body=options)
    sent = upstream.calls[-1].json
    assert (sent["previous_response_id"], sent["prompt_cache_options"]["comparison_response_id"]) == ("resp_01", "resp_01")
    assert (second.previous_response_id, second.id != first.id) == (first.id, True)
    items = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    upstream.answers(
        Reply.json(200, answer),
        Reply.json(200, items),
        Reply.json(200, {**answer, "status": "cancelled"}),
        Reply.json(200, {"id": "resp_01", "object": "response", "deleted": True}),
        Reply.raw(200, b"", {}),
        Reply.json(404, {"error": {"message": "resp_01 was not found", "type": "invalid_request_error"}}),
    )
    assert client.responses.retrieve(first.id, include=["reasoning.encrypted_content"]).id == first.id
    assert upstream.calls[-1].path.partition("?")[0].endswith("/responses/resp_01")
    assert list(client.responses.input_items.list(first.id, limit=3)) == []
    assert upstream.calls[-1].path.endswith("/responses/resp_01/input_items?limit=3")
    assert client.responses.cancel(first.id).status == "cancelled"
    for deleted in ({"object": "response"}, {"object": "response.deleted"}):  # OpenAI's document has no body for it
        raw = client.responses.with_raw_response.delete(first.id)
        assert json.loads(raw.content) == {"id": first.id, "deleted": True, **deleted}
        assert upstream.calls[-1].method == "DELETE"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    wrong: Any
    for wrong in ({"object": "list", "data": []}, {**answer, "output": "Hi"}, {**answer, "id": None}, {**answer, "output": [{}]}):
        upstream.answers(Reply.json(200, wrong))
        for ask in (client.responses.retrieve, client.responses.cancel):
            with pytest.raises(openai.InternalServerError) as failed:
                ask(first.id)
            assert (failed.value.status_code, failed.value.code) == (502, "invalid_provider_response")
    upstream.answers(Reply.json(200, {**items, "data": "none"}))
    with pytest.raises(openai.InternalServerError):
        client.responses.input_items.list(first.id)
    asked = len(upstream.calls)
    stranger = openai.OpenAI(base_url=desk.url, api_key=desk.key(), max_retries=0)
    for call in (
        stranger.responses.retrieve,
        stranger.responses.delete,
        stranger.responses.cancel,
        stranger.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            call(first.id)
    foreign: Any
    for foreign in ({"previous_response_id": first.id}, options):
        with pytest.raises(openai.NotFoundError):
            stranger.responses.create(model=GPT, input="Hi", extra_body=foreign)
    assert len(upstream.calls) == asked


def test_a_team_shares_its_responses(desk: Desk, upstream: FakeUpstream) -> None:
    team = desk.admin("/team/new", team_alias="share-responses")["team_id"]
    one, other = (openai.OpenAI(base_url=desk.url, api_key=desk.key(team_id=team), max_retries=0) for _ in range(2))
    upstream.answers(Reply.json(200, {**WHOLE, "output": KEPT}))
    kept = one.responses.create(model=GPT, input="Hi")
    assert other.responses.retrieve(kept.id).id == kept.id


def test_items_that_a_key_was_told_are_named_by_their_ids(client: openai.OpenAI, desk: Desk, upstream: FakeUpstream) -> None:
    """As the AI SDK does with what it does not forbid to be stored."""
    upstream.answers(Reply.json(200, {**WHOLE, "output": KEPT}))
    client.responses.create(model=GPT, input="Hi")
    turns: Any = [{"role": "user", "content": "Hi"}, {"type": "item_reference", "id": "rs_9"}]
    client.responses.create(model=GPT, input=turns)
    assert upstream.calls[-1].json["input"] == turns
    asked = len(upstream.calls)
    stranger = openai.OpenAI(base_url=desk.url, api_key=desk.key(), max_retries=0)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.create(model=GPT, input=turns)
    assert len(upstream.calls) == asked


def test_what_nobody_keeps_can_not_be_gone_on_from(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=False))
    told = client.responses.create(model=MODEL, input="Hi")
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="And?", previous_response_id=told.id)
    assert raised.value.code == "response_not_stored"
    named: Any = [{"type": "item_reference", "id": told.output[0].id}, {"role": "user", "content": "And?"}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input=named)
    assert raised.value.code == "item_not_stored"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(told.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, input="And?", previous_response_id="resp_none")
