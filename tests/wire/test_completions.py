"""Every case of legacy completions, exactly, and what holds for all of them. A new case is a folder, never code here."""

from collections import defaultdict
from copy import deepcopy
from typing import Any

import pytest
from openai.types import Completion
from openai.types.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

from haimaker import adapters
from haimaker.providers.registry import all_providers
from tests.wire.case import Case, chunks, decoder_of, find, response, stream_of, upstream_request

CASES = find("completions")
WHOLE = [case for case in CASES if case.has("upstream_response.json")]
STREAMED = [case for case in CASES if case.streams]
BOTH = [case for case in WHOLE if case in STREAMED]
REQUEST: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@each(CASES)
def test_the_provider_gets_exactly_this_and_nothing_changes_what_the_client_sent(case: Case) -> None:
    request = case.request()
    before = deepcopy(request.body)
    assert upstream_request(request, case.attempt()) == case.json("upstream_request.json")
    assert request.body == before


@each(WHOLE)
def test_the_client_gets_exactly_this(case: Case) -> None:
    body, status = case.json("upstream_response.json"), case.about.get("upstream_status", 200)
    assert response(case.request(), status, body, case.attempt()) == case.json("response.json")
    assert body == case.json("upstream_response.json")


@each(STREAMED)
@pytest.mark.parametrize("size", [10**9, 1, 7])
def test_the_client_gets_exactly_these_chunks(case: Case, size: int) -> None:
    raw = stream_of(case)
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert list(chunks(case.request(), pieces, case.attempt(), decoder_of(case))) == case.expected_chunks()


@each(BOTH)
def test_chunks_fold_into_the_whole_answer(case: Case) -> None:
    texts: defaultdict[int, str] = defaultdict(str)
    reasons: dict[int, str] = {}
    for choice in (choice for chunk in case.expected_chunks() for choice in chunk["choices"]):
        assert choice["index"] not in reasons, "a text after the end of its choice"
        texts[choice["index"]] += choice["text"]
        reasons |= {choice["index"]: choice["finish_reason"]} if choice["finish_reason"] else {}
    whole = case.json("response.json")["choices"]
    assert [(choice["index"], choice["text"], choice["finish_reason"]) for choice in whole] == [
        (index, texts[index], reasons[index]) for index in sorted(texts)
    ]


@each(CASES)
def test_answers_are_read_by_the_official_sdk(case: Case) -> None:
    whole = [case.json("response.json")] if case.has("response.json") else []
    for body in (*whole, *(case.expected_chunks() if case.streams else ())):
        if "error" not in body:
            # Its types know neither a choice that goes on nor the first token of a prompt, which has no probability.
            known = [{**choice, "finish_reason": choice["finish_reason"] or "stop", "logprobs": None} for choice in body["choices"]]
            Completion.model_validate({**body, "choices": known})


@each([case for case in CASES if case.about["provider"] == "openai"])
def test_requests_are_what_the_official_sdk_would_send(case: Case) -> None:
    body = case.json("upstream_request.json")["body"]
    REQUEST.validate_python(body)
    assert set(body) <= set().union(*(kind.__annotations__ for kind in CompletionCreateParams.__args__))


@each(CASES)
def test_a_case_says_where_its_shapes_come_from(case: Case) -> None:
    assert case.folder.parts[-3] == case.about["provider"]
    assert case.about["source"].startswith(("https://", "recorded "))
    assert case.has("response.json") == case.has("upstream_response.json")
    assert case.has("response.json") or case.has("chunks.jsonl")


def test_who_completes_has_an_adapter_for_it() -> None:
    rows = [row for provider in all_providers() for row in (provider, *provider.families.values())]
    assert {row.adapter for row in rows if row.catalog.completes} <= set(adapters.ADAPTERS["completions"])
