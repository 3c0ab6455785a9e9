"""Answers of other types than OpenAI's SDK has: mended where the meaning is plain, left out beside the answer, else refused."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.adapters.openai import chat, completions
from haimaker.adapters.openai_types import (
    CHAT,
    COMPLETION,
    EMBEDDINGS,
    IMAGE_EVENT,
    IMAGES,
    RERANKED,
    TRANSCRIPT,
    TRANSCRIPT_EVENT,
    conform,
)
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


VECTORS = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1]}]}
IMAGE = {"created": 1, "data": [{"b64_json": "aGk=", "url": None}], "usage": None}
USED = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
SEGMENT = {"id": 0, "seek": 0, "start": 0.0, "end": 1.5, "text": "Hi", "tokens": [1], "temperature": 0.0}
SEGMENT |= {"avg_logprob": -0.1, "compression_ratio": 1, "no_speech_prob": 0.0}
SPEAKER = {"id": "seg_0", "start": 0, "end": 1.5, "text": "Hi", "speaker": "A", "type": "transcript.text.segment"}
HEARD = {"text": "Hi", "language": "en", "duration": 1.5, "segments": [SEGMENT], "words": [{"word": "Hi", "start": 0, "end": 1}]}
RANKING = {"id": "a", "results": [{"index": 0, "relevance_score": 0.5}], "meta": {"billed_units": {"search_units": 1}}}
SPOKEN = {"type": "transcript.text.delta", "delta": "Hi"}


@pytest.mark.parametrize(
    ("shape", "body", "path", "value", "made"),
    [
        (EMBEDDINGS, VECTORS, "object", "lists", "list"),
        (EMBEDDINGS, VECTORS, "data.0.index", 0.0, 0),
        (EMBEDDINGS, VECTORS, "data.0.embedding", "AAAAPw==", "AAAAPw=="),
        (EMBEDDINGS, VECTORS, "data.0.embedding", "AAAA", BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", "é", BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [0.5, None], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [0.5, True], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [0.5, float("nan")], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [0.5, float("-inf")], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [0.5, 10**400], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", [-1e39, 1], BadGatewayError),
        (EMBEDDINGS, VECTORS, "data.0.embedding", {}, BadGatewayError),
        (EMBEDDINGS, VECTORS, "data", {"a": 1}, BadGatewayError),
        (EMBEDDINGS, VECTORS, "usage", {"prompt_tokens": 1}, {"prompt_tokens": 1, "total_tokens": 1}),
        (EMBEDDINGS, VECTORS, "usage", {"prompt_tokens": "x"}, None),
        (IMAGES, IMAGE, "data.0.b64_json", [1], BadGatewayError),
        (IMAGES, IMAGE, "data.0.url", True, BadGatewayError),
        (IMAGES, IMAGE, "data.0.revised_prompt", {}, None),
        (IMAGES, IMAGE, "output_format", "tiff", None),
        (IMAGES, IMAGE, "usage", USED, {**USED, "input_tokens_details": {"image_tokens": 0, "text_tokens": 1}}),
        (IMAGES, IMAGE, "usage", {"input_tokens": 1}, None),
        (IMAGE_EVENT, {"type": "image_generation.completed"}, "b64_json", {"a": 1}, BadGatewayError),
        (IMAGE_EVENT, {"type": "image_generation.completed"}, "b64_json", "", ""),
        (IMAGE_EVENT, {"type": "image_generation.completed"}, "b64_json", None, BadGatewayError),
        (IMAGE_EVENT, {"type": "image_generation.completed", "b64_json": "aGk="}, "created_at", "x", None),
        (TRANSCRIPT, HEARD, "segments", [SPEAKER], [SPEAKER]),
        (TRANSCRIPT, HEARD, "segments", [{**SPEAKER, "speaker": None}], None),
        (TRANSCRIPT, HEARD, "segments", [{**SEGMENT, "tokens": None, "seek": None}], [{**SEGMENT, "tokens": [], "seek": 0}]),
        (TRANSCRIPT, HEARD, "segments", [{**SEGMENT, "end": float("inf")}], None),
        (TRANSCRIPT, HEARD, "segments", 5, None),
        (TRANSCRIPT, HEARD, "words", [{"word": "Hi"}], None),
        (TRANSCRIPT, HEARD, "text", {"a": 1}, BadGatewayError),
        (TRANSCRIPT, HEARD, "usage", {"type": "duration", "seconds": 2}, {"type": "duration", "seconds": 2}),
        (TRANSCRIPT, HEARD, "usage", {"type": "tokens", **USED}, {"type": "tokens", **USED}),
        (TRANSCRIPT, HEARD, "usage", {**USED, "type": "tokens", "total_tokens": None}, {"type": "tokens", **USED}),
        (TRANSCRIPT, HEARD, "usage", {"type": "duration"}, None),
        (TRANSCRIPT_EVENT, SPOKEN, "delta", None, ""),
        (TRANSCRIPT_EVENT, SPOKEN, "delta", [1], BadGatewayError),
        (TRANSCRIPT_EVENT, {"type": "transcript.text.done"}, "text", None, ""),
        (TRANSCRIPT_EVENT, {"type": "transcript.text.segment"}, "text", "Hi", "Hi"),
        (RERANKED, RANKING, "results", "x", BadGatewayError),
        (RERANKED, RANKING, "results.0.relevance_score", "high", BadGatewayError),
        (RERANKED, RANKING, "results.0.relevant_spans", [{"start": 1}], None),
        (RERANKED, RANKING, "meta", 5, None),
        (RERANKED, RANKING, "meta.billed_units.search_units", [], None),
    ],
)
def test_the_other_operations_too(shape: Any, body: Any, path: str, value: Any, made: Any) -> None:
    asked = at(path, value, body)
    if made is not BadGatewayError:
        assert conform(asked, shape) == at(path, made, body)
        return
    with pytest.raises(BadGatewayError) as raised:
        conform(asked, shape)
    assert raised.value.code == "invalid_provider_response"


def test_a_million_numbers_are_looked_at_in_little_time() -> None:
    body = {**VECTORS, "data": [{"object": "embedding", "index": index, "embedding": [0.5] * 1_000} for index in range(1_000)]}
    begun_s = time.thread_time()
    assert conform(body, EMBEDDINGS) is body
    assert time.thread_time() - begun_s < 0.5
