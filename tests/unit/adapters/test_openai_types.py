"""Answers of other types than OpenAI's SDK has: mended where the meaning is plain, left out beside the answer, else refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.adapters.openai import chat, completions
from haimaker.adapters.openai_types import CHAT, COMPLETION, conform
from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.values import Event
from tests.contract.random_bodies import TREES, places, put
from tests.support import openai_wire
from tests.support.builders import attempt, chat_request, completion_request, result_of

CALL = openai_wire.tool_call()
WHOLE = openai_wire.completion("Hi", usage=openai_wire.usage(10, 5, cached=4, reasoning=2))
CALLED = openai_wire.completion(tool_calls=[CALL])
CHUNK = openai_wire.chunks(["H"])[0]
TOKEN = {"token": "H", "logprob": -0.5, "bytes": [72]}


def at(path: str, value: Any, body: Any = WHOLE) -> Any:
    places = tuple(int(part) if part.isdigit() else part for part in path.split("."))
    inner = body
    for place in places[:-1]:
        inner = inner[place]
    inner.setdefault(places[-1], None) if isinstance(inner, dict) else None
    return put(body, places, value)


@pytest.mark.parametrize("body", [WHOLE, CALLED, CHUNK, *openai_wire.chunks(["H", "i"], usage=openai_wire.usage(1, 2))])
def test_what_is_right_stays_the_same(body: Any) -> None:
    assert conform(body, CHAT) is body


@pytest.mark.parametrize(
    ("path", "value", "made"),
    [
        ("usage", "text", None),
        ("usage", {}, None),
        ("usage.prompt_tokens", 12.0, 12),
        ("usage.prompt_tokens_details", "x", None),
        ("usage.prompt_tokens_details.cached_tokens", "4", None),
        ("system_fingerprint", 7, "7"),
        ("system_fingerprint", {}, None),
        ("service_tier", "gold", None),
        ("service_tier", [0], None),
        ("choices.0.message.content", 5, "5"),
        ("choices.0.message.tool_calls", {}, None),
        ("choices.0.message.tool_calls", False, None),
        ("choices.0.message.annotations", 5, None),
        ("choices.0.message.audio", {"id": 1}, None),
        ("choices.0.logprobs", "x", None),
        ("choices.0.logprobs", {"content": [TOKEN]}, {"content": [{**TOKEN, "top_logprobs": []}]}),
        ("choices.0.logprobs", {"content": [TOKEN], "refusal": 5}, None),
        ("choices.0.logprobs", {"content": [{**TOKEN, "logprob": None}]}, None),
    ],
)
def test_what_is_plain_is_mended_and_what_is_beside_is_left_out(path: str, value: Any, made: Any) -> None:
    assert conform(at(path, value), CHAT) == at(path, made)


@pytest.mark.parametrize(
    ("path", "value", "body"),
    [
        ("choices.0.message.tool_calls", 5, WHOLE),
        ("choices.0.message.tool_calls", [5], WHOLE),
        ("choices.0.message.tool_calls", [{"id": "a", "type": "function", "function": {}}], WHOLE),
        ("choices.0.message.content", {"a": 1}, WHOLE),
        ("choices.0.message.content", True, WHOLE),
        ("choices.0.delta.content", [1], CHUNK),
        ("choices.0.message.tool_calls.0.function.arguments", {"a": 1}, CALLED),
        ("choices", "x", WHOLE),
    ],
)
def test_an_answer_that_cannot_be_read_is_the_providers_error(path: str, value: Any, body: Any) -> None:
    with pytest.raises(BadGatewayError) as raised:
        conform(at(path, value, body), CHAT)
    assert raised.value.code == "invalid_provider_response"


LOGPROBS = {"content": [{**TOKEN, "top_logprobs": [TOKEN]}], "refusal": None}
TEXT = {
    "id": "a",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "text": "Hi", "logprobs": None}],
}


def is_unicode(value: Any) -> bool:
    """Unlike JSON, pydantic takes no half of a pair of surrogates; the SDK's own reader does."""
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def whole(body: Any) -> list[Any]:
    return [ChatCompletion.model_validate(conform(result_of(chat, body, attempt()), CHAT))]


def streamed(body: Any) -> list[Any]:
    events = [Event(json.dumps(body).encode()), Event(b"[DONE]")]
    return [
        ChatCompletionChunk.model_validate(conform(chunk.body, CHAT))
        for chunk in chat.from_stream(events, chat_request(), attempt())
    ]


def completed(body: Any) -> list[Any]:
    return [
        Completion.model_validate(
            conform(result_of(completions, body, attempt("openai/davinci-002"), completion_request()), COMPLETION)
        )
    ]


ANSWERS = [
    pytest.param(whole, CALLED, id="calls"),
    pytest.param(whole, at("choices.0.logprobs", LOGPROBS), id="logprobs"),
    pytest.param(streamed, CHUNK, id="chunk"),
    pytest.param(streamed, openai_wire.chunks(tool_calls=[CALL])[0], id="chunk of a call"),
    pytest.param(streamed, openai_wire.chunks(["H"], usage=openai_wire.usage(1, 2))[-1], id="chunk of usage"),
    pytest.param(completed, TEXT, id="completion"),
]


@pytest.mark.parametrize(("read", "body"), ANSWERS)
@settings(max_examples=100, deadline=None)
@given(value=TREES.filter(is_unicode))
def test_with_anything_in_any_place_the_sdk_reads_it_or_it_is_refused(read: Any, body: Any, value: Any) -> None:
    for path in places(body):
        changed = put(body, path, value)
        if isinstance(changed, dict):
            with suppress(APIError):
                read(changed)
