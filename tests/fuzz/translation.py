"""Hostile requests and answers at the adapters, without a network: every recorded case with something else in a place of it.

What an adapter does not understand is an APIError; any other exception is a defect, and so is an answer of other types than the
SDK's, or a body that is no JSON.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from haimaker import adapters
from haimaker.adapters import ADAPTERS
from haimaker.adapters.openai_types import EVENT_SHAPES, SHAPES, conform
from haimaker.api import formats
from haimaker.http import eventstream, sse
from haimaker.http.errors import APIError
from haimaker.http.values import Request, StreamEvent, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from haimaker.operations.operation import OperationRequest, Result, UpstreamBody
from haimaker.pricing.usage import Usage, is_plausible
from haimaker.providers.registry import get
from tests.fuzz import provider, requests
from tests.fuzz.answers import as_sent, check_event, check_whole, readable
from tests.fuzz.values import damaged, dumps, mutated, raw_of
from tests.support.builders import result_of
from tests.wire import task_case
from tests.wire.case import Case, attempt_at, chunks, decoder_of, find, stream_of

CASES = find("chat")
WHOLE = [case for case in CASES if case.has("upstream_response.json")]
STREAMED = [case for case in CASES if case.streams]
TASKS = task_case.find_tasks()
WHOLE_TASKS = [case for case in TASKS if case.has("response.json")]
STREAMED_TASKS = [case for case in TASKS if case.has("chunks.jsonl")]


FORMATS = ("messages", "responses", "gemini_generate")
STREAMED_FORMATS = ("messages", "responses", "gemini_stream")
STREAMED_REQUEST = Request("r1", {}, b"", {"id": "openai/gpt-4o-mini"}, {"alt": "sse"})
OPENAI = replace(attempt_at("openai", "gpt-5.4"), provider=get("openai").operations["responses"])
ANSWERS = [(case.attempt(), said) for case in CASES if (said := provider.recorded(case)) and not said.raw]
ANSWERS += [(OPENAI, said) for said in provider.BY_END["responses"]]
"""What is said of chats, and by whom."""


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
                yield f"{one.__name__[1:]} of {getattr(case, 'name', case)}: {type(error).__name__}: {str(error)[:300]}"
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


def _format_request(random: Random, operation: str) -> int:
    """A request in another format than OpenAI's, for a provider that speaks it or one that does not."""
    asked = _parse(operation, raw_of(random, requests.BODIES[operation]))
    attempt, _ = _answer(random, operation, streamed=False)
    readable(adapters.find(asked, attempt).to_upstream(asked, attempt).body)
    return 1


def _format_whole(random: Random, operation: str) -> int:
    """A whole answer, with its cost, in the client's format."""
    attempt, said = _answer(random, operation, streamed=False)
    asked = _parse(operation, dumps(requests.BODIES[operation]))
    result = adapters.find(asked, attempt).from_upstream(UpstreamBody({}, raw_of(random, said.body)), asked, attempt)
    body = conform(result.body, SHAPES[asked.operation])
    priced = result._replace(body={**body, "usage": {**_used(body, result, asked), "cost": 0.5}})
    written = formats.find(operation).render(asked, priced, "r1")[1]
    check_whole(operation, readable(written), same_format=result.native is not None)
    return 1


def _format_stream(random: Random, operation: str) -> int:
    """A stream, with its cost, in the client's format."""
    attempt, said = _answer(random, operation, streamed=True)
    asked = _parse(operation, dumps({**requests.BODIES[operation], **({} if "gemini" in operation else {"stream": True})}))
    decode = eventstream.decode if "amazon" in said.content_type else sse.decode
    native = False

    def settled() -> Iterator[StreamEvent]:
        nonlocal native
        used = asked.stream_usage()
        chunks = adapters.find(asked, attempt).from_stream(decode(provider.changed(random, said.events)), asked, attempt)
        conforming = (chunk._replace(body=conform(chunk.body, EVENT_SHAPES[asked.operation])) for chunk in chunks)
        for chunk in used.read(conforming):
            native = native or bool(chunk.native)
            yield chunk
        told = used.provider_usage if is_plausible(used.provider_usage) else asked.usage_object(Usage())
        yield from used.last_events({**told, "cost": 0.5})

    for written in formats.find(operation, STREAMED_REQUEST).events(asked, settled(), "r1"):
        if (data := written.partition(b"data: ")[2].strip()) and data != b"[DONE]":
            check_event(operation, readable(data), same_format=native)
    return 1


def _parse(operation: str, raw: bytes) -> OperationRequest:
    request = replace(STREAMED_REQUEST, body=raw)
    return formats.find(operation, request).parse(request)


def _answer(random: Random, operation: str, *, streamed: bool) -> tuple[Attempt, provider.Said]:
    """In half of the tries of a provider that speaks the client's own format."""
    answers = [answer for answer in ANSWERS if bool(answer[1].events) == streamed]
    spoken = ADAPTERS[requests.SPOKEN[operation]] if operation in requests.SPOKEN else {}
    own = [answer for answer in answers if answer[0].provider.adapter in spoken]
    return random.choice(own if own and random.random() < 0.5 else answers)


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


TRIES: dict[Callable[[Random, Any], int], Sequence[Any]] = {
    _request: CASES,
    _whole: WHOLE,
    _stream: STREAMED,
    _format_request: FORMATS,
    _format_whole: (*FORMATS, "responses_compact"),
    _format_stream: STREAMED_FORMATS,
    _task: TASKS,
    _task_answer: WHOLE_TASKS,
    _task_stream: STREAMED_TASKS,
}
