"""Messages asked for in Anthropic's own format, at Bedrock: see `bedrock`."""

from collections.abc import Iterable, Iterator

from haimaker.adapters.anthropic import bedrock, native
from haimaker.adapters.anthropic.native import from_upstream, read_error
from haimaker.http.values import Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    assert request.original
    headers, known = {"content-type": "application/json", **attempt.provider.dialect.headers}, attempt.provider.dialect.betas or {}
    body, dropped = native.edit_body(request, attempt), native.dropped_names(request, attempt)
    if betas := list(dict.fromkeys(known[name] for name in request.original.betas if name in known)):
        body = {"anthropic_beta": betas, **body}
    lost = (f"anthropic-beta.{name}" for name in request.original.betas if name not in known)
    return bedrock.call(body, request, headers, (*dropped, *lost))


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return native.from_stream(map(bedrock.unwrap_event, events), request, attempt)
