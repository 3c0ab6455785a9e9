"""What holds of Anthropic's adapter for whatever a client or the provider sends."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker.adapters.anthropic import chat, failures, names, thinking_ids
from haimaker.adapters.anthropic.answer import merge_deltas
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent
from haimaker.operations.chat import parse_chat
from tests.support.builders import chat_request, result_of
from tests.unit.adapters.claude import OPUS_48, SONNET_45, attempt, call

WORDS = st.text(max_size=6)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
SPELLED = ["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "image", "fallback", "hologram"]
KINDS = st.sampled_from(SPELLED)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[JSON]:
    """An object in which each field may be missing or be anything."""
    return st.fixed_dictionaries({}, optional={name: strategy | ANYTHING for name, strategy in fields.items()})


PARTS = some(
    type=st.sampled_from(["text", "image_url", "file", "refusal", "thinking", "tool_result"]),
    text=WORDS,
    image_url=some(url=st.sampled_from(["data:image/png;base64,AA", "data:,%F0", "data:text/plain;base64,/w", "https://a/b"])),
    file=some(file_data=st.sampled_from(["data:application/pdf;base64,AA", "data:text/x;base64,éé", "AA"]), file_id=WORDS),
    cache_control=some(type=st.just("ephemeral")),
)
CALLS = some(id=WORDS, function=some(name=WORDS, arguments=WORDS | st.sampled_from(["{}", '{"a": 1}', "NaN", "1e999", "[" * 999])))
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "oracle"])},
    optional={
        "content": WORDS | st.lists(PARTS, max_size=2),
        "tool_calls": st.lists(CALLS, max_size=2),
        "tool_call_id": WORDS,
        "name": WORDS,
        "function_call": some(name=WORDS, arguments=WORDS) | ANYTHING,
        "thinking_blocks": st.lists(some(type=KINDS, thinking=WORDS, signature=WORDS, data=WORDS)) | ANYTHING,
    },
)
BODIES = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, min_size=1, max_size=4)},
    optional={
        "tools": st.lists(some(type=st.just("function"), function=some(name=WORDS, parameters=ANYTHING)), max_size=2),
        "tool_choice": st.sampled_from(["auto", "none", "required"]) | ANYTHING,
        "functions": ANYTHING,
        "function_call": ANYTHING,
        "response_format": some(type=st.sampled_from(["json_object", "json_schema"]), json_schema=some(schema=ANYTHING)),
        "reasoning_effort": st.sampled_from(["none", "low", "max"]) | ANYTHING,
        "thinking": some(type=st.just("enabled")) | ANYTHING,
        "web_search_options": some(user_location=some(approximate=some(city=WORDS))) | ANYTHING,
        "metadata": ANYTHING,
        "output_config": ANYTHING,
        "system": ANYTHING,
        "drop_params": st.just(True),
        "temperature": st.floats(0, 2),
    },
)


@settings(max_examples=150, deadline=None)
@given(BODIES, st.sampled_from([SONNET_45, OPUS_48, "claude-3-haiku-20240307", "claude-opus-5-5"]))
def test_any_request_is_a_call_or_a_bad_request(body: JSON, model: str) -> None:
    try:
        request = chat.to_upstream(*_asked(body, model))
    except BadRequestError:
        return
    turns = json.loads(request.body)["messages"]
    roles = [turn["role"] for turn in turns]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    assert all(turn["content"] for turn in turns)


def _asked(body: JSON, model: str) -> Any:
    return parse_chat(dumps({"model": model, **body})), attempt(model)


CONVERSATION = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "calls", "system"]), st.text(min_size=1, max_size=8)), min_size=1, max_size=8
)


@settings(max_examples=100, deadline=None)
@given(CONVERSATION, st.randoms(use_true_random=False), st.sampled_from([SONNET_45, OPUS_48]))
def test_results_come_first_after_their_calls_in_any_order(said: list[tuple[str, str]], random: Any, model: str) -> None:
    messages: list[JSON] = []
    for position, (role, content) in enumerate(said):
        if role != "calls":
            messages.append({"role": role, "content": content})
            continue
        ids = [f"{position}:{number}" for number in range(3)]
        functions = [{"id": identifier, "function": {"name": "f", "arguments": "{}"}} for identifier in ids]
        results = [{"role": "tool", "tool_call_id": identifier, "content": content} for identifier in ids]
        random.shuffle(results)
        messages += [{"role": "assistant", "tool_calls": functions}, *results]
    turns = call({"messages": messages}, model)["messages"]
    for turn, following in pairwise(turns):
        called = {block["id"] for block in turn["content"] if block["type"] == "tool_use"}
        answered = [block["type"] == "tool_result" for block in following["content"]]
        assert answered == sorted(answered, reverse=True)
        assert called == {block["tool_use_id"] for block in following["content"] if block["type"] == "tool_result"}


BLOCKS = some(
    type=KINDS,
    text=WORDS,
    thinking=WORDS,
    signature=WORDS,
    data=WORDS,
    id=WORDS,
    name=WORDS | st.just(names.ANSWER_TOOL),
    input=st.dictionaries(WORDS, ANYTHING, max_size=2),
    citations=st.lists(some(url=st.just("https://a/b"), title=WORDS), max_size=2),
    to=some(model=WORDS),
)
USAGE = some(input_tokens=st.integers(), output_tokens=st.integers(), cache_creation=some(ephemeral_1h_input_tokens=st.integers(0)))
REASONS = st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn", "other"])
DELTAS = some(
    type=st.sampled_from(["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta", "other"]),
    text=WORDS,
    thinking=WORDS,
    signature=WORDS,
    partial_json=WORDS,
    citation=some(url=st.just("https://a/b")),
    stop_reason=REASONS,
    stop_details=some(explanation=WORDS),
)
EVENTS = some(
    type=st.sampled_from(
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
        ]
    ),
    index=st.integers(0, 3),
    message=some(id=WORDS, model=WORDS, content=st.lists(BLOCKS, max_size=2), usage=USAGE),
    content_block=BLOCKS,
    delta=DELTAS,
    usage=USAGE,
)


def streamed(events: list[Any]) -> list[StreamEvent]:
    return list(chat.from_stream([Event(json.dumps(event).encode()) for event in events], chat_request(), attempt()))


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=8))
def test_any_events_are_chunks_or_an_api_error(events: list[JSON]) -> None:
    chunks: list[StreamEvent] = []
    try:
        for chunk in chat.from_stream([Event(json.dumps(event).encode()) for event in events], chat_request(), attempt()):
            chunks.append(chunk)
    except APIError:
        return
    choices = [choice for chunk in chunks for choice in chunk.body["choices"]]
    assert [bool(choice["finish_reason"]) for choice in choices] == [False] * (len(choices) - 1) + [True]
    assert choices[0]["delta"]["role"] == "assistant"
    begun = [piece["index"] for choice in choices for piece in choice["delta"].get("tool_calls", ()) if "id" in piece]
    assert begun == list(range(len(begun)))


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=5), REASONS, USAGE)
def test_chunks_fold_into_the_whole_answer(blocks: list[JSON], reason: str, usage: JSON) -> None:
    body = {"id": "m", "model": "c", "content": blocks, "stop_reason": reason, "usage": usage}
    starts = [[{"type": "content_block_start", "index": i, "content_block": block}] for i, block in enumerate(blocks)]
    events = [event for start in starts for event in [*start, {"type": "content_block_stop", "index": start[0]["index"]}]]
    ends = [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]
    chunks = streamed([{"type": "message_start", "message": {**body, "content": []}}, *events, *ends])
    whole = result_of(chat, body, attempt())
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.body["choices"]]
    assert merge_deltas(deltas) == whole["choices"][0]["message"]
    assert chunks[-2 if "usage" in whole else -1].body["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert chunks[-1].body.get("usage") == whole.get("usage")


@given(ANYTHING | some(error=some(type=WORDS, message=WORDS)))
def test_any_body_of_an_error_can_be_read(body: Any) -> None:
    failures.read_error(body)


@given(st.text(min_size=1, max_size=40) | st.sampled_from([names.ANSWER_TOOL, "enc__a", "enc___2E", "get_weather"]))
def test_names_come_back(name: str) -> None:
    encoded = names.encode(name, "name") if len(name.encode("utf-8", "surrogatepass")) <= 40 else "too_long"
    assert names.PLAIN.fullmatch(encoded)
    assert encoded != names.ANSWER_TOOL
    assert names.decode(encoded) == (name if encoded != "too_long" else encoded)


THINKING = st.builds(lambda t, s: {"type": "thinking", "thinking": t, "signature": s}, WORDS, WORDS)
REDACTED = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS)
PLACED = st.builds(thinking_ids.PlacedBlock, st.integers(0, 99), THINKING | REDACTED)


@given(
    st.builds(thinking_ids.Call, st.sampled_from(["toolu_01", "x-1"]), st.integers(0, 99), st.lists(PLACED, min_size=1).map(tuple))
)
def test_ids_bring_thinking_back(said: thinking_ids.Call) -> None:
    packed = thinking_ids.pack(said)
    assert names.call_id(packed) == packed
    assert thinking_ids.unpack(packed) == said


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null"])
def test_an_event_that_is_no_object_breaks_the_stream_off(data: bytes) -> None:
    with pytest.raises(APIError) as raised:
        list(chat.from_stream([Event(data)], chat_request(), attempt()))
    assert raised.value.code == "stream_interrupted"
