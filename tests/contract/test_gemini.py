"""Gemini behind the official SDK: what only its transport shows."""

import json

import openai
import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import ask, ask_all, sdk, text_of
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

MODEL = "gemini/gemini-2.5-flash"


def said(text: str, **fields: object) -> JSON:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **fields}], "modelVersion": "gemini-2.5-flash"}


def test_a_stream_may_be_a_list(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    """As Google's is without `alt=sse`, which a proxy before it may have lost."""
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    listed = [said("Good "), {**said("day", finishReason="STOP"), "usageMetadata": usage}]
    upstream.answers(Reply.raw(200, json.dumps(listed, indent=2).encode(), {"content-type": "application/json; charset=UTF-8"}))
    chunks = ask_all(sdk(desk, key), MODEL, stream=True, stream_options={"include_usage": True})
    assert (text_of(chunks), chunks[-1].usage.total_tokens) == ("Good day", 7)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_body_says_when_to_come_back(desk: Desk, key: str, upstream: FakeUpstream, stream: bool) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}]
    error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded.", "details": details}
    upstream.answers(Reply.json(429, {"error": error}))
    seen = len(upstream.calls)
    with pytest.raises(openai.RateLimitError) as raised:
        ask(sdk(desk, key), MODEL, stream=stream)
    assert raised.value.response.headers["retry-after"] == "35"
    assert len(upstream.calls) == seen + 1
