"""A provider that says what it likes: recorded answers of every format, whole and streamed, with something else in a place of them.

Which provider and operation is asked is told by the path of a call, `/<provider>/…`: what that one said in a wire case is where a
reply begins.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from threading import Lock
from typing import Any

from haimaker.api.formats import responses_answers
from tests.fuzz.values import damaged, dumps, raw_of
from tests.support import event_messages, openai_wire
from tests.support.fake_upstream import Call, Reply
from tests.wire.case import ROOT, Case

STATUSES = (200,) * 24 + (201, 204, 301, 400, 401, 403, 404, 413, 429, 500, 502, 529)
TYPES = ("application/json", "application/json", "application/json", "text/html", "")
RETRY_AFTER = ("0", "-1", "nan", "99999", "x" * 400)
CHUNKS = openai_wire.chunks(["H", "i"], usage=openai_wire.usage(10, 5))
WHOLE = openai_wire.completion("Hi", usage=openai_wire.usage(10, 5, cached=4))
RESPONSE_EVENTS = [json.loads(dumps(event)) for event in responses_answers.events(CHUNKS, {"model": "m", "input": "Hi"}, "r1")]
ENDINGS = ("json", "txt", "bin", "sse")
STREAMS_ASKED = re.compile(rb'"stream": ?true')


@dataclass(frozen=True)
class Said:
    """A recorded answer: a JSON value, the events of a stream, or bytes."""

    body: Any = None
    events: tuple[bytes, ...] = ()
    raw: bytes = b""
    content_type: str = "application/json"


FALLBACK = Said(WHOLE)
BY_END: Mapping[str, tuple[Said, ...]] = {
    "responses": (
        Said(RESPONSE_EVENTS[-1]["response"]),
        Said(
            events=tuple(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dumps(event)) for event in RESPONSE_EVENTS),
            content_type="text/event-stream",
        ),
    ),
    "count_tokens": (Said({"input_tokens": 3}),),
    "input_items": (Said({"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}),),
    "countTokens": (Said({"totalTokens": 3}),),
    "models": (Said({"object": "list", "data": [{"id": "m", "object": "model"}]}),),
}
"""What no wire case has, by the end of a path."""


def hostile(seed: int) -> Callable[[Call], Reply]:
    """What a provider of this seed answers."""
    random, lock = Random(seed), Lock()

    def answer(call: Call) -> Reply:
        with lock:
            return reply(random, call)

    return answer


def reply(random: Random, call: Call) -> Reply:
    """Whole or streamed, right or not, cut or not."""
    said = random.choice(_candidates(call))
    status, headers = random.choice(STATUSES), {"content-type": said.content_type}
    if random.random() < 0.1:
        headers["content-type"] = random.choice(TYPES)
    if random.random() < 0.05:
        headers["retry-after"] = random.choice(RETRY_AFTER)
    if random.random() < 0.03:
        headers["x-request-id"], headers["set-cookie"] = "é" * 200, "a=b"
    if said.events:
        events = list(changed(random, said.events))
        made = Reply.sse(events, done=random.random() < 0.9, status=200 if random.random() < 0.9 else status, headers=headers)
        if random.random() < 0.2:
            made = made.split(random.choice((1, 7, 100)))
        return made.cut(after_events=random.randrange(4), reset=random.random() < 0.5) if random.random() < 0.1 else made
    if said.raw:
        body = said.raw if random.random() < 0.5 else damaged(random, said.raw)
    else:
        body = dumps(said.body) if random.random() < 0.3 else raw_of(random, said.body)
    if random.random() < 0.1:
        body, headers["content-encoding"] = gzip.compress(body) if random.random() < 0.8 else body, "gzip"
    made = Reply.raw(status, body, headers)
    return made.cut(after_bytes=random.randrange(len(body) + 1), reset=random.random() < 0.5) if random.random() < 0.1 else made


def changed(random: Random, events: Sequence[bytes]) -> Iterator[bytes]:
    """Mostly a change of one event; events that are doubled, left out, or in another order."""
    changed = list(events)
    for _ in range(random.choice((0, 1, 1, 2))):
        place = random.randrange(len(changed))
        kind = random.random()
        if kind < 0.2:
            changed[place] = damaged(random, changed[place])
        elif kind < 0.3:
            changed[place : place + 1] = [] if len(changed) > 1 else changed
        elif kind < 0.4:
            changed.insert(random.randrange(len(changed)), changed[place])
        else:
            changed[place] = _other_data(random, changed[place])
    return iter(changed)


def _other_data(random: Random, event: bytes) -> bytes:
    head, mark, data = event.partition(b"data: ")
    try:
        body = json.loads(data)
    except ValueError:
        return damaged(random, event)
    return head + mark + raw_of(random, body) + b"\n\n"


def _candidates(call: Call) -> tuple[Said, ...]:
    path = call.path.partition("?")[0]
    provider, end = path.split("/")[1], _end(path)
    streams = STREAMS_ASKED.search(call.body) is not None or "stream" in end.lower()
    return _said(provider, end, streams)


@cache
def _said(provider: str, end: str, streams: bool) -> tuple[Said, ...]:
    recorded = _recorded().get((provider, end), ()) or BY_END.get(end, ())
    return tuple(said for said in recorded if bool(said.events) == streams) or tuple(recorded) or (FALLBACK,)


def _end(path: str) -> str:
    """What a path ends in, which tells operations apart: `completions` is that of chats, too."""
    parts = re.split(r"[/:]", path.partition("?")[0].strip("/"))
    return "/".join(parts[-2:]) if parts[-2:-1] == ["chat"] else parts[-1]


@cache
def _recorded() -> Mapping[tuple[str, str], tuple[Said, ...]]:
    """What each provider said, by the end of the path that it was asked at."""
    found: dict[tuple[str, str], tuple[Said, ...]] = {}
    for file in sorted(ROOT.glob("*/*/*/upstream_request.json")):
        case = Case(file.parent)
        asked = case.json("upstream_request.json")
        path = (asked[0] if isinstance(asked, list) else asked)["path"]
        if said := recorded(case):
            place = (case.name.partition("/")[0], _end(path))
            found[place] = (*found.get(place, ()), said)
    return found


def recorded(case: Case) -> Said | None:
    """What the provider said in a case."""
    if case.has("upstream_response.sse"):
        events = case.bytes("upstream_response.sse").replace(b"\r\n", b"\n").split(b"\n\n")
        return Said(events=tuple(event + b"\n\n" for event in events if event), content_type="text/event-stream")
    if case.has("upstream_events.jsonl"):
        lines = [json.loads(line) for line in case.bytes("upstream_events.jsonl").splitlines()]
        messages = tuple(event_messages.event(name, body) for name, body in lines)
        return Said(events=messages, content_type="application/vnd.amazon.eventstream")
    if case.has("upstream_response.json"):
        return Said(case.json("upstream_response.json"))
    for ending in ENDINGS[1:3]:
        if case.has(f"upstream_response.{ending}"):
            headers = case.about.get("upstream_headers", {})
            return Said(raw=case.bytes(f"upstream_response.{ending}"), content_type=headers.get("content-type", "audio/mpeg"))
    return None
