"""Answers that Anthropic pauses in the middle of its own tools: the gateway asks it to go on, and the client sees one answer."""

import http.client
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion

from haimaker.models.catalog import find_model
from haimaker.providers.registry import get
from haimaker.upstream.call import MAX_TURNS
from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support import event_messages, vendor_schemas
from tests.support.fake_upstream import Call, FakeUpstream, Gate, Reply
from tests.support.reply import JSON

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
MODEL = "anthropic/claude-sonnet-4-5"
TOOL: JSON = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
HOSTS: Mapping[str, JSON] = {
    MODEL: {"web_search_options": {}},
    "vertex_ai/claude-sonnet-4-5": {"web_search_options": {}},
    "azure_ai/claude-sonnet-4-5": {"web_search_options": {}},
    "bedrock_invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0": {"tools": [TOOL]},
}
"""By model, how it is asked to use a tool of its own."""
SEARCH: JSON = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "aare"}}
USAGE: JSON = {
    "input_tokens": 1_000,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "output_tokens": 100,
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
}


def message(text: str, reason: str) -> JSON:
    blocks = [{"type": "text", "text": text}, *([SEARCH] if reason == "pause_turn" else [])]
    head = {"id": f"msg_{text}", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
    return {**head, "content": blocks, "stop_reason": reason, "usage": USAGE}


def plays(call: Call, text: str, reason: str = "end_turn", gate: Gate | None = None) -> Reply:
    """As the host does whose path is asked; `gate` is opened before the end comes."""
    vendor_schemas.anthropic_types({"model": "claude", **call.json})
    made = message(text, reason)
    if not call.json.get("stream") and "stream" not in call.path.lower():
        reply = Reply.json(200, made)
        return reply.after(gate) if gate else reply
    events: list[JSON] = [{"type": "message_start", "message": {**made, "content": [], "stop_reason": None}}]
    for index, block in enumerate(made["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        piece = {"type": "text_delta", "text": text} if block["type"] == "text" else None
        piece = piece or {"type": "input_json_delta", "partial_json": '{"query": "aare"}'}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events.append({"type": "content_block_delta", "index": index, "delta": piece})
        events.append({"type": "content_block_stop", "index": index})
    end: list[JSON] = [{"type": "message_delta", "delta": {"stop_reason": reason, "container": {"id": "c1"}}, "usage": USAGE}]
    end.append({"type": "message_stop"})
    if "invoke-with-response-stream" in call.path:
        framed = [("chunk", {"bytes": b64encode(json.dumps(event).encode()).decode()}) for event in (*events, *end)]
        return Reply.raw(200, event_messages.stream(framed), {"content-type": "application/vnd.amazon.eventstream"})
    return Reply.sse([*events, *([gate] if gate else []), *end], done=False)


def broken(call: Call, text: str) -> Reply:
    """A turn that is cut behind its text."""
    reply = plays(call, text)
    return reply.cut(after_events=3) if call.json.get("stream") else replace(reply, body=(reply.body[0][:20],), end="close")


def turns(*texts: str, last: str = "end_turn") -> list[Any]:
    def reply(text: str, reason: str) -> Any:
        return lambda call: plays(call, text, reason)

    return [*(reply(text, "pause_turn") for text in texts[:-1]), reply(texts[-1], last)]


def ask(desk: Desk, key: str, *, stream: bool, model: str = MODEL) -> ChatCompletion:
    asked: JSON = {"model": model, "messages": [{"role": "user", "content": "Where does it flow?"}], **HOSTS[model]}
    client = sdk(desk, key)
    if not stream:
        return client.chat.completions.create(**asked)
    state = ChatCompletionStreamState()
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot  # type: ignore[return-value]


@WAYS
@pytest.mark.parametrize("host", HOSTS)
def test_a_paused_answer_goes_on_and_all_of_it_is_charged(
    desk: Desk, key: str, upstream: FakeUpstream, host: str, stream: bool
) -> None:
    upstream.answers(*turns("The Aare ", "flows ", "through Bern."))
    seen = len(upstream.calls)
    answer = ask(desk, key, stream=stream, model=host)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("The Aare flows through Bern.", "stop")
    first, second, third = (call.json for call in upstream.calls[seen:])
    said = {"role": "assistant", "content": [{"type": "text", "text": "The Aare "}, SEARCH]}
    assert second == {**first, "messages": [*first["messages"], said], **({"container": "c1"} if stream else {})}
    assert len(third["messages"][-1]["content"]) == 4
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3_000, 300)
    provider, _, name = host.partition("/")
    model = find_model(get(provider).catalog.priced_as or provider, name)
    assert model is not None
    rates = {name: float(rate) for name, rate in model.rates.items()}
    searches = 3 * 0.01
    cost = 3_000 * rates["input_cost_per_token"] + 300 * rates["output_cost_per_token"] + searches
    assert only_record(desk, key).detail["cost_usd"] == pytest.approx(cost)


@WAYS
def test_a_client_that_leaves_in_the_second_turn_pays_for_both(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    """What the first has used, by its count, and of the second what came."""
    gate, seen = upstream.gate(), len(upstream.calls)
    upstream.answers(turns("The Aare ", "")[0], lambda call: plays(call, "flows ", gate=gate))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Where?"}], **HOSTS[MODEL], "stream": stream}
    host, port = desk.url.split("/")[2].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), {"authorization": f"Bearer {key}"})
    upstream.wait_for_calls(seen + 2)
    if stream:
        answer = connection.getresponse()
        while b"flows" not in answer.readline():
            pass
        answer.close()
    connection.close()
    assert upstream.calls[-1].closed_by_client.wait(3)
    gate.open()
    desk.settled(key)
    detail = only_record(desk, key).detail
    assert (detail["http_status"], detail["error"]) == (499, "client_left")
    assert detail["input_tokens"] == 1_000 + (1_000 if stream else 1_100)
    assert detail["output_tokens"] >= 100
    assert desk.money(key)[0] == only_record(desk, key).cost_nanousd > 0


@WAYS
@pytest.mark.parametrize(
    ("reply", "arrives"),
    [(lambda call: Reply.hangup(), "The Aare "), (lambda call: broken(call, "flows "), "The Aare flows ")],
    ids=["before its head", "in its middle"],
)
def test_a_second_turn_that_breaks_off(
    desk: Desk, key: str, upstream: FakeUpstream, reply: Any, arrives: str, stream: bool
) -> None:
    """What was said before is an answer that ends there, but for a stream whose client has begun to read what follows."""
    upstream.answers(turns("The Aare ", "")[0], reply)
    breaks = stream and arrives.endswith("flows ")
    if breaks:
        with pytest.raises(openai.APIError):
            ask(desk, key, stream=True)
    else:
        answer = ask(desk, key, stream=stream)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("The Aare ", "length")
    detail = only_record(desk, key).detail
    read_again = 0 if arrives == "The Aare " else 1_000 if stream else 1_100
    assert detail["input_tokens"] == 1_000 + read_again
    assert detail["output_tokens"] >= 100
    desk.settled(key)


def test_a_call_that_its_limit_cut_beside_tools_of_its_own(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    """Its arguments are no JSON."""

    def reply(call: Call) -> Reply:
        block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
        events: list[JSON] = [{"type": "message_start", "message": {**message("", "max_tokens"), "content": []}}]
        events.append({"type": "content_block_start", "index": 0, "content_block": block})
        piece = {"type": "input_json_delta", "partial_json": '{"city": "Zü'}
        events.append({"type": "content_block_delta", "index": 0, "delta": piece})
        events.append({"type": "content_block_stop", "index": 0})
        events.append({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": USAGE})
        return Reply.sse([*events, {"type": "message_stop"}], done=False)

    upstream.answers(reply)
    answer = ask(desk, key, stream=True)
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.arguments == '{"city": "Zü'  # type: ignore[union-attr]
    assert answer.choices[0].finish_reason == "length"


@WAYS
def test_it_goes_on_five_times_at_most(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    upstream.answers(lambda call: plays(call, "a", "pause_turn"))
    seen = len(upstream.calls)
    answer = ask(desk, key, stream=stream)
    assert len(upstream.calls) - seen == MAX_TURNS == 5
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("aaaaa", "length")


@WAYS
def test_it_ends_where_it_is_paused_if_it_can_not_go_on(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    upstream.answers(
        turns("Half.", "")[0], Reply.json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})
    )
    answer = ask(desk, key, stream=stream)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Half.", "length")
    assert only_record(desk, key).detail["input_tokens"] == 1_000


@WAYS
def test_each_turn_has_its_whole_prompt_reserved(desk: Desk, upstream: FakeUpstream, stream: bool) -> None:
    """Beside what the turns before it have used: a budget for no more than one turn ends the answer where it is paused."""
    rich = desk.key(max_budget=1_000)
    upstream.answers(*turns("All."))
    assert ask(desk, rich, stream=stream).choices[0].message.content == "All."
    held = only_record(desk, rich).detail["held_usd"]
    short, long = desk.key(max_budget=1.0005 * held), desk.key(max_budget=1.05 * held)
    upstream.answers(*turns("Half", " and half."))
    assert ask(desk, short, stream=stream).choices[0].message.content == "Half"
    upstream.answers(*turns("Half", " and half."))
    assert ask(desk, long, stream=stream).choices[0].message.content == "Half and half."
    desk.settled(rich, short, long)
