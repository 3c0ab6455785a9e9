"""Claude on Vertex AI: Anthropic's body without the model, which is in the path.

https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai. The base URL goes up to the location.
"""

from urllib.parse import quote

from haimaker.adapters.anthropic.chat import from_stream, from_upstream, headers, read_error, translated
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

VERSION = "vertex-2023-10-16"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    draft = translated(request, attempt)
    model = quote(draft.call.pop("model"), safe="@")
    if draft.call.pop("service_tier", None):
        draft.drop("service_tier")
    path = f"/publishers/anthropic/models/{model}:{'streamRawPredict' if request.streams else 'rawPredict'}"
    body = dumps({"anthropic_version": VERSION, **draft.call})
    return UpstreamRequest(path, body, headers(draft, attempt), dropped=tuple(draft.dropped))
