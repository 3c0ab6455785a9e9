"""Answers that Anthropic pauses in the middle of its own tools: the gateway asks it to go on, and the client sees one answer."""

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion

from haimaker.models.catalog import find_model
from haimaker.upstream.call import MAX_TURNS
from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support import vendor_schemas
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
MODEL = "anthropic/claude-sonnet-4-5"
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


def plays(call: Call, text: str, reason: str = "end_turn") -> Reply:
    vendor_schemas.anthropic_types(call.json)
    made = message(text, reason)
    if not call.json.get("stream"):
        return Reply.json(200, made)
    events: list[JSON] = [{"type": "message_start", "message": {**made, "content": [], "stop_reason": None}}]
    for index, block in enumerate(made["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        piece = {"type": "text_delta", "text": text} if block["type"] == "text" else None
        piece = piece or {"type": "input_json_delta", "partial_json": '{"query": "aare"}'}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events.append({"type": "content_block_delta", "index": index, "delta": piece})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": reason, "container": {"id": "c1"}}, "usage": USAGE})
    return Reply.sse([*events, {"type": "message_stop"}], done=False)


def turns(*texts: str, last: str = "end_turn") -> list[Any]:
    def reply(text: str, reason: str) -> Any:
        return lambda call: plays(call, text, reason)

    return [*(reply(text, "pause_turn") for text in texts[:-1]), reply(texts[-1], last)]


def ask(desk: Desk, key: str, *, stream: bool) -> ChatCompletion:
    asked: JSON = {"model": MODEL, "messages": [{"role": "user", "content": "Where does it flow?"}], "web_search_options": {}}
    client = sdk(desk, key)
    if not stream:
        return client.chat.completions.create(**asked)
    state = ChatCompletionStreamState()
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot  # type: ignore[return-value]


@WAYS
def test_a_paused_answer_goes_on_and_all_of_it_is_charged(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    upstream.answers(*turns("The Aare ", "flows ", "through Bern."))
    seen = len(upstream.calls)
    answer = ask(desk, key, stream=stream)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("The Aare flows through Bern.", "stop")
    first, second, third = (call.json for call in upstream.calls[seen:])
    said = {"role": "assistant", "content": [{"type": "text", "text": "The Aare "}, SEARCH]}
    assert second == {**first, "messages": [*first["messages"], said], **({"container": "c1"} if stream else {})}
    assert len(third["messages"][-1]["content"]) == 4
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3_000, 300)
    model = find_model(*MODEL.split("/"))
    assert model is not None
    rates = {name: float(rate) for name, rate in model.rates.items()}
    searches = 3 * 0.01
    cost = 3_000 * rates["input_cost_per_token"] + 300 * rates["output_cost_per_token"] + searches
    assert only_record(desk, key).detail["cost_usd"] == pytest.approx(cost)


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
