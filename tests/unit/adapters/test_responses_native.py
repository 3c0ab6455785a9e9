"""OpenAI's Responses at a provider that speaks them: whatever a client sends and whatever comes back passes, at any depth."""

import json
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.sse import decode, dumps
from haimaker.http.values import JSON, Event, Request
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import UpstreamBody
from haimaker.providers.registry import get
from tests.support.builders import attempt
from tests.unit.adapters.test_gemini_native import STRANGE

TARGETS = {name: attempt(name, provider=get(name.partition("/")[0]).operations["responses"]) for name in ("openai/m", "xai/m")}
USED = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def asked(body: JSON) -> ChatRequest:
    parsed = formats.find("responses").parse(Request("r1", {}, dumps({"model": "m", "store": False, **body})))
    assert isinstance(parsed, ChatRequest)
    return parsed


@settings(max_examples=60)
@given(STRANGE, STRANGE, STRANGE, STRANGE, st.sampled_from(sorted(TARGETS)))
def test_a_request_passes_as_it_is(top: JSON, item: JSON, part: JSON, tool: JSON, target: str) -> None:
    body = {
        **top,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi", **part}], **item},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", **item},
            {"type": "item_of_tomorrow", **item},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": tool, **tool}, {"type": "mcp", **tool}],
        "reasoning": {"effort": "low", **item},
        "text": {"format": {"type": "text", **part}, **part},
    }
    at, request = TARGETS[target], asked(body)
    assert json.loads(adapters.find(request, at).to_upstream(request, at).body) == {"model": "m", "store": False, **body}


@pytest.mark.parametrize("stream", [False, True])
@settings(max_examples=40)
@given(top=STRANGE, item=STRANGE, part=STRANGE, event=STRANGE)
def test_an_answer_passes_as_it_is(stream: bool, top: JSON, item: JSON, part: JSON, event: JSON) -> None:
    said = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi", **part}],
        **item,
    }
    output = [said, {"type": "item_of_tomorrow", "id": "x_1", **item}, {"type": "web_search_call", "id": "ws_1", **item}]
    whole = {"id": "resp_1", "status": "completed", "output": output, "usage": {**USED, **part}, **top}
    at, request = TARGETS["openai/m"], asked({"input": "Hi", "stream": stream})
    adapter, form = adapters.find(request, at), formats.find("responses")
    if not stream:
        result = adapter.from_upstream(UpstreamBody({}, dumps(whole)), request, at)
        assert json.loads(form.render(request, result, "r1")[1]) == whole
        return
    told: list[JSON] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}, **event},
        {"type": "response.output_item.added", "output_index": 0, "item": {**said, "content": []}, **event},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi", **event},
        {"type": "response.event_of_tomorrow", **event},
        *({"type": "response.output_item.done", "output_index": place, "item": each, **event} for place, each in enumerate(output)),
        {"type": "response.completed", "response": whole, **event},
    ]
    chunks = adapter.from_stream((Event(dumps(each), each["type"]) for each in told), request, at)
    written = list(chain.from_iterable(decode([data]) for data in form.events(request, chunks, "r1")))
    assert [json.loads(each.data) for each in written] == told
    assert [each.name for each in written] == [each["type"] for each in told]
