"""Hostile requests and answers at the adapters, without a network: every recorded case with something else in a place of it.

What an adapter does not understand is an APIError; any other exception is a defect, and so is an answer of other types than the
SDK's, or a body that is no JSON.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from haimaker import adapters
from haimaker.adapters.openai_types import EVENT_SHAPES, SHAPES, conform
from haimaker.http import sse
from haimaker.http.errors import APIError
from haimaker.http.values import UpstreamResponse
from haimaker.operations.chat import parse_chat
from haimaker.operations.operation import OperationRequest, Result, UpstreamBody
from haimaker.pricing.usage import Usage, is_plausible
from tests.fuzz.answers import as_sent, check_event, check_whole, readable
from tests.fuzz.values import damaged, mutated, raw_of
from tests.support.builders import result_of
from tests.wire import task_case
from tests.wire.case import Case, chunks, decoder_of, find, stream_of

CASES = find("chat")
WHOLE = [case for case in CASES if case.has("upstream_response.json")]
STREAMED = [case for case in CASES if case.streams]
TASKS = task_case.find_tasks()
WHOLE_TASKS = [case for case in TASKS if case.has("response.json")]
STREAMED_TASKS = [case for case in TASKS if case.has("chunks.jsonl")]


def run(random: Random, counts: Counter[str]) -> Iterator[str]:
    """Without end: each item is a try, empty or what went wrong with it."""
    while True:
        for one in TRIES:
            case = random.choice(TRIES[one])
            try:
                counts[f"{one.__name__[1:]} translated"] += one(random, case)
            except APIError:
                counts[f"{one.__name__[1:]} refused"] += 1
            except Exception as error:
                yield f"{one.__name__[1:]} of {case.name}: {type(error).__name__}: {str(error)[:300]}"
                continue
            yield ""


def _request(random: Random, case: Case) -> int:
    request, attempt = parse_chat(raw_of(random, case.json("request.json"))), case.attempt()
    readable(adapters.find(request, attempt).to_upstream(request, attempt).body)
    return 1


def _whole(random: Random, case: Case) -> int:
    request, attempt = case.request(), case.attempt()
    body = mutated(random, case.json("upstream_response.json"))
    if isinstance(body, dict):
        made = conform(result_of(adapters.find(request, attempt), body, attempt, request), SHAPES[request.operation])
        check_whole(request.operation, as_sent(made))
    return 1


def _stream(random: Random, case: Case) -> int:
    raw = damaged(random, stream_of(case))
    for chunk in chunks(case.request(), [raw], case.attempt(), decoder_of(case)):
        if "error" not in chunk:
            check_event("chat_completions", as_sent(conform(chunk, EVENT_SHAPES["chat_completions"])))
    return 1


def _task(random: Random, case: Case) -> int:
    """A request of another operation than chat, as JSON or as a form."""
    given = case.json("request.json")
    if "form" in given:
        changed = mutated(random, given["form"])
        form = {name: value for name, value in changed.items() if _is_form(value)} if isinstance(changed, dict) else {}
        sent = task_case.sent({**given, "form": form})
    else:
        sent = replace(task_case.sent(given), body=raw_of(random, given))
    request, attempt = task_case.parse(case.operation, sent), task_case.attempt_of(case)
    adapter: Any = adapters.find(request, attempt)
    most_at_once = getattr(adapter, "most_at_once", None)
    made = adapter.to_upstream(request.split(attempt, most_at_once(attempt) if most_at_once else None)[0], attempt)
    if "json" in made.headers.get("content-type", ""):
        readable(made.body)
    return 1


def _task_answer(random: Random, case: Case) -> int:
    request, attempt = task_case.request_of(case), task_case.attempt_of(case)
    adapter: Any = adapters.find(request, attempt)
    headers = case.about.get("upstream_headers", {"content-type": "application/json"})
    raw = task_case.raw_of(case)
    raw = raw_of(random, json.loads(raw)) if case.has("upstream_response.json") else damaged(random, raw)
    if hasattr(adapter, "from_bytes"):
        pieces = adapter.from_bytes(UpstreamResponse(200, headers, iter([raw])), request, attempt).pieces
        assert all(isinstance(piece, bytes | Usage) for piece in pieces)
        return 1
    result = adapter.from_upstream(UpstreamBody(headers, raw), request, attempt)
    if isinstance(result.body, dict):
        body = conform(result.body, SHAPES[case.operation]) if case.operation in SHAPES else result.body
        body = {**body, "usage": _used(body, result, request)}
        check_whole(case.operation, as_sent(body), getattr(request.fields, "response_format", None))
    return 1


def _task_stream(random: Random, case: Case) -> int:
    request, attempt = task_case.request_of(case), task_case.attempt_of(case)
    adapter: Any = adapters.find(request, attempt)
    for event in adapter.from_stream(sse.decode([damaged(random, task_case.raw_of(case))]), request, attempt):
        check_event(case.operation, as_sent(conform(event.body, EVENT_SHAPES[case.operation])))
    return 1


def _used(body: Any, result: Result, request: OperationRequest) -> Any:
    """As the exchange tells it."""
    told = body.get("usage")
    return told if is_plausible(told) else request.usage_object(result.usage or Usage())


def _is_form(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) for each in values)


TRIES: dict[Callable[[Random, Case], int], list[Case]] = {
    _request: CASES,
    _whole: WHOLE,
    _stream: STREAMED,
    _task: TASKS,
    _task_answer: WHOLE_TASKS,
    _task_stream: STREAMED_TASKS,
}
