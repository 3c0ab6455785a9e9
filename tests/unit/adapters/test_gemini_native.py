"""Google's own format at a provider that speaks it: whatever a client sends and whatever comes back passes, at any depth."""

import json
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.api import formats
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, Request
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import UpstreamBody
from tests.support.builders import attempt

GEMINI, NEWEST, VERTEX = "gemini/gemini-2.5-flash", "gemini/gemini-3-pro-preview", "vertex_ai/gemini-2.5-flash"
SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8
)
STRANGE = st.dictionaries(st.from_regex(r"x[a-z]{0,3}", fullmatch=True), ANYTHING, max_size=2)
"""Fields that nobody here knows."""


def asked(body: JSON, *, stream: bool = False) -> ChatRequest:
    request = Request("r1", {}, dumps(body), {"id": "m"})
    parsed = formats.find("gemini_stream" if stream else "gemini_generate").parse(request)
    assert isinstance(parsed, ChatRequest)
    return parsed


@settings(max_examples=60)
@given(STRANGE, STRANGE, STRANGE, STRANGE, st.sampled_from([GEMINI, VERTEX]))
def test_a_request_passes_as_it_is(top: JSON, config: JSON, part: JSON, tool: JSON, target: str) -> None:
    body = {
        **top,
        "contents": [{"role": "user", "parts": [{"text": "Hi", **part}], **part}],
        "generationConfig": {"temperature": 0, **config},
        "tools": [{"functionDeclarations": [{"name": "f", **tool}], **tool}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO", **tool}, **config},
    }
    at, request = attempt(target), asked(body)
    assert json.loads(adapters.find(request, at).to_upstream(request, at).body) == body


@settings(max_examples=60)
@given(STRANGE, STRANGE, STRANGE, st.sampled_from(["STOP", "MALFORMED_FUNCTION_CALL", "REASON_OF_TOMORROW"]), st.booleans())
def test_an_answer_passes_as_it_is(top: JSON, candidate: JSON, part: JSON, reason: str, text: bool) -> None:
    parts = [{"text": "Hi"} if text else {"functionCall": {"name": "f", "args": {}}}, {"text": "x", **part}, part]
    end = {"content": {"parts": [{"text": "x"}, part]}, "finishReason": reason, **candidate}
    events: list[JSON] = [{"candidates": [{"content": {"parts": [one]}, **candidate}], **top} for one in parts]
    events.append({"candidates": [end], "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 5, **top}})
    at, request = attempt(GEMINI), asked({"contents": "Hi"}, stream=True)
    adapter = adapters.find(request, at)
    chunks = list(adapter.from_stream((Event(dumps(event)) for event in events), request, at))
    assert [json.loads(event.data) for chunk in chunks for event in chunk.native] == events
    assert chunks[-1].body["usage"]["prompt_tokens"] == 3
    assert [chunk.native for chunk in chunks][-1]
    for event in events:
        whole = adapter.from_upstream(UpstreamBody({}, dumps(event)), request, at)
        assert whole.native == event


@pytest.mark.parametrize(
    ("target", "parts", "sent"),
    [
        (GEMINI, [{"text": "a", "thoughtSignature": "U0lH"}], [{"text": "a", "thoughtSignature": "U0lH"}]),
        (GEMINI, [{"text": "a"}, {"text": "", "thoughtSignature": "aGFpbWFrZXI6eA=="}], [{"text": "a"}]),
        (GEMINI, [{"functionCall": {"name": "f"}, "thought_signature": "aGFpbWFrZXI6eA=="}], [{"functionCall": {"name": "f"}}]),
        (
            NEWEST,
            [{"functionCall": {"name": "f"}, "thoughtSignature": "aGFpbWFrZXI6eA=="}, {"functionCall": {"name": "g"}}],
            [
                {"functionCall": {"name": "f"}, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"name": "g"}},
            ],
        ),
        (
            NEWEST,
            [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}, "thought_signature": "U0lH"}],
            [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}, "thought_signature": "U0lH"}],
        ),
    ],
)
def test_what_others_signed_is_taken_out(target: str, parts: list[JSON], sent: list[JSON]) -> None:
    contents: list[Any] = [{"parts": [{"text": "Hi"}]}, {"role": "model", "parts": parts}, {"parts": [{"text": "And?"}]}]
    at, request = attempt(target), asked({"contents": contents})
    body = json.loads(adapters.find(request, at).to_upstream(request, at).body)
    assert body["contents"] == [contents[0], {"role": "model", "parts": sent}, contents[2]]


