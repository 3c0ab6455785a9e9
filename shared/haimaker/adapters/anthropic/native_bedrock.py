"""Messages asked for in Anthropic's own format, at Bedrock: see `bedrock`."""

from collections.abc import Iterable, Iterator

from haimaker.adapters.anthropic import bedrock, native
from haimaker.adapters.anthropic.native import from_upstream, read_error
from haimaker.http.values import Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return bedrock.call(native.edit_body(request, attempt), request, headers, native.dropped_names(request, attempt))


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return native.from_stream(map(bedrock.unwrap_event, events), request, attempt)
