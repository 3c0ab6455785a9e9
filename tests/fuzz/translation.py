"""Hostile requests and answers at the adapters, without a network: every recorded case with something else in a place of it.

What an adapter does not understand is an APIError; any other exception is a defect, and so is an answer of other types than the
SDK's, or a body that is no JSON.
"""

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker import adapters
from haimaker.adapters.openai_types import CHAT, conform
from haimaker.http.errors import APIError
from haimaker.http.sse import dumps as encode
from haimaker.operations.chat import parse_chat
from tests.fuzz.values import damaged, mutated, raw_of
from tests.support.builders import result_of
from tests.wire.case import Case, chunks, decoder_of, find, stream_of

CASES = find("chat")
WHOLE = [case for case in CASES if case.has("upstream_response.json")]
STREAMED = [case for case in CASES if case.streams]


def run(random: Random, counts: Counter[str]) -> Iterator[str]:
    """Without end: each item is a try, empty or what went wrong with it."""
    while True:
        for one in (_request, _request, _whole, _stream):
            cases = {_request: CASES, _whole: WHOLE, _stream: STREAMED}[one]
            case = random.choice(cases)
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
    json.loads(adapters.find(request, attempt).to_upstream(request, attempt).body, parse_constant=_no_json)
    return 1


def _whole(random: Random, case: Case) -> int:
    request, attempt = case.request(), case.attempt()
    body = mutated(random, case.json("upstream_response.json"))
    if isinstance(body, dict):
        made = conform(result_of(adapters.find(request, attempt), body, attempt, request), CHAT)
        ChatCompletion.model_validate(_readable(made))
    return 1


def _stream(random: Random, case: Case) -> int:
    raw = damaged(random, stream_of(case))
    for chunk in chunks(case.request(), [raw], case.attempt(), decoder_of(case)):
        if "error" not in chunk:
            ChatCompletionChunk.model_validate(_readable(conform(chunk, CHAT)))
    return 1


def _readable(body: Any) -> Any:
    """As JSON that JavaScript reads, without halves of surrogate pairs, which pydantic takes in no text."""
    text = encode(body).decode("utf-8", "replace")
    read = json.loads(text, parse_constant=_no_json)
    return json.loads(json.dumps(read, ensure_ascii=False).encode("utf-8", "replace"))


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
