"""What holds of the Gemini adapter for any request and any answer, however odd, and that Google's own types read what it sends."""

import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.adapters.gemini import chat
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.values import JSON, Event
from tests.support import builders, vendor_schemas
from tests.support.builders import chat_request
from tests.unit.adapters.gemini_support import NEWEST, OLDER, streamed, whole
from tests.wire.case import find
from tests.wire.test_chat import without_positions

CASES = [case for case in find("chat") if case.attempt().provider.adapter == "gemini"]
SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def odd(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly as it should be."""
    return st.one_of(strategy, strategy, strategy, ANYTHING)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[JSON]:
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = st.text(max_size=6)
ARGUMENTS = st.dictionaries(TEXTS, SCALARS, max_size=2)
PIECES = st.lists(
    objects(jsonPath=odd(st.sampled_from(["$.a", "$.a.b", "$.c[0].d", "$.c[5]", "$", ".", "$['x y']"])), stringValue=odd(TEXTS)),
    max_size=2,
)
WELL_FORMED_PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, TEXTS),
    st.builds(lambda text: {"text": text, "thought": True}, TEXTS),
    st.builds(lambda text: {"text": text, "thoughtSignature": "U0lH"}, TEXTS),
    st.builds(lambda name, args: {"functionCall": {"name": name, "args": args}}, TEXTS.filter(bool), ARGUMENTS),
    st.builds(lambda name, pieces: {"functionCall": {"name": name, "willContinue": True, "partialArgs": pieces}}, TEXTS, PIECES),
    st.builds(lambda pieces, more: {"functionCall": {"partialArgs": pieces, "willContinue": more}}, PIECES, st.booleans()),
    st.just({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
    st.just({"never": "heard of"}),
)
CALLS = objects(name=odd(TEXTS), args=ANYTHING, id=odd(TEXTS), partialArgs=odd(PIECES), willContinue=odd(st.booleans()))
PARTS = odd(
    objects(
        text=odd(TEXTS),
        thought=odd(st.booleans()),
        thoughtSignature=odd(st.just("U0lH")),
        functionCall=odd(CALLS),
        inlineData=odd(objects(mimeType=odd(st.sampled_from(["audio/L16", "image/png"])), data=odd(st.just("AAA=")))),
    )
)
SUPPORTS = odd(objects(segment=ANYTHING, groundingChunkIndices=odd(st.lists(st.integers(-1, 2)))))
GROUNDING = objects(
    webSearchQueries=odd(st.lists(TEXTS, max_size=2)),
    groundingChunks=odd(st.lists(odd(objects(web=odd(objects(uri=odd(TEXTS))))), max_size=2)),
    groundingSupports=odd(st.lists(SUPPORTS, max_size=2)),
)
CANDIDATES = odd(
    objects(
        content=odd(objects(parts=odd(st.lists(PARTS, max_size=3)))),
        finishReason=odd(st.sampled_from(["STOP", "MAX_TOKENS", "NEW"])),
        index=odd(st.integers(0, 2)),
        groundingMetadata=odd(GROUNDING),
        logprobsResult=odd(objects(chosenCandidates=ANYTHING, topCandidates=ANYTHING)),
    )
)
ANSWERS = objects(
    candidates=odd(st.lists(CANDIDATES, max_size=2)),
    usageMetadata=odd(objects(promptTokenCount=odd(st.integers(0, 9)), promptTokensDetails=ANYTHING, thoughtsTokenCount=ANYTHING)),
    promptFeedback=odd(objects(blockReason=odd(TEXTS))),
    modelVersion=odd(TEXTS),
    responseId=odd(TEXTS),
)


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_any_answer_is_one_or_an_error(body: JSON) -> None:
    with suppress(APIError):
        ChatCompletion.model_validate(whole(body))


@settings(max_examples=150, deadline=None)
@given(st.lists(odd(ANSWERS), max_size=4))
def test_any_stream_is_one_or_an_error(bodies: list[Any]) -> None:
    finished: list[int] = []
    events = [Event(json.dumps(body).encode()) for body in bodies]
    with suppress(APIError):
        for chunk in chat.from_stream(events, chat_request(), builders.attempt(f"gemini/{OLDER}")):
            ChatCompletionChunk.model_validate(chunk.body)
            for choice in chunk.body["choices"]:
                assert choice["index"] not in finished
                finished += [choice["index"]] if choice["finish_reason"] else []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(WELL_FORMED_PARTS, max_size=3), min_size=1, max_size=4))
def test_the_chunks_of_a_stream_are_its_whole_answer(events: list[list[JSON]]) -> None:
    """However its parts are spread over events; folded by the official SDK."""
    ends = [*[None] * (len(events) - 1), "STOP"]
    bodies = [{"candidates": [{"content": {"parts": parts}, "finishReason": end}]} for parts, end in zip(events, ends, strict=True)]
    state = ChatCompletionStreamState()
    for chunk in streamed(*bodies):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    folded = state.current_completion_snapshot.model_dump(exclude_none=True)["choices"][0]
    joined = {"candidates": [{"content": {"parts": [part for parts in events for part in parts]}, "finishReason": "STOP"}]}
    expected = ChatCompletion.model_validate(whole(joined)).model_dump(exclude_none=True)["choices"][0]
    assert without_positions(folded) == without_positions(expected)


CALLED = objects(id=odd(TEXTS), type=odd(st.just("function")), function=odd(objects(name=odd(TEXTS), arguments=odd(st.just("{}")))))
CONTENT_PARTS = objects(
    type=odd(st.sampled_from(["text", "image_url", "input_audio", "file", "refusal", "video_url"])),
    text=odd(TEXTS),
    image_url=odd(
        objects(url=odd(st.sampled_from(["data:image/png;base64,AA", "data:,%ff", "https://a/b.png", "https://[", "gs://a"])))
    ),
    input_audio=odd(objects(data=odd(TEXTS), format=odd(TEXTS))),
    file=odd(objects(file_data=odd(TEXTS), file_id=odd(TEXTS), filename=odd(TEXTS))),
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "user", "assistant", "assistant", "tool", "function", "odd"])},
    optional={
        "content": st.none() | TEXTS | st.lists(CONTENT_PARTS, max_size=2),
        "name": TEXTS,
        "tool_calls": st.lists(CALLED, max_size=2),
        "tool_call_id": odd(TEXTS),
        "function_call": ANYTHING,
        "images": ANYTHING,
        "extra_content": ANYTHING,
        "refusal": ANYTHING,
    },
)
FIELDS = objects(
    tools=st.lists(
        odd(objects(type=odd(st.just("function")), function=odd(objects(name=odd(TEXTS), parameters=ANYTHING)))), max_size=2
    ).map(lambda tools: [tool for tool in tools if isinstance(tool, dict)]),
    tool_choice=odd(st.sampled_from(["auto", {"type": "function", "function": {"name": "a"}}, {"type": "allowed_tools"}])),
    functions=ANYTHING,
    function_call=ANYTHING,
    reasoning_effort=odd(st.sampled_from(["low", "none"])),
    thinking=ANYTHING,
    modalities=ANYTHING,
    audio=ANYTHING,
    extra_body=ANYTHING,
    google=ANYTHING,
    generationConfig=ANYTHING,
    web_search_options=ANYTHING,
    logprobs=ANYTHING,
    safetySettings=ANYTHING,
    toolConfig=ANYTHING,
    response_format=st.dictionaries(TEXTS, ANYTHING, max_size=2) | st.just({"type": "json_schema", "json_schema": {"schema": {}}}),
    drop_params=ANYTHING,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=4), FIELDS, st.sampled_from([OLDER, NEWEST, "gemma-3-27b-it"]))
def test_any_request_is_translated_or_refused(messages: list[JSON], fields: JSON, model: str) -> None:
    try:
        request = builders.chat_request(messages=messages, **fields)
    except BadRequestError:
        return  # at the door, as links are that name no host
    before = deepcopy(request.body)
    made = []
    with suppress(BadRequestError):
        made += [json.loads(chat.to_upstream(request, builders.attempt(f"gemini/{model}")).body)]
    for body in made:
        roles = [content["role"] for content in body["contents"]]
        assert roles == (["user", "model"] * len(roles))[: len(roles)]
        assert all(content["parts"] for content in body["contents"])
    assert request.body == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_googles_own_types_read_what_is_sent(case: Any) -> None:
    body = case.json("upstream_request.json")["body"]
    vendor_schemas.gemini_types(body)