CANDIDATE: JSON = {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP", "index": 0}
SAID: JSON = {"candidates": [CANDIDATE]}


def saying(part: JSON) -> JSON:
    return {"candidates": [{**CANDIDATE, "content": {"parts": [part], "role": "model"}}]}


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ({**SAID, "usageMetadata": {"totalTokenCount": {"a": 1}}}, {**SAID, "usageMetadata": {"totalTokenCount": None}}),
        ({**SAID, "usageMetadata": {"promptTokensDetails": "x"}}, {**SAID, "usageMetadata": {"promptTokensDetails": None}}),
        ({**SAID, "modelVersion": [1]}, {**SAID, "modelVersion": None}),
        ({"candidates": [{**CANDIDATE, "avgLogprobs": "x"}]}, {"candidates": [{**CANDIDATE, "avgLogprobs": None}]}),
        (saying({"text": "a", "thoughtSignature": "'"}), saying({"text": "a", "thoughtSignature": None})),
        (saying({"text": "a", "thoughtSignature": "_-8="}), saying({"text": "a", "thoughtSignature": "_-8="})),
        (saying({"inlineData": {"mimeType": "image/png", "data": "1e+308"}}), None),
        (saying({"inlineData": {"mimeType": "a/b", "data": "AQAA="}}), saying({"inlineData": {"mimeType": "a/b", "data": "AQAA"}})),
        (saying({"inlineData": {"mimeType": "a/b", "data": "AQ==="}}), saying({"inlineData": {"mimeType": "a/b", "data": "AQ=="}})),
        (saying({"text": "a", "thoughtSignature": "_-8=="}), saying({"text": "a", "thoughtSignature": "_-8="})),
        (saying({"inline_data": {"mime_type": "image/png", "data": [5]}}), None),
        (saying({"text": True}), None),
        (saying({"functionCall": [5]}), None),
        *(
            (
                saying({"functionCall": {"partialArgs": [{"nullValue": given}]}}),
                saying({"functionCall": {"partialArgs": [{"nullValue": read}]}}),
            )
            for given, read in (("NULL_VALUE", "NULL_VALUE"), ("x", None))
        ),
        ({"candidates": "x"}, None),
        ({"candidates": [None]}, None),
        ({"candidates": [{**CANDIDATE, "content": "x"}]}, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_has_the_types_that_googles_sdk_demands(said: JSON, passed: JSON | None, stream: bool) -> None:
    at, request = attempt(GEMINI), asked({"contents": "Hi"}, stream=stream)
    adapter = adapters.find(request, at)

    def answer() -> JSON:
        if not stream:
            return adapter.from_upstream(UpstreamBody({}, dumps(said)), request, at).native
        chunks = adapter.from_stream(iter([Event(dumps(said))]), request, at)
        (event,) = [event for chunk in chunks for event in chunk.native]
        return json.loads(event.data)

    if passed is not None:
        assert answer() == passed
        types.GenerateContentResponse.model_validate(passed)
        return
    with pytest.raises(BadGatewayError):
        answer()


@pytest.mark.parametrize(
    ("config", "sent"),
    [
        ({}, {"generationConfig": {"maxOutputTokens": 300}}),
        ({"generation_config": {"top_k": 3}}, {"generation_config": {"top_k": 3, "maxOutputTokens": 300}}),
        ({"generationConfig": {"max_output_tokens": 9}}, {"generationConfig": {"max_output_tokens": 9}}),
    ],
)
def test_a_limit_is_sent_where_the_client_has_none(config: JSON, sent: JSON) -> None:
    at, request = replace(attempt(GEMINI), max_output_tokens=300), asked({"contents": "Hi", **config})
    assert json.loads(adapters.find(request, at).to_upstream(request, at).body) == {"contents": "Hi", **sent}
