"""Streams of providers that speak the client's format: however their bytes come, each event leaves as it was, but for the cost."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.sse import decode
from haimaker.http.values import Request, StreamEvent
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


@pytest.mark.parametrize("name", WAYS)
@given(cuts=st.lists(st.integers(min_value=0, max_value=10**6), max_size=12))
def test_events_pass_however_their_bytes_are_split(name: str, cuts: list[int]) -> None:
    tried, body, sent = WAYS[name]
    client_format = formats.find(name)
    asked = client_format.parse(Request("r1", {}, json.dumps({"model": "m", "stream": True, **body}).encode()))
    raw = "".join(f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in sent).encode()

    def settled() -> Iterator[StreamEvent]:
        usage = asked.stream_usage()
        adapter = adapters.find(asked, tried)
        yield from usage.read(adapter.from_stream(decode(iter(pieces_of(raw, cuts))), asked, tried))
        yield from usage.last_events({**usage.provider_usage, "cost": 0.5})

    told = list(decode(client_format.events(asked, settled(), "r1")))
    assert [event.name for event in told] == [event["type"] for event in sent]
    expected = json.loads(json.dumps(sent))
    ends = expected[-2] if name == "messages" else expected[-1]["response"]
    ends["usage"]["cost"] = 0.5
    assert [json.loads(event.data) for event in told] == expected
