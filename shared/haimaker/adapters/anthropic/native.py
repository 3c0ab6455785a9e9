"""Messages asked for in Anthropic's own format: the client's body goes on, edited, and the answer comes back as it is.

https://platform.claude.com/docs/en/api/messages. What the gateway itself reads of an answer, its text and its usage, is translated
beside it as for a chat. What the gateway put into earlier answers of other vendors, which Anthropic would refuse, is taken out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from haimaker.adapters.anthropic import chat, names, thinking_ids
from haimaker.adapters.anthropic.answer import Answer
from haimaker.adapters.anthropic.chat import read_error
from haimaker.adapters.anthropic.failures import from_body
from haimaker.adapters.anthropic.settings import has_lost_thinking
from haimaker.adapters.anthropic.tools import limit_uses
from haimaker.adapters.events import as_it_came, json_object
from haimaker.adapters.repairs import plain_id
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.fields import OURS
from haimaker.operations.operation import OUR_SIGNATURE, Result, UpstreamBody
from haimaker.operations.stream_usage import utf8_bytes

__all__ = ["from_stream", "from_upstream", "read_error", "to_count", "to_upstream"]

END_USER = "user"
"""Whom the request is charged to as well: the gateway's field, which Anthropic does not have."""
COUNTED = (
    *("messages", "system", "tools", "tool_choice", "thinking", "output_config"),
    *("mcp_servers", "context_management", "cache_control"),
)
"""What it takes for a count, besides the model: https://platform.claude.com/docs/en/api/messages-count-tokens"""
THINKING: dict[Any, str] = {"thinking": "signature", "redacted_thinking": "data"}
"""By kind of block, the field that only its vendor can read."""
NAMED = {"tool_use": "id", "tool_result": "tool_use_id"}
"""By a block's type, the field with the id of a call."""


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(chat.PATH, dumps(edit_body(request, attempt)), headers, dropped=dropped_names(request, attempt))


