"""Claude on Vertex AI: Anthropic's body without the model, which is in the path.

https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai. The base URL goes up to the location.
"""

from collections.abc import Sequence
from urllib.parse import quote

from haimaker.adapters.anthropic.chat import PausedTurn, from_stream, from_upstream, headers, read_error, translate
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["PausedTurn", "from_stream", "from_upstream", "read_error", "to_upstream"]

VERSION = "vertex-2023-10-16"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    builder = translate(request, attempt)
    return call(builder.anthropic_body, request, headers(builder, attempt), builder.dropped)


def call(body: JSON, request: ChatRequest, headers: JSON, dropped: Sequence[str]) -> UpstreamRequest:
    """The call that sends a body in Anthropic's format; `dropped` is what the body lacks of the client's."""
    lost = [*dropped, "service_tier"] if body.get("service_tier") and "service_tier" not in dropped else dropped
    sent = {"anthropic_version": VERSION, **{name: value for name, value in body.items() if name not in ("model", "service_tier")}}
    path = f"/publishers/anthropic/models/{quote(body['model'], safe='@')}"
    action = "streamRawPredict" if request.streams else "rawPredict"
    return UpstreamRequest(f"{path}:{action}", dumps(sent), headers, dropped=tuple(lost))
