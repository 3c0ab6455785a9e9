"""Every case of the operations that generate no text, exactly. A new case is a folder, never code here."""

import json
from copy import deepcopy

import pytest

from tests.wire.case import Case
from tests.wire.task_case import ENDINGS, attempt_of, events_of, find_tasks, request_of, response_of, upstream_requests

CASES = find_tasks()
STREAMED = [case for case in CASES if case.has("chunks.jsonl")]
WHOLE = [case for case in CASES if case.has("response.json")]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@each(CASES)
def test_the_provider_gets_exactly_this(case: Case) -> None:
    expected = case.json("upstream_request.json")
    assert upstream_requests(case) == (expected if isinstance(expected, list) else [expected])


@each(WHOLE)
def test_the_client_gets_exactly_this(case: Case) -> None:
    assert response_of(case) == case.json("response.json")


@each(STREAMED)
@pytest.mark.parametrize("size", [10**9, 1, 7])
def test_the_client_gets_exactly_these_events(case: Case, size: int) -> None:
    assert events_of(case, size) == [json.loads(line) for line in case.bytes("chunks.jsonl").splitlines()]


@each(CASES)
def test_no_adapter_changes_its_input(case: Case) -> None:
    request = request_of(case)
    before = deepcopy(request.body)
    upstream_requests(case)
    assert request.body == before


@each(CASES)
def test_more_is_held_than_is_expected(case: Case) -> None:
    """Whatever a request may use, its bound has at least what its estimate has."""
    request, attempt = request_of(case), attempt_of(case)
    most, likely = request.max_usage(attempt), request.estimate_usage(attempt)
    assert most.prompt >= likely.prompt
    assert most.completion >= likely.completion
    for name in ("characters", "input_ms", "output_ms", "images", "pixels", "input_images", "queries"):
        assert getattr(most, name) >= getattr(likely, name), name


@each(CASES)
def test_a_case_says_where_its_shapes_come_from(case: Case) -> None:
    assert case.folder.parts[-3] == case.about["provider"]
    assert case.about["source"].startswith(("https://", "recorded "))
    assert case.has("response.json") or case.has("chunks.jsonl")
    assert sum(case.has(f"upstream_response.{ending}") for ending in ENDINGS) == 1
