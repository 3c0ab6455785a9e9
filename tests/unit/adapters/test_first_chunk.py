"""How answers begin, and what an error says that is no JSON."""

from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters.first_chunk import has_content, read_error_body
from haimaker.http.errors import APIError
from haimaker.http.sse import decode
from haimaker.http.values import JSON, StreamEvent
from haimaker.operations.stream_usage import TextUsage
from tests.support.builders import attempt, chat_request, result_of


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"delta": {"role": "assistant", "content": ""}}, False),
        ({"delta": {}}, False),
        ({"delta": {"content": "a"}}, True),
        ({"delta": {"reasoning_content": "a"}}, True),
        ({"delta": {"tool_calls": [{}]}}, True),
        ({"delta": {}, "finish_reason": "stop"}, True),
        ({"text": "a"}, True),
        ({"text": ""}, False),
    ],
)
def test_a_role_alone_is_no_answer(choice: JSON, says: bool) -> None:
    assert has_content({"choices": [choice]}) == says
    assert has_content({"choices": [choice], "usage": {"total_tokens": 1}})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"Failed to deserialize the JSON body into the target type", "Failed to deserialize the JSON body into the target type"),
        (b"Not Found\n", "Not Found"),
        (b"<!doctype html><p>Oh", ""),
        (b'{"error": ["Error in `inputs.context`: field required"]}', "Error in `inputs.context`: field required"),
        (b"\xff", "\ufffd"),
    ],
)
def test_what_an_error_says_is_not_lost(raw: bytes, said: str) -> None:
    request, tried = chat_request(), attempt("openai/gpt-4o")
    assert adapters.find(request, tried).read_error(read_error_body(raw)).message == said


@pytest.mark.parametrize("target", ["anthropic/claude-opus-5-5", "bedrock/us.amazon.nova-pro-v1:0", "gemini/gemini-3", "cohere/c"])
def test_every_format_reads_an_error_that_is_a_text(target: str) -> None:
    request, tried = chat_request(), attempt(target)
    assert adapters.find(request, tried).read_error("Not Found").message == "Not Found"


@pytest.mark.parametrize(
    "body",
    [
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 625077 tokens.",
        },
        {"error": {"message": "prompt too long; exceeded max context length by 1119046 tokens"}},
        {"error": {"message": "Too many tokens", "type": "too_many_prompt_tokens", "code": 400}},
    ],
)
def test_a_prompt_that_is_too_long_is_recognised(body: JSON) -> None:
    request, tried = chat_request(), attempt("xai/grok-4.5")
    assert adapters.find(request, tried).read_error(body).code == "context_length_exceeded"


def test_usage_in_every_chunk_is_told_once() -> None:
    """As Perplexity and OpenRouter tell it."""
    chunks = [
        StreamEvent({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}], "usage": {"total_tokens": 1}}),
        StreamEvent({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 2}}),
        StreamEvent({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}], "usage": {"total_tokens": 3}}),
    ]
    usage = TextUsage(chat_request(stream=True), wants_usage=True)
    told: list[Any] = [chunk.body for chunk in usage.read(chunks)]
    [last] = usage.last_events({"total_tokens": 3})
    assert [body for body in told if body.get("usage")] == []
    assert last.body["usage"] == {"total_tokens": 3}


def test_a_failed_generation_is_an_error_whole_and_streamed() -> None:
    """https://openrouter.ai/docs/api-reference/errors"""
    request, tried = chat_request(), attempt("openrouter/google/gemini-3-pro")
    failed = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "error", "native_finish_reason": "X"}
    with pytest.raises(APIError, match=r"\(X\)"):
        result_of(adapters.find(request, tried), {"choices": [failed]}, tried, request)
    raw = b'data: {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}\n\n'
    with pytest.raises(APIError, match="failed"):
        list(adapters.find(request, tried).from_stream(decode([raw]), request, tried))


def test_what_was_held_back_of_reasoning_is_not_lost_when_a_stream_is_cut() -> None:
    request, tried = chat_request(), attempt("together_ai/deepseek-ai/DeepSeek-R1")
    raw = b'data: {"choices": [{"index": 0, "delta": {"content": "Half an answer"}, "finish_reason": null}]}\n\n'
    shown: list[Any] = []
    chunks = adapters.find(request, tried).from_stream(decode([raw]), request, tried)
    with pytest.raises(APIError, match="before the answer was complete"):
        shown.extend(_read(chunks, shown))
    assert "".join(choice["delta"].get("reasoning_content") or "" for choice in shown) == "Half an answer"


def _read(chunks: Any, shown: list[Any]) -> list[Any]:
    """All chunks, into `shown` as they come."""
    for chunk in chunks:
        shown += chunk.body["choices"]
    return []


def test_reasoning_that_is_a_summary_is_shown() -> None:
    """https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-array"""
    request, tried = chat_request(), attempt("openrouter/openai/gpt-6-sol")
    details = [{"type": "reasoning.summary", "summary": "Because."}, {"type": "reasoning.encrypted", "data": "x"}]
    body = {"choices": [{"index": 0, "message": {"content": "A", "reasoning_details": details}, "finish_reason": "stop"}]}
    made = result_of(adapters.find(request, tried), body, tried, request)
    assert made["choices"][0]["message"]["reasoning_content"] == "Because."
