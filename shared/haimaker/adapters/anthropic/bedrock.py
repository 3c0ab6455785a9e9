"""Claude through Bedrock's InvokeModel: Anthropic's body without the model, in a stream of AWS's events.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from haimaker.adapters.anthropic import chat, pauses
from haimaker.adapters.anthropic.chat import from_upstream, headers, read_error, translate
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["PausedTurn", "from_stream", "from_upstream", "read_error", "to_upstream"]

VERSION = "bedrock-2023-05-31"
STATUS: Mapping[str, int] = {
    "internalServerException": 500,
    "modelStreamErrorException": 502,
    "modelTimeoutException": 504,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
}
"""Of an exception within a stream.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html"""


class PausedTurn(pauses.PausedTurn):
    """A paused turn whose events come inside AWS's."""

    def read(self, events: Iterable[Event]) -> Iterator[Event]:
        return super().read(map(unwrap_event, events))


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    searches = request.body.get("web_search_options") is not None
    body = {name: value for name, value in request.body.items() if name != "web_search_options"}
    builder = translate(replace(request, body=body), attempt)
    if searches:
        builder.refuse("web_search_options", "The provider does not search the web.")
    if builder.betas:
        builder.anthropic_body["anthropic_beta"] = builder.betas
    plain = {name: value for name, value in headers(builder, attempt).items() if name != "anthropic-beta"}
    return call(builder.anthropic_body, request, plain, builder.dropped)


def call(body: JSON, request: ChatRequest, headers: JSON, dropped: Sequence[str]) -> UpstreamRequest:
    """The call that sends a body in Anthropic's format; `dropped` is what the body lacks of the client's."""
    lost = [*dropped, "service_tier"] if body.get("service_tier") and "service_tier" not in dropped else dropped
    sent = {name: value for name, value in body.items() if name not in ("model", "stream", "service_tier")}
    action = "invoke-with-response-stream" if request.streams else "invoke"
    path = f"/model/{quote(body['model'], safe='')}/{action}"
    return UpstreamRequest(path, dumps({"anthropic_version": VERSION, **sent}), headers, dropped=tuple(lost))


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return chat.from_stream(map(unwrap_event, events), request, attempt)


def unwrap_event(event: Event) -> Event:
    """Anthropic's event, which is base64 in AWS's. Raises the APIError that an exception stands for."""
    try:
        body = json.loads(event.data)
    except (ValueError, RecursionError):
        return event
    if event.name.lower().endswith("exception"):
        name = event.name[:1].lower() + event.name[1:]
        raise errors.from_upstream(STATUS.get(name, 502), read_error(body), {})
    wrapped = body.get("bytes") if isinstance(body, dict) else None
    try:
        return Event(base64.b64decode(wrapped)) if isinstance(wrapped, str) else event
    except ValueError:
        return event
