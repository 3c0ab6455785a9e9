"""Google's Gemini API as clients ask for it: contents whole and streamed, and embeddings. The model and what is to be done stand in
the path. What a provider of this format answers passes as it is, with the cost in its `usageMetadata`. Pure.

https://ai.google.dev/api/generate-content, https://ai.google.dev/api/embeddings
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from haimaker.adapters import ADAPTERS
from haimaker.api.formats import gemini_answers
from haimaker.api.formats.gemini_contents import with_camel_names
from haimaker.api.formats.gemini_embeddings import from_embeddings, to_embeddings
from haimaker.api.formats.gemini_requests import to_chat, without_ours
from haimaker.http.errors import APIError
from haimaker.http.json import parse_json, read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, Request, StreamEvent
from haimaker.lean_dataclasses import replace
from haimaker.operations.chat import translated_chat
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.embeddings import translated_embeddings
from haimaker.operations.operation import OperationRequest, Original, Result

ARRAY = "application/json"
BLANK = b"\n\n"
"""Between two events; Google's SDK takes a comment for an answer."""


def parse(request: Request) -> OperationRequest:
    """Raises BadRequestError, NotFoundError."""
    return _parse(request, streams=False)


def _parse(request: Request, *, streams: bool) -> OperationRequest:
    body = parse_json(request.body)
    chat, dropped, refusal = to_chat(body, model_of(request), streams=streams)
    return translated_chat(
        chat, request.body, Original("gemini_generate", without_ours(body), ADAPTERS["gemini_generate"], dropped, refusal)
    )


def parse_prompt(request: Request) -> OperationRequest:
    """What is to be counted: contents, or a whole request. https://ai.google.dev/api/tokens

    Raises BadRequestError, NotFoundError.
    """
    body = with_camel_names(parse_json(request.body))
    whole = body.get("generateContentRequest")
    asked = whole if isinstance(whole, dict) else body
    chat, dropped, _ = to_chat(asked, model_of(request))
    return translated_chat(chat, dumps(asked), Original("gemini_generate", asked, ADAPTERS["gemini_generate"], dropped))


def model_of(request: Request) -> str:
    """Google's clients may name a model as `models/…` within its own path."""
    return request.path.get("id", "").removeprefix("models/")


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    if result.native is None:
        return "application/json", dumps(gemini_answers.from_chat(result.body, request_id))
    return "application/json", dumps(_priced(result.native, result.body["usage"]))


def to_answers(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    """The events of a stream, as JSON."""
    first = next(chunks, None)
    if first is None:
        return
    chunks = chain((first,), chunks)
    if not first.native:
        yield from map(dumps, gemini_answers.events((chunk.body for chunk in chunks), request_id))
        return
    for chunk in chunks:
        for event in chunk.native:
            yield _with_cost(event, chunk.body.get("usage"))


def write_events(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    for answer in to_answers(request, chunks, request_id):
        yield b"data: %b\n\n" % answer


def write_array(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    """One JSON array, whose items come one by one."""
    before = b"["
    for answer in to_answers(request, chunks, request_id):
        yield before + answer
        before = b",\n"
    yield b"]"


def render_error(error: APIError, request_id: str) -> JSON:
    return gemini_answers.error_body(error)


def array_error(error: APIError, request_id: str, sent: int) -> bytes:
    return b"%b%b]" % (b",\n" if sent else b"[", dumps(gemini_answers.error_body(error)))


def _priced(answer: JSON, used: Any) -> JSON:
    metadata = answer.get("usageMetadata")
    return {**answer, "usageMetadata": {**(metadata if isinstance(metadata, dict) else {}), **gemini_answers.cost_fields(used)}}


def _with_cost(event: Event, used: Any) -> bytes:
    """The bytes of an event, written anew only where it tells the usage that has its cost."""
    if not isinstance(used, dict) or "cost" not in used:
        return event.data
    answer = read_or_none(event.data)
    return dumps(_priced(answer, used)) if isinstance(answer, dict) else event.data


def _embedding(*, several: bool) -> ClientFormat:
    def parse_embeddings(request: Request) -> OperationRequest:
        body = parse_json(request.body)
        asked, dropped, refusal = to_embeddings(body, model_of(request), several=several)
        operation = "gemini_batch_embed" if several else "gemini_embed"
        return translated_embeddings(
            asked, request.body, Original(operation, without_ours(body), ADAPTERS.get(operation, ()), dropped, refusal)
        )

    def render_embeddings(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
        told = from_embeddings(result.body, several=several) if result.native is None else result.native
        return "application/json", dumps(_priced(told, result.body["usage"]))

    return replace(WHOLE, parse=parse_embeddings, render=render_embeddings)


WHOLE = ClientFormat(
    parse,
    render,
    write_events,
    render_error,
    lambda error, request_id, sent: b"data: %b\n\n" % dumps(gemini_answers.error_body(error)),
    BLANK,
)
EVENTS = replace(WHOLE, parse=lambda request: _parse(request, streams=True))
LIST = replace(EVENTS, events=write_array, error_event=array_error, stream_type=ARRAY)
STREAM = replace(EVENTS, choose=lambda request: EVENTS if request.query.get("alt") == "sse" else LIST)
EMBED = _embedding(several=False)
BATCH_EMBED = _embedding(several=True)
