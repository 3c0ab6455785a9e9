"""Contents asked for in Google's own format: the client's body goes on, edited, and the answer comes back as it is.

https://ai.google.dev/api/generate-content. What the gateway itself reads of an answer, its text and its usage, is translated beside
it as for a chat. What the gateway put into earlier answers of other vendors, which Google would refuse, is taken out.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from haimaker.adapters.events import as_it_came, json_object
from haimaker.adapters.gemini import signatures
from haimaker.adapters.gemini.answer_types import CONTENTS, COUNTS, USED
from haimaker.adapters.gemini.chat import STREAMED, WHOLE, Answer, candidates, read_answer
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.openai_types import conform
from haimaker.http import errors
from haimaker.http.json import as_object, parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.models.traits import Traits
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.stream_usage import utf8_bytes

__all__ = ["from_stream", "from_upstream", "read_error", "to_count", "to_upstream"]

COUNT = "countTokens"

CONFIG = ("generationConfig", "generation_config")
TOOL_CONFIG = ("toolConfig", "tool_config")
PLAIN_HEAD = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
PLAIN = frozenset({"content", "index"})
TEXT = {"text"}
INTEGERS = frozenset({int})
SIGNATURE = ("thoughtSignature", "thought_signature")
CALL = ("functionCall", "function_call")
"""Google's JSON has two spellings of every name, and both are taken."""


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    assert request.original
    sent, drops = request.original.body, attempt.provider.dialect.drop
    body = {**attempt.provider.dialect.add, **sent}
    for names in (CONFIG, TOOL_CONFIG):
        place = _name(body, names)
        if isinstance(body.get(place), dict) and not body[place].keys().isdisjoint(drops):
            body[place] = {name: value for name, value in body[place].items() if name not in drops}
    if attempt.max_output_tokens and request.max_output_tokens is None:
        config = _name(body, CONFIG)
        body[config] = {**as_object(body.get(config)), "maxOutputTokens": attempt.max_output_tokens}
    if isinstance(sent.get("contents"), list):
        body["contents"] = [_clean(content, attempt.traits) for content in sent["contents"]]
    path = f"/models/{quote(attempt.model, safe='@')}:{STREAMED if request.streams else WHOLE}"
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json", **attempt.provider.dialect.headers})


