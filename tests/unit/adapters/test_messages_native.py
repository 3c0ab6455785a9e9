"""Anthropic's Messages at a provider that speaks them: whatever a client sends and whatever comes back passes, at any depth."""

import json
from itertools import chain

import pytest
from hypothesis import given, settings

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.sse import decode, dumps
from haimaker.http.values import JSON, Event, Request
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import UpstreamBody
from haimaker.providers.registry import get
from tests.support.builders import attempt
from tests.unit.adapters.test_gemini_native import STRANGE

CLAUDE = attempt("anthropic/claude-opus-5-5")


def asked(body: JSON) -> ChatRequest:
    parsed = formats.find("messages").parse(Request("r1", {}, dumps({"model": "m", "max_tokens": 99, **body})))
    assert isinstance(parsed, ChatRequest)
    return parsed


@settings(max_examples=60)
@given(STRANGE, STRANGE, STRANGE, STRANGE)
def test_a_request_passes_as_it_is(top: JSON, turn: JSON, block: JSON, tool: JSON) -> None:
    body = {
        **top,
        "system": [{"type": "text", "text": "Be brief.", **block}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", **block}, {"type": "block_of_tomorrow", **block}], **turn},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "EqQB", **block},
                    {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": block, **block},
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": block, **tool},
                ],
                **turn,
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "tool_reference", **tool}], **block}
                ],
            },
        ],
        "tools": [
            {"name": "f", "input_schema": {"type": "object", **tool}, **tool},
            {"type": "tool_of_tomorrow", "name": "t", **tool},
        ],
        "metadata": {"user_id": "u", **turn},
        "context_management": {"edits": [{"type": "edit_of_tomorrow", **block}], **tool},
    }
    request = asked(body)
    sent = json.loads(adapters.find(request, CLAUDE).to_upstream(request, CLAUDE).body)
    assert sent == {"model": CLAUDE.model, "max_tokens": 99, **body}


@pytest.mark.parametrize("named", ["", "claude-code-20250219", "claude-code-20250219, context-management-2025-06-27"])
def test_bedrock_has_betas_in_the_body(named: str) -> None:
    """Those that it knows, since it refuses requests with others; a feature may have another name there."""
    at_bedrock = attempt("anthropic_bedrock/anthropic.claude-opus-4-6-v1", provider=get("bedrock_invoke"))
    header = {"anthropic-beta": f"{named},advanced-tool-use-2025-11-20"} if named else {}
    body = dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
    request = formats.find("messages").parse(Request("r1", header, body))
    assert isinstance(request, ChatRequest)
    sent = adapters.find(request, at_bedrock).to_upstream(request, at_bedrock)
    known = ["context-management-2025-06-27"] if "context" in named else []
    assert json.loads(sent.body).get("anthropic_beta") == ([*known, "tool-search-tool-2025-10-19"] if named else None)
    assert sent.dropped == (("anthropic-beta.claude-code-20250219",) if named else ())


@pytest.mark.parametrize("stream", [False, True])
@settings(max_examples=40)
@given(top=STRANGE, block=STRANGE, delta=STRANGE, event=STRANGE)
def test_an_answer_passes_as_it_is(stream: bool, top: JSON, block: JSON, delta: JSON, event: JSON) -> None:
    content = [{"type": "text", "text": "Hi", **block}, {"type": "block_of_tomorrow", "id": "b_1", **block}]
    used = {"input_tokens": 3, "output_tokens": 2, "server_tool_use": {"web_search_requests": 0, **delta}, **delta}
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "usage": used, **top}
    whole |= {"stop_reason": "end_turn", "stop_sequence": None}
    request = asked({"messages": [{"role": "user", "content": "Hi"}], "stream": stream})
    adapter, form = adapters.find(request, CLAUDE), formats.find("messages")
    if not stream:
        result = adapter.from_upstream(UpstreamBody({}, dumps(whole)), request, CLAUDE)
        assert json.loads(form.render(request, result, "r1")[1]) == whole
        return
    told: list[JSON] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}, **event},
        {"type": "content_block_start", "index": 0, "content_block": {**content[0], "text": ""}, **event},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi", **delta}, **event},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "delta_of_tomorrow", **delta}, **event},
        {"type": "content_block_stop", "index": 0, **event},
        {"type": "event_of_tomorrow", **event},
        {"type": "content_block_start", "index": 1, "content_block": content[1], **event},
        {"type": "content_block_stop", "index": 1, **event},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", **delta}, "usage": used, **event},
        {"type": "message_stop", **event},
    ]
    chunks = adapter.from_stream((Event(dumps(each), each["type"]) for each in told), request, CLAUDE)
    written = list(chain.from_iterable(decode([data]) for data in form.events(request, chunks, "r1")))
    assert [json.loads(each.data) for each in written] == told
    assert [each.name for each in written] == [each["type"] for each in told]
