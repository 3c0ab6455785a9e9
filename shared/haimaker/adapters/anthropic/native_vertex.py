"""Messages asked for in Anthropic's own format, at Vertex AI: see `vertex`."""

from haimaker.adapters.anthropic import native, vertex
from haimaker.adapters.anthropic.native import from_stream, from_upstream, read_error
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return vertex.call(native.edit_body(request, attempt), request, headers, list(native.dropped_names(request, attempt)))
