"""Claude on Vertex AI and Bedrock: what differs from Anthropic's own API."""

import json

import pytest

from haimaker.adapters.anthropic import bedrock, vertex
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.values import Event
from tests.support.builders import chat_request
from tests.unit.adapters.claude import HELLO, OPUS_48, OPUS_55, THOUGHT, attempt, sent, text


def test_vertex_and_bedrock_name_the_model_in_the_path() -> None:
    body = {"stream": True, "service_tier": "auto", "messages": [HELLO]}
    vertexed, bedrocked = sent(body, "claude-opus-4@20250514", vertex), sent(body, "us.anthropic.claude-opus-4-v1:0", bedrock)
    assert vertexed.path == "/publishers/anthropic/models/claude-opus-4@20250514:streamRawPredict"
    assert bedrocked.path == "/model/us.anthropic.claude-opus-4-v1%3A0/invoke-with-response-stream"
    plain = {"messages": [{"role": "user", "content": [text("Hello")]}], "max_tokens": 4096}
    assert json.loads(vertexed.body) == {"anthropic_version": "vertex-2023-10-16", **plain, "stream": True}
    assert json.loads(bedrocked.body) == {"anthropic_version": "bedrock-2023-05-31", **plain}
    assert vertexed.dropped == bedrocked.dropped == ("service_tier",)


def test_bedrock_has_no_web_search_and_names_betas_in_the_body() -> None:
    with pytest.raises(BadRequestError, match="web"):
        sent({"web_search_options": {}}, OPUS_48, bedrock)
    assert "tools" not in json.loads(sent({"web_search_options": {}, "drop_params": True}, OPUS_48, bedrock).body)
    history = [HELLO, {"role": "assistant", "content": "A", "thinking_blocks": [THOUGHT]}, HELLO]
    made = sent({"messages": history}, OPUS_55, bedrock)
    assert json.loads(made.body)["anthropic_beta"] == ["thinking-binding-controls-2026-08-01"]
    assert "anthropic-beta" not in made.headers


def test_bedrock_wraps_events_in_base64_and_names_exceptions() -> None:
    wrapped = Event(b'{"bytes": "eyJ0eXBlIjogIm1lc3NhZ2Vfc3RvcCJ9"}', "chunk")
    assert [chunk.body["choices"][0]["finish_reason"] for chunk in bedrock.from_stream([wrapped], chat_request(), attempt())] == [
        None,
        "stop",
    ]
    with pytest.raises(APIError) as raised:
        list(bedrock.from_stream([Event(b'{"message": "Too many requests"}', "throttlingException")], chat_request(), attempt()))
    assert raised.value.status == 429
