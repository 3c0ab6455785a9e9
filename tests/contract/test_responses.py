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
    assert raw.headers["x-haimaker-dropped-params"] == "tools[1]"
    sent = upstream.calls[-1].json["tools"]
    assert [tool["function"]["name"] for tool in sent] == ["web__get_weather", "apply_patch"]


def test_errors_are_openais(client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="Hi", background=True)
    assert raised.value.param == "background"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=desk.url, api_key="sk-hm-nobody", max_retries=0).responses.create(model=MODEL, input="Hi")
    chunk = {"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": "Rain."}, "finish_reason": None}]}
    upstream.answers(Reply.sse([chunk], done=False))
    *_, error, failed = client.responses.create(model=MODEL, input="Hi", stream=True)
    assert (error.type, failed.type) == ("error", "response.failed")
    assert failed.response.error.code == "stream_interrupted"  # type: ignore[union-attr]


def test_a_websocket_is_not_to_be_had(desk: Desk) -> None:
    refused = desk.ask("GET", "/responses", key=None)
    assert (refused.status_code, refused.json()["error"]["code"]) == (426, "websocket_not_supported")


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
        [program] = [text for text in GUIDE.written_in("python") if "client.responses" in text]
        done = subprocess.run(
            [sys.executable, "-c", program.replace(ADDRESS, served.address)], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "1 2 3"
