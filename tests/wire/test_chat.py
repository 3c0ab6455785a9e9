"""Every chat case, exactly, and what holds for all of them. A new case is a folder, never code here."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

from haimaker import adapters
from haimaker.providers.registry import all_providers
from tests.support import vendor_schemas
from tests.wire.case import Case, chunks, decoder_of, find, response, stream_of, upstream_request

CASES = find("chat")
WHOLE = [case for case in CASES if case.has("upstream_response.json")]
STREAMED = [case for case in CASES if case.streams]
BOTH = [case for case in WHOLE if case in STREAMED]
REQUEST: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def good_chunks(case: Case) -> list[Any]:
    return [chunk for chunk in case.expected_chunks() if "error" not in chunk]


@each(CASES)
def test_the_provider_gets_exactly_this(case: Case) -> None:
    assert upstream_request(case.request(), case.attempt()) == case.json("upstream_request.json")


@each(WHOLE)
def test_the_client_gets_exactly_this(case: Case) -> None:
    status = case.about.get("upstream_status", 200)
    assert response(case.request(), status, case.json("upstream_response.json"), case.attempt()) == case.json("response.json")


@each(STREAMED)
@pytest.mark.parametrize("size", [10**9, 1, 7])
def test_the_client_gets_exactly_these_chunks(case: Case, size: int) -> None:
    raw = stream_of(case)
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert list(chunks(case.request(), pieces, case.attempt(), decoder_of(case))) == case.expected_chunks()


@each(BOTH)
def test_chunks_fold_into_the_whole_answer(case: Case) -> None:
    """Folded by the official SDK, as its users do; before it judges, since it refuses answers that were cut short or filtered."""
    state = ChatCompletionStreamState()
    for chunk in good_chunks(case):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    folded = state.current_completion_snapshot.model_dump(
        exclude_none=True, exclude={"choices": {"__all__": {"message": {"parsed"}}}}
    )
    whole = ChatCompletion.model_validate(case.json("response.json")).model_dump(exclude_none=True)
    assert without_positions(folded["choices"]) == without_positions(whole["choices"])


@each(STREAMED)
def test_a_stream_ends_each_choice_once_and_counts_tools_from_zero(case: Case) -> None:
    finished: list[int] = []
    tools: dict[int, list[int]] = {}
    for choice in (choice for chunk in good_chunks(case) for choice in chunk["choices"]):
        assert choice["index"] not in finished, "a delta after the end of its choice"
        finished += [choice["index"]] if choice.get("finish_reason") else []
        for call in choice["delta"].get("tool_calls") or ():
            seen = tools.setdefault(choice["index"], [])
            if call["index"] not in seen:
                seen.append(call["index"])
    assert len(finished) == len(set(finished))
    assert finished or "error" in case.expected_chunks()[-1]
    assert all(seen == list(range(len(seen))) for seen in tools.values())


@each(CASES)
def test_no_adapter_changes_its_input(case: Case) -> None:
    request = case.request()
    before = deepcopy(request.body)
    upstream_request(request, case.attempt())
    assert request.body == before
    if case.has("upstream_response.json"):
        body = case.json("upstream_response.json")
        response(case.request(), case.about.get("upstream_status", 200), body, case.attempt())
        assert body == case.json("upstream_response.json")


@each([case for case in CASES if case.about["provider"] == "openai"])
def test_requests_are_what_the_official_sdk_would_send(case: Case) -> None:
    body = case.json("upstream_request.json")["body"]
    if "input" in body:
        vendor_schemas.responses(body)
        return
    for _ in leaves(REQUEST.validate_python(body)):
        pass  # lists are validated as they are read
    assert set(body) <= set().union(*(kind.__annotations__ for kind in CompletionCreateParams.__args__)), (
        "a parameter unknown to OpenAI"
    )


@each(CASES)
def test_answers_are_read_by_the_official_sdk(case: Case) -> None:
    if case.has("response.json") and "error" not in case.json("response.json"):
        ChatCompletion.model_validate(in_openais_words(case, case.json("response.json")))
    for chunk in good_chunks(case) if case.has("chunks.jsonl") else ():
        ChatCompletionChunk.model_validate(in_openais_words(case, chunk))


@each(CASES)
def test_a_case_says_where_its_shapes_come_from(case: Case) -> None:
    assert case.folder.parts[-3] == case.about["provider"]
    assert case.about["source"].startswith(("https://", "recorded "))
    assert case.has("response.json") == case.has("upstream_response.json")
    assert case.has("chunks.jsonl") == case.streams
    assert case.has("response.json") or case.has("chunks.jsonl")


def test_every_format_has_an_adapter() -> None:
    assert {provider.adapter for provider in all_providers()} <= {"", *adapters.ADAPTERS["chat_completions"]}


def in_openais_words(case: Case, body: Any) -> Any:
    """Others have service tiers of their own, which pass untouched and which the SDK does not check."""
    return body if case.about["provider"] == "openai" else {**body, "service_tier": None}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, str | int | float | bool | None):
        yield value
        return
    for inner in value.values() if isinstance(value, dict) else value:
        yield from leaves(inner)


def without_positions(value: Any) -> Any:
    """Without the `index` of tool calls, which only chunks have, and without fields that say nothing."""
    if isinstance(value, list):
        return [without_positions(inner) for inner in value]
    if isinstance(value, dict):
        kept = {name: without_positions(inner) for name, inner in value.items() if name != "index"}
        return {name: inner for name, inner in kept.items() if inner not in ([], {}, None)}
    return value
