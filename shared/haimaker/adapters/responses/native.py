"""Responses asked for in OpenAI's own format: the client's body goes on, edited, and the answer comes back as it is.

https://platform.openai.com/docs/api-reference/responses. What the gateway itself reads of an answer, its text, its usage and the
tools that cost, is translated beside it as for a chat.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.responses import chat
from haimaker.adapters.responses.requests import to_call_id
from haimaker.http.json import as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.fields import OURS
from haimaker.operations.operation import OUR_SIGNATURE, Result, UpstreamBody, unpack_summary

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    assert request.original
    sent, dialect = request.original.body, attempt.provider.dialect
    body = {**dialect.add, **{name: value for name, value in sent.items() if name not in dialect.drop and name not in OURS}}
    body["model"] = attempt.model
    if not attempt.provider.limits.runs_in_background:
        body.pop("background", None)
    if spelled := dialect.values.get("reasoning_effort"):
        body.update(_with_effort(body, spelled))
    if not attempt.provider.limits.keeps_responses:
        body["store"] = False
    if isinstance(sent.get("input"), list):
        body["input"] = [_clean(item) for item in sent["input"] if not _is_ours(item)]
    if request.original.compacts:
        body = {name: value for name, value in body.items() if name not in ("store", "stream")}
    else:
        if attempt.max_output_tokens is not None and sent.get("max_output_tokens") is None:
            body["max_output_tokens"] = attempt.max_output_tokens
        if attempt.max_tool_calls:
            body["max_tool_calls"] = attempt.max_tool_calls
    dropped = tuple(name for name in dialect.drop if name in sent)
    path = f"{chat.PATH}/compact" if request.original.compacts else chat.PATH
    return UpstreamRequest(path, dumps(body), chat.headers(attempt), dropped=dropped)


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = body.object()
    return chat.read_whole(said, attempt, stored=_is_stored(request, attempt))._replace(native=said)


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return chat.read_stream(events, attempt, stored=_is_stored(request, attempt))


def _is_stored(request: ChatRequest, attempt: Attempt) -> bool:
    assert request.original
    is_answer = attempt.provider.limits.keeps_responses and not request.original.compacts
    return is_answer and request.original.body.get("store") is not False


def _with_effort(body: JSON, spelled: Mapping[str, str]) -> JSON:
    """The field `reasoning`, with an effort that the provider has."""
    asked = body.get("reasoning")
    if isinstance(asked, dict) and (effort := as_text(asked.get("effort"))) in spelled:
        return {"reasoning": {**asked, "effort": spelled[effort]}}
    return {}


def _clean(item: Any) -> Any:
    """An item as the provider reads it: what the gateway made shorter itself is a message."""
    summary = unpack_summary(item)
    call_id = item.get("call_id") if isinstance(item, dict) else None
    if isinstance(call_id, str) and to_call_id(call_id) != call_id:  # the thinking of another vendor
        return {**item, "call_id": to_call_id(call_id)}
    return item if summary is None else {"type": "message", "role": "user", "content": [{"type": "input_text", "text": summary}]}


def _is_ours(item: Any) -> bool:
    """Whether an item is reasoning of another vendor's, which the gateway showed: the provider could not read it."""
    mark: JSON = item if isinstance(item, dict) and item.get("type") == "reasoning" else {}
    return str(mark.get("encrypted_content")).startswith(OUR_SIGNATURE)
