"""Chat completions of Mistral: OpenAI's format, with its own parts for files and sound, no empty turns, and ids of its own kind.

https://docs.mistral.ai/api/endpoint/chat
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from haimaker.adapters.openai import chat
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.repairs import plain_id
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.models.traits import NEVER
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
"""Others are refused: https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    reasons = attempt.traits.thinks not in ("", NEVER)
    messages = [_message(message, reasons=reasons) for message in request.body["messages"]]
    body = {**request.body, **_with_whole_prediction(request.body), "messages": messages}
    if isinstance(body.get("tools"), list):
        body["tools"] = [_tool(tool) for tool in body["tools"]]
    return chat.to_upstream(replace(request, body=body), attempt)


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    return chat.from_upstream(body, request, attempt)


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return chat.from_stream(events, request, attempt)


def _with_whole_prediction(body: JSON) -> JSON:
    """A prediction in parts as the text that they are, as which alone it is taken."""
    prediction = body.get("prediction")
    parts = prediction.get("content") if isinstance(prediction, dict) else None
    if not isinstance(prediction, dict) or not isinstance(parts, list):
        return {}
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return {"prediction": {**prediction, "content": "".join(texts)}}


def _tool(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or function.get("parameters") is not None:
        return tool
    return {**tool, "function": {**function, "parameters": {"type": "object", "properties": {}}}}


def _message(message: JSON, *, reasons: bool) -> JSON:
    made: JSON = {}
    content, calls = message.get("content"), message.get("tool_calls")
    if isinstance(content, list):
        made["content"] = [_part(part) for part in content]
    thoughts = message.get("reasoning_content")
    if reasons and message.get("role") == "assistant" and isinstance(thoughts, str) and thoughts:
        made["content"] = _after_thoughts(made.get("content", content), thoughts)
    if calls:
        made["tool_calls"] = [{**call, "id": _call_id(call["id"])} if "id" in call else call for call in calls]
    if "tool_call_id" in message:
        made["tool_call_id"] = _call_id(message["tool_call_id"])
    return {**message, **made} if made else message


def _after_thoughts(content: Any, thoughts: str) -> list[Any]:
    """What was said behind the reasoning that led to it: https://docs.mistral.ai/api/endpoint/chat#operation-chat_completion"""
    said = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
    if any(isinstance(part, dict) and part.get("type") == "thinking" for part in said):
        return said
    return [{"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]}, *said]


def _call_id(identifier: Any) -> Any:
    """One from elsewhere becomes a digest, the same for a call and its result."""
    if not isinstance(identifier, str) or CALL_ID.fullmatch(identifier):
        return identifier
    plain = plain_id(identifier)
    return plain if CALL_ID.fullmatch(plain) else sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def _part(part: Any) -> Any:
    """https://docs.mistral.ai/capabilities/document_ai/document_qna, …/capabilities/audio"""
    kind = part.get("type") if isinstance(part, dict) else None
    held = part.get(kind) if isinstance(kind, str) else None
    if not isinstance(held, dict):
        return part
    if kind == "file" and isinstance(held.get("file_id"), str):
        return {"type": "file", "file_id": held["file_id"]}
    if kind == "file" and isinstance(held.get("file_data"), str):
        name = {"document_name": held["filename"]} if isinstance(held.get("filename"), str) else {}
        return {"type": "document_url", "document_url": held["file_data"], **name}
    if kind == "input_audio" and isinstance(held.get("data"), str):
        return {"type": "input_audio", "input_audio": held["data"]}
    return part
