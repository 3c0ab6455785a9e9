"""Legacy completions of OpenAI and of the servers that still have them. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/completions
"""

from collections.abc import Iterable, Iterator

from haimaker.adapters.openai import chat
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.requests import drop_unsupported, own_fields, rename_fields
from haimaker.http.sse import dumps
from haimaker.http.values import Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.completions import CompletionRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.providers.common import MAX_TOKENS

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/completions"
LIMITS = ("max_tokens", "max_completion_tokens")
"""Here the first is the only name that the limit has, whatever it is in chat."""
HOLDER = "text"
"""Where a choice has what chat has in `message` and in `delta`."""


def to_upstream(request: CompletionRequest, attempt: Attempt) -> UpstreamRequest:
    dialect = attempt.provider.dialect
    names = {old: new for old, new in dialect.rename.items() if old not in LIMITS} | MAX_TOKENS
    body = rename_fields(own_fields(request, attempt), names)
    body, dropped = drop_unsupported(body, dialect, forced=bool(request.body.get("drop_params")))
    headers = {"content-type": "application/json", **dialect.headers}
    return UpstreamRequest(PATH, dumps({**dialect.add, **body}), headers, dropped=dropped)


def from_upstream(body: UpstreamBody, request: CompletionRequest, attempt: Attempt) -> Result:
    return Result(chat.read_whole(body.object(), attempt, HOLDER))


def from_stream(events: Iterable[Event], request: CompletionRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return chat.read_stream(events, attempt, HOLDER)
