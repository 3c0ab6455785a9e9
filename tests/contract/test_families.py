"""Models that a provider serves in another way than its others: where they are reached, with what, and what comes of it."""

import json

import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import UPSTREAM_KEY, ask_all, sdk, text_of
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

MESSAGE: JSON = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hi"}],
}
MESSAGE |= {"stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1}}
CLAUDES = ({"type": "message_start", "message": MESSAGE}, {"type": "message_stop"})
BEARER = {"authorization": f"Bearer {UPSTREAM_KEY}"}


@pytest.mark.parametrize(
    ("model", "place", "streamed", "headers", "inside"),
    [
        ("vertex_ai/meta/llama-3.3-70b-instruct-maas", "/endpoints/openapi/chat/completions", "", BEARER, True),
        ("vertex_ai/openai/gpt-oss-120b-maas", "/endpoints/openapi/chat/completions", "", BEARER, True),
        (
            "vertex_ai/mistral-medium-3",
            "/publishers/mistralai/models/mistral-medium-3:rawPredict",
            "/publishers/mistralai/models/mistral-medium-3:streamRawPredict",
            BEARER,
            True,
        ),
        (
            "vertex_ai/jamba-1.5-mini",
            "/publishers/ai21/models/jamba-1.5-mini:rawPredict",
            "/publishers/ai21/models/jamba-1.5-mini:streamRawPredict",
            BEARER,
            True,
        ),
        (
            "vertex_ai/claude-sonnet-4-5",
            "/publishers/anthropic/models/claude-sonnet-4-5:rawPredict",
            "/publishers/anthropic/models/claude-sonnet-4-5:streamRawPredict",
            BEARER,
            False,
        ),
        (
            "azure_ai/claude-sonnet-4-5",
            "/anthropic/v1/messages",
            "",
            {"x-api-key": UPSTREAM_KEY, "anthropic-version": "2023-06-01"},
            True,
        ),
        (
            "azure_ai/Mistral-Large-2411",
            "/models/chat/completions?api-version=2024-05-01-preview",
            "",
            {"api-key": UPSTREAM_KEY},
            True,
        ),
        ("bedrock_mantle/anthropic.claude-sonnet-5", "/anthropic/v1/messages", "", BEARER, True),
        ("bedrock_mantle/google.gemma-4-31b", "/openai/v1/chat/completions", "", BEARER, True),
        ("bedrock_mantle/google.gemma-3-27b-it", "/chat/completions", "", BEARER, True),
        ("bedrock_mantle/openai.gpt-oss-120b", "/chat/completions", "", BEARER, True),
    ],
)
def test_a_family_is_reached_where_it_is(
    desk: Desk, key: str, upstream: FakeUpstream, model: str, place: str, streamed: str, headers: JSON, inside: bool
) -> None:
    """`inside`: whether the body names the model."""
    claude = "claude" in model
    for stream in (False, True):
        if claude:
            upstream.answers(Reply.sse(CLAUDES) if stream else Reply.json(200, MESSAGE))
        else:
            upstream.answers(openai_wire.plays_openai("Hi", usage=openai_wire.usage(3, 1)))
        assert text_of(ask_all(sdk(desk, key), model, stream=stream)) == "Hi"
        call = upstream.calls[-1]
        assert call.path.removeprefix("/v1") == ((stream and streamed) or place)
        assert {name: call.headers.get(name) for name in headers} == headers
        assert json.loads(call.body).get("model") == (model.partition("/")[2] if inside else None)
