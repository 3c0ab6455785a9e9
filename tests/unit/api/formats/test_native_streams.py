"""Streams of providers that speak the client's format: however their bytes come, each event leaves as it was, but for the cost."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import decode
from haimaker.http.values import Event, Request, StreamEvent
from haimaker.providers.registry import get
from tests.support.builders import attempt

CLAUDE: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 3}, "new": {}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "block_of_tomorrow", "deep": [{"er": None}]}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Grüße, 世界 🎈"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "delta_of_tomorrow", "x": 1.50}},
    {"type": "content_block_stop", "index": 1},
    {"type": "event_of_tomorrow", "y": [1]},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
GPT: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": [], "new": 1}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "item_of_tomorrow", "id": "x"}},
    {"type": "response.event_of_tomorrow", "y": [1]},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "Grüße, ", "logprobs": [], "obfuscation": "a"},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "世界 🎈", "logprobs": []},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "!", "logprobs": []},
    {
        "type": "response.completed",
        "response": {"id": "r", "status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 2}},
    },
]
WAYS: dict[str, tuple[Any, dict[str, Any], list[dict[str, Any]]]] = {
    "messages": (attempt("anthropic/claude-opus-5-5"), {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}, CLAUDE),
    "responses": (attempt("openai/gpt-5.4", provider=get("openai").operations["responses"]), {"input": "Hi", "store": False}, GPT),
}


def pieces_of(raw: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[begin:end] for begin, end in pairwise(places)]


def written(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def passed(name: str, pieces: Iterable[bytes]) -> Iterator[Event]:
    tried, body, _ = WAYS[name]
    client_format = formats.find(name)
    asked = client_format.parse(Request("r1", {}, json.dumps({"model": "m", "stream": True, **body}).encode()))

    def settled() -> Iterator[StreamEvent]:
        usage = asked.stream_usage()
        adapter = adapters.find(asked, tried)
        yield from usage.read(adapter.from_stream(decode(iter(pieces)), asked, tried))
        yield from usage.last_events({**(usage.provider_usage or {}), "cost": 0.5})

    return decode(client_format.events(asked, settled(), "r1"))


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize(
    "event",
    [
        b'{"type":"a\\nid: 7"}',
        b'{"type":"\\ud800"}',
        b'{"type":{"a":1},"message":[],"delta":5,"content_block":"x","usage":"y","response":[1]}',
        b'[{"type":"x"},5]',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":[5]}',
        b'{"type":"response.output_text.delta","output_index":[1],"delta":"a","logprobs":true}',
        b'{"type":"response.output_item.done","output_index":{},"item":{"type":"message","content":[{"text":"a","logprobs":5}]}}',
        b'{"type":"response.completed","response":{"id":5,"output":"x","usage":"y"}}',
    ],
)
def test_what_is_odd_is_told_in_json_or_is_the_providers_error(name: str, place: int, event: bytes) -> None:
    """Each event is an object on its own line, and no name of an event begins another line."""
    events = [*map(written, WAYS[name][2])]
    events.insert(place, b"data: %b\n\n" % event)
    with suppress(BadGatewayError):
        for told in passed(name, events):
            assert isinstance(json.loads(told.data), dict)
            assert told.name.isascii()
            assert b"id: 7\n" not in told.data


@pytest.mark.parametrize("name", WAYS)
@given(cuts=st.lists(st.integers(min_value=0, max_value=10**6), max_size=12))
def test_events_pass_however_their_bytes_are_split(name: str, cuts: list[int]) -> None:
    sent = WAYS[name][2]
    raw = b"".join(map(written, sent))
    told = list(passed(name, pieces_of(raw, cuts)))
    assert [event.name for event in told] == [event["type"] for event in sent]
    expected = json.loads(json.dumps(sent))
    ends = expected[-2] if name == "messages" else expected[-1]["response"]
    ends["usage"]["cost"] = 0.5
    assert [json.loads(event.data) for event in told] == expected