def to_count(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    """The question how many tokens a request has."""
    body = {name: value for name, value in edit_body(request, attempt).items() if name == "model" or name in COUNTED}
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(f"{chat.PATH}/count_tokens", dumps(body), headers)


def edit_body(request: ChatRequest, attempt: Attempt) -> JSON:
    """The client's body for a target."""
    assert request.original
    dialect = attempt.provider.dialect
    sent = request.original.body
    body = {name: value for name, value in sent.items() if name not in dialect.drop and name not in (*OURS, END_USER)}
    most = attempt.model_info.max_output_tokens
    wanted = request.max_output_tokens or attempt.max_output_tokens or most or attempt.traits.default_max_tokens
    body = {**dialect.add, **body, "model": attempt.model, "max_tokens": min(wanted, most) if most else wanted}
    if sent.get("max_tokens") == 0:  # fills the cache: …/build-with-claude/prompt-caching#pre-warming-the-cache
        body["max_tokens"] = 0
    if isinstance(sent.get("tools"), list):
        body["tools"] = limit_uses(sent["tools"], attempt)
    if isinstance(sent.get("messages"), list):
        body["messages"] = [_clean_turn(turn, _mark(attempt)) for turn in sent["messages"]]
        if body["messages"] != sent["messages"] and has_lost_thinking(body["messages"]):
            body.pop("thinking", None)
    return body


def dropped_names(request: ChatRequest, attempt: Attempt) -> tuple[str, ...]:
    assert request.original
    return tuple(name for name in attempt.provider.dialect.drop if name in request.original.body)


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said, mark = body.object(), _mark(attempt)
    if mark and isinstance(said.get("content"), list):
        said = {**said, "content": [_mark_block(block, mark) for block in said["content"]]}
    return chat.from_upstream(body, request, attempt)._replace(native=said)


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    """What ends the answer comes with the chunk that has the usage, so that both can be told the cost."""
    answer, mark = Answer(), _mark(attempt)
    held: list[Event] = []
    for event in events:
        body = json_object(event)
        if mark and (edited := _mark_event(body, mark)) is not body:
            body, event = edited, Event(dumps(edited), event.name)
        if body.get("type") == "error" or (body.get("error") and "type" not in body):
            yield from chat.end_chunks(answer, attempt) if answer.wrote else ()
            raise from_body(body)
        native, is_held = as_it_came(event, body), bool(held or answer.stop_reason)
        if not is_held and (text := answer.read_text(body)):  # and is read no further: two fifths of what an event costs
            shown = chat.chunk(answer, attempt, {"content": text}).body
            yield StreamEvent(shown, native=(native,), template=answer, text_bytes=utf8_bytes(text))
            continue
        deltas = list(answer.read(body))
        if is_held or answer.stop_reason or answer.ended:
            held.append(native)
            yield from (chat.chunk(answer, attempt, delta) for delta in deltas)
        else:
            *before, last = deltas or [{}]
            yield from (chat.chunk(answer, attempt, delta) for delta in before)
            so_far = chat.usage_so_far(answer) if body.get("type") == "message_start" else None
            yield StreamEvent(chat.chunk(answer, attempt, last).body, native=(native,), so_far=so_far)
        if answer.ended:
            break
    if not answer.ended and not answer.stop_reason:
        yield from chat.end_chunks(answer, attempt) if answer.wrote else ()
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    *deltas, last = answer.rest()
    yield from (chat.chunk(answer, attempt, delta) for delta in deltas)
    end = chat.chunk(answer, attempt, last, answer.finish_reason)
    words = [end, *chat.end_chunks(answer, attempt)]
    yield from words[:-1]
    yield words[-1]._replace(native=tuple(held))


def _mark(attempt: Attempt) -> str:
    """What stands before the signatures of a provider whose thinking nobody else can read; empty where Claude signs."""
    return f"{OUR_SIGNATURE}:{attempt.provider.name}:" if attempt.provider.dialect.marks_thinking else ""


def _mark_block(block: Any, mark: str) -> Any:
    is_thinking = isinstance(block, dict) and block.get("type") == "thinking"
    return {**block, "signature": f"{mark}{block.get('signature') or ''}"} if is_thinking else block


def _mark_event(body: JSON, mark: str) -> JSON:
    """The same event, or one with a marked signature."""
    kind = body.get("type")
    if kind == "content_block_start":
        block = body.get("content_block")
        marked = _mark_block(block, mark)
        return body if marked is block else {**body, "content_block": marked}
    delta = body.get("delta") if kind == "content_block_delta" else None
    if isinstance(delta, dict) and delta.get("type") == "signature_delta":
        return {**body, "delta": {**delta, "signature": f"{mark}{delta.get('signature') or ''}"}}
    return body


def _clean_turn(turn: Any, mark: str) -> Any:
    """A turn without thinking that another vendor signed, or none, and with what the ids of calls carry in its place; else the same
    turn."""
    content = turn.get("content") if isinstance(turn, dict) else None
    if not isinstance(content, list):
        return turn
    kept = [block for each in content for block in _clean_block(each, mark)]
    is_same = len(kept) == len(content) and all(new is old for new, old in zip(kept, content, strict=True))
    return turn if is_same else {**turn, "content": kept}


def _clean_block(block: Any, mark: str) -> Sequence[Any]:
    kind = block.get("type") if isinstance(block, dict) else None
    signature = str(block.get(THINKING[kind])) if kind in THINKING else ""
    if mark and signature.startswith(mark):
        return ({**block, "signature": signature.rpartition(mark)[2]},)
    if signature.startswith(OUR_SIGNATURE) or (mark and kind in THINKING):
        return ()
    field = NAMED.get(str(kind))
    identifier = block.get(field) if field else None
    if not isinstance(identifier, str) or names.PLAIN.fullmatch(identifier):
        return (block,)
    call = thinking_ids.unpack(identifier)
    thinking = [placed.block for placed in call.thinking] if kind == "tool_use" else []
    return (*thinking, {**block, field: names.call_id(plain_id(call.id))})
