"""Chunks that are not parsed come to the client, and to its bill, as if they had been."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.adapters.openai import similar_chunks
from haimaker.adapters.openai.similar_chunks import ChunkMatcher
from haimaker.api import formats
from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.billing.settlement import AttemptLog
from haimaker.http.client import CancelToken, HTTPClient
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request, StreamEvent, UpstreamResponse
from haimaker.operations.operation import OperationRequest
from haimaker.routing.health import Health
from haimaker.upstream.call import UpstreamCall
from haimaker.upstream.clients import ProviderClients
from tests.support.builders import attempt

HEAD = {"id": "c-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
TARGETS = ("openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile", "deepseek/deepseek-chat", "mistral/mistral-small-latest",
           "together_ai/deepseek-ai/DeepSeek-R1", "openrouter/x/y")  # fmt: skip
MESSAGES = [{"role": "user", "content": "Hi"}]
REQUESTS: dict[str, tuple[str, JSON]] = {
    "chat": ("chat_completions", {"messages": MESSAGES}),
    "chat with usage": ("chat_completions", {"messages": MESSAGES, "stream_options": {"include_usage": True}}),
    "completion": ("completions", {"prompt": "Hi"}),
    "message": ("messages", {"messages": MESSAGES, "max_tokens": 9}),
    "response": ("responses", {"input": "Hi"}),
}

SERVED = [name for name, (operation, _) in REQUESTS.items() if operation in MODEL_OPERATIONS]

WORDS = ("a", " token", "é", "日本", "NaN", "data: ", "\u2028", "\x7f")
ODD = ('"', "\\", "\n", "", "<think>", "</think>", "\ud83d", None, 3, ["a"], [{"type": "text", "text": "b"}])
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 3 * len(others) + [*others])


def fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[JSON]:
    """Some fields, few at once: a chunk that is odd in all ways is refused."""
    names = st.one_of(st.just(()), st.lists(st.sampled_from(list(values)), max_size=2, unique=True))
    return names.flatmap(lambda found: st.fixed_dictionaries({name: values[name] for name in found}))


TEXT = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=4), mostly("a", *ODD))
FIELD = mostly("content", "reasoning_content", "reasoning", "refusal")
AROUND = fields(
    role=mostly("assistant", "", None),
    tool_calls=st.just([{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}]),
    executed_tools=st.just([{"type": "search"}]),
    annotations=st.just([{"type": "url_citation", "url_citation": {"url": "u"}}]),
    content=st.sampled_from([None, "", "a"]),
)
CHOICE = fields(
    index=mostly(0, 1),
    finish_reason=mostly(None, "stop", "eos", "error"),
    logprobs=mostly(None, {"content": []}),
    usage=mostly(None, USAGE),
    content_filter_results=st.just({"hate": {"filtered": False}}),
)
TOP = fields(
    usage=mostly(None, USAGE),
    obfuscation=mostly("x", "token", "a"),
    system_fingerprint=mostly("fp", 3, "a", "\ud83d"),
    created=mostly(1.5, None),
    x_groq=mostly({"id": "a"}, {"usage": USAGE}),
)
DUMPS = st.sampled_from([{}, {"separators": (",", ":")}, {"separators": (",", ":"), "ensure_ascii": False}])
RUN = st.tuples(AROUND, FIELD, st.lists(TEXT, min_size=2, max_size=6), CHOICE, TOP, DUMPS, mostly(False, True))
"""Chunks that may differ in their text only."""


def bytes_of(runs: list[Any], *, chat: bool, ends: bool) -> bytes:
    def events() -> Iterator[str]:
        for around, field, texts, choice, top, how, pads in runs:
            for number, text in enumerate(texts):
                delta = {"delta": {**around, field: text}} if chat else {"text": text}
                padding = {"obfuscation": "p" * (number % 3)} if pads else {}
                yield json.dumps({**HEAD, **top, "choices": [{"index": 0, **choice, **delta}], **padding}, **how)
        if ends:
            yield json.dumps({**HEAD, "choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": "stop"}]})
            yield "[DONE]"

    return "".join(f"data: {event}\n\n" for event in events()).encode("utf-8", "surrogatepass")


def asked(name: str) -> tuple[str, OperationRequest]:
    operation, body = REQUESTS[name]
    raw = json.dumps({"model": "m", "stream": True, **body}).encode()
    return operation, formats.find(operation).parse(Request("req-1", body=raw))


def outcome(name: str, target: str, pieces: list[bytes]) -> dict[str, Any]:
    """What a client is sent of a stream, and what is counted of it."""
    operation, request = asked(name)
    log = AttemptLog(attempt(target), 0.0)
    call = UpstreamCall(ProviderClients(HTTPClient(), {}, Health()), request, {}, time.monotonic() + 60, CancelToken())
    response = UpstreamResponse(200, {"content-type": "text/event-stream"}, iter(pieces))
    counted, sent, failure = request.stream_usage(), list[bytes](), None

    def shown() -> Iterator[StreamEvent]:
        yield from counted.read(call._events(log, request, adapters.find(request, log.attempt), response))
        yield from counted.last_events({"total_tokens": 1})

    try:
        sent += formats.find(operation).events(request, shown(), "req-1")
    except APIError as error:
        failure = error.body()
    return {
        "sent": sent,
        "text_bytes": counted.text_bytes,
        "told": counted.provider_usage,
        "used": counted.count(log.attempt, None, 1, cut=True),
        "error": failure,
    }


def split(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(cuts)]


OF_GROQ: Any = ({}, "content", ["a", "b"], {}, {"x_groq": {"usage": USAGE}}, {}, False)
IN_CHOICE: Any = ({}, "content", ["a", "b"], {"usage": USAGE}, {}, {}, False)
MORE: Any = ({}, "content", ["a"], {"usage": {**USAGE, "prompt_tokens": 9, "total_tokens": 11}}, {}, {}, False)
EXAMPLES: tuple[Any, ...] = (
    [({}, "content", ["a", "b", "é", "c"], {"finish_reason": None}, {}, {}, True)],
    [({"role": "assistant"}, "content", ["a", "b", "c"], {}, {}, {}, False)],
    [({"role": "assistant"}, "content", ["a", "a", "é"], {}, {"system_fingerprint": "\ud83d"}, {"ensure_ascii": False}, False)],
    [({}, "reasoning", ["a", "b", "", "c"], {}, {}, {}, False)],
    [OF_GROQ, MORE, OF_GROQ],
    [IN_CHOICE, MORE, IN_CHOICE],
)  # fmt: skip


@pytest.mark.parametrize("name", SERVED)
@settings(max_examples=250, deadline=None)
@given(st.lists(RUN, min_size=1, max_size=4), st.sampled_from(TARGETS), st.lists(st.integers(0, 10_000), max_size=6), st.booleans())
def test_what_is_not_parsed_makes_no_difference(name: str, runs: list[Any], target: str, places: list[int], ends: bool) -> None:
    compare(name, runs, target, places, ends=ends)


@pytest.mark.parametrize("runs", EXAMPLES)
def test_what_is_remembered_is_no_less(runs: Any) -> None:
    for name in SERVED:
        compare(name, runs, TARGETS[1], [], ends=True)


def compare(name: str, runs: list[Any], target: str, places: list[int], *, ends: bool) -> None:
    pieces = split(bytes_of(runs, chat=name != "completion", ends=ends), places)
    with patch.object(ChunkMatcher, "match", lambda self, data: None):
        expected = outcome(name, target, pieces)
    assert outcome(name, target, pieces) == expected


CHUNK = {**HEAD, "choices": [{"index": 0, "delta": {"content": "one"}, "logprobs": None, "finish_reason": None}]}
LIKE: dict[str, tuple[JSON, JSON]] = {
    "OpenAI's": (CHUNK, {"usage": None}),
    "with padding": (CHUNK, {"obfuscation": "abc"}),
    "of a text that stands in its name": ({**CHUNK, "model": "one"}, {}),
    "of an answer that tells its role again and again": (
        {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "one"}, "finish_reason": None}]},
        {},
    ),
    "of reasoning": ({**HEAD, "choices": [{"index": 0, "delta": {"reasoning": "one"}, "finish_reason": None}]}, {}),
}


@pytest.mark.parametrize("name", LIKE)
def test_most_chunks_of_a_stream_are_not_parsed(name: str) -> None:
    """Also those that come out edited."""
    chunk, more = LIKE[name]
    parsed = list[bytes]()
    [choice] = chunk["choices"]
    [field] = choice["delta"].keys() - {"role"}
    deltas = [{**choice["delta"], field: word} for word in ("one", "one", "two", "three", "vier")]
    chunks = [json.dumps({**chunk, **more, "choices": [{**choice, "delta": delta}]}) for delta in deltas]
    raw = "".join(f"data: {each}\n\n" for each in chunks) + "data: [DONE]\n\n"
    with patch.object(
        ChunkMatcher, "learn", autospec=True, side_effect=lambda self, *args: parsed.append(args[0]) or LEARN(self, *args)
    ):
        outcome("chat", TARGETS[0], [raw.encode()])
    assert len(parsed) <= 2, "the first, which may tell the role, and the one that the others are like"


LEARN = ChunkMatcher.learn


def test_what_has_more_or_less_around_its_text_is_not_alike() -> None:
    data = json.dumps(CHUNK).encode()
    template = similar_chunks.ChunkTemplate.from_chunk(data, CHUNK, CHUNK, "delta")
    assert template
    assert template.match(data.replace(b'"one"', b'"two"')) is not None
    for other in (data + b"}", data + b" ", b" " + data, data[:-1], data.replace(b"stop", b"x").replace(b"c-1", b"c-2")):
        assert template.match(other) is None


def test_a_stream_without_such_chunks_is_not_searched_for_ever() -> None:
    tried = list[bytes]()
    chunks = [{**CHUNK, "created": number} for number in range(50)]
    raw = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
    around = similar_chunks._around
    with patch.object(similar_chunks, "_around", lambda data, *args: tried.append(data) or around(data, *args)):
        outcome("chat", TARGETS[0], [raw.encode()])
    assert len(tried) == similar_chunks.MAX_TRIES
