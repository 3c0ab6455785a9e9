"""Legacy completions of OpenAI and of the servers that still have them. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/completions
"""

from collections.abc import Iterable, Iterator

from haimaker import errors
from haimaker.adapters.openai import chat
from haimaker.adapters.openai.failures import from_body, read_error
from haimaker.schema import CompletionRequest
from haimaker.sse import dumps
from haimaker.wire import JSON, Attempt, Chunk, Event, UpstreamRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/completions"


def to_upstream(request: CompletionRequest, attempt: Attempt) -> UpstreamRequest:
    body = {name: value for name, value in request.body.items() if name != "drop_params"} | {"model": attempt.model}
    if attempt.max_output_tokens is not None:
        body["max_tokens"] = attempt.max_output_tokens
    if request.streams and attempt.provider.asks_stream_usage:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    headers = {"content-type": "application/json", **attempt.provider.headers}
    return UpstreamRequest(PATH, dumps(body), headers)


def from_upstream(body: JSON, attempt: Attempt) -> JSON:
    if body.get("error") and not body.get("choices"):
        raise from_body(body)
    if not isinstance(body.get("choices"), list):
        raise errors.BadGatewayError("The provider's answer has no choices.")
    return body


def from_stream(events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
    return chat.from_stream(events, attempt)