def to_count(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    """The question how many tokens a request has: https://ai.google.dev/api/tokens"""
    call = to_upstream(request, attempt)
    whole = {"generateContentRequest": {"model": f"models/{attempt.model}", **parse_json(call.body)}}
    return replace(call, path=f"/models/{quote(attempt.model, safe='@')}:{COUNT}", body=dumps(whole))


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = read_answer(body)
    answer = Answer(attempt)
    said = conform(said, CONTENTS)
    answer.note(said)
    choices = []
    for index, candidate in candidates(said) or [(0, {})]:
        message = {"role": "assistant", "content": None, **_read(answer, index, candidate)}
        _raise_if_failed(answer, index)
        choices.append({"index": index, "message": message, "finish_reason": answer.finish_reason(answer.choice(index))})
    usage = answer.usage()
    head = answer.head("chat.completion")
    return Result({**head, "choices": choices, **({"usage": usage} if usage else {})}, native=said)


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    """An event that may be the last one is kept back until it is known whether it is: the last one is told the cost."""
    answer = Answer(attempt)
    held: tuple[Event, ...] = ()
    begun = False
    for event in events:
        body = json_object(event)
        if body.get("error"):
            raise from_body(body)
        if begun and event.data.startswith(b"{") and b"\n" not in event.data and (plain := _plain(body, answer)):
            letters = utf8_bytes(plain["delta"]["content"])
            yield StreamEvent({"choices": [plain]}, native=(*held, event), template=answer, text_bytes=letters)
            held = ()
            continue
        typed = conform(body, CONTENTS)
        answer.note(typed)
        found = candidates(typed)
        choices = [{"index": index, "delta": _read(answer, index, candidate)} for index, candidate in found]
        for index, _ in found:
            _raise_if_failed(answer, index)
        native = (as_it_came(event, body) if typed is body else Event(dumps(typed)),)
        ends = not found or any("finishReason" in candidate for _, candidate in found)
        head, so_far = ({}, None) if begun else (_head(answer), answer.usage())
        begun = True
        if ends:
            yield StreamEvent({**head, "choices": choices}, native=held, so_far=so_far)
            held = native
        else:
            yield StreamEvent({**head, "choices": choices}, native=(*held, *native) if held else native, so_far=so_far)
            held = ()
    complete = answer.blocked or all(choice.reason is not None for choice in answer.choices.values())
    if not answer.begun or not complete:
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    reasons = [(index, answer.finish_reason(choice)) for index, choice in answer.choices.items()]
    yield StreamEvent({"choices": [{"index": index, "delta": {}, "finish_reason": reason} for index, reason in reasons]})
    last = held or (Event(dumps({"usageMetadata": answer.metadata})),)
    usage = answer.usage()
    yield StreamEvent({**_head(answer), "choices": [], **({"usage": usage} if usage else {})}, native=last)


def _plain(body: JSON, answer: Answer) -> JSON | None:
    """The choice of an event with a piece of text and nothing else, as most are, after others of the same candidate."""
    names = type(body.get("modelVersion", "")), type(body.get("responseId", ""))
    if not body.keys() <= PLAIN_HEAD or names != (str, str):
        return None
    found = body.get("candidates")
    candidate = found[0] if type(found) is list and len(found) == 1 else None
    if type(candidate) is not dict or not candidate.keys() <= PLAIN:
        return None
    index = candidate.get("index", 0)
    if type(index) is not int or index not in answer.choices:
        return None
    content = candidate.get("content")
    if type(content) is not dict or type(content.get("role", "")) is not str:
        return None
    parts = content.get("parts")
    if type(parts) is not list or len(parts) != 1 or type(parts[0]) is not dict or parts[0].keys() != TEXT:
        return None
    used = body.get("usageMetadata")
    if type(parts[0]["text"]) is not str:
        return None
    if used is not None and not (type(used) is dict and _is_typed(used)):
        return None
    if used:
        answer.metadata.update(used)
    return {"index": index, "delta": {"content": parts[0]["text"]}}


def _is_typed(used: JSON) -> bool:
    """Whether a usage is of its types. It comes with each event, mostly as numbers alone: a third of an event, if they were read as
    all else is."""
    if used.keys() <= COUNTS and INTEGERS.issuperset(map(type, used.values())):
        return True
    held = {"usageMetadata": used}
    return conform(held, USED) is held


def _read(answer: Answer, index: int, candidate: JSON) -> JSON:
    """What a candidate adds to the message."""
    delta = answer.choice(index).read(candidate)
    answer.has_spoken = answer.has_spoken or bool(delta)
    return delta


def _raise_if_failed(answer: Answer, index: int) -> None:
    """Raises the error of a generation that failed before anything was said, so that another target may be asked. The client is
    told of one that failed later as Google does."""
    choice = answer.choice(index)
    if choice.has_failed and not answer.has_spoken:
        raise answer.failure(choice)


def _head(answer: Answer) -> JSON:
    return answer.head("chat.completion.chunk")


def _clean(content: Any, traits: Traits) -> Any:
    """A content without the signatures that no vendor made; the same object where it has none of them."""
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or content.get("role") != "model":
        return content
    kept = [made for part in parts if (made := _unsigned(part)) is not None]
    calls = [at for at, part in enumerate(kept) if isinstance(part, dict) and _name(part, CALL) in part]
    if traits.signs_calls and calls and not any(_name(kept[at], SIGNATURE) in kept[at] for at in calls):
        kept[calls[0]] = {**kept[calls[0]], SIGNATURE[0]: signatures.NOT_CHECKED}
    return {**content, "parts": kept}


def _unsigned(part: Any) -> Any:
    """None for a part that was there for its signature alone."""
    if not isinstance(part, dict) or not str(part.get(_name(part, SIGNATURE)) or "").startswith(signatures.OURS):
        return part
    rest = {name: value for name, value in part.items() if name not in SIGNATURE}
    return None if rest == {"text": ""} else rest


def _name(holder: JSON, names: tuple[str, str]) -> str:
    """The one of two spellings in which an object has a field; the first, if it does not have it."""
    return next((name for name in names if name in holder), names[0])
