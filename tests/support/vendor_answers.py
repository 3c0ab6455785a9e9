"""One turn of a model as each vendor sends it, whole or streamed: what it thought, wrote and called.

https://platform.claude.com/docs/en/build-with-claude/streaming, https://ai.google.dev/api/generate-content,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, https://docs.cohere.com/docs/streaming,
https://docs.mistral.ai/api/endpoint/chat, https://platform.openai.com/docs/api-reference/chat/streaming.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.support import event_messages
from tests.support.reply import JSON, Reply, dumps
from tests.support.vendor_schemas import SIGNATURES


@dataclass(frozen=True, slots=True)
class Said:
    thought: str = ""
    text: str = ""
    calls: tuple[tuple[str, JSON], ...] = ()
    """Names and arguments."""
    turn: int = 0
    """Its number in the conversation, so that ids differ."""

    def ids(self, form: str) -> list[str]:
        """Of the calls, in a vendor's form, in which `{}` stands for a number of nine digits."""
        return [form.format(f"{self.turn + 1:04}{place:05}") for place in range(len(self.calls))]


def answer(vendor: str, said: Said, *, stream: bool) -> Reply:
    return VENDORS[vendor](said, stream)


def _anthropic(said: Said, stream: bool) -> Reply:
    blocks: list[JSON] = []
    if said.thought:
        blocks.append({"type": "thinking", "thinking": said.thought, "signature": SIGNATURES["anthropic"]})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for identifier, (name, arguments) in zip(said.ids("toolu_{}"), said.calls, strict=True):
        blocks.append({"type": "tool_use", "id": identifier, "name": name, "input": arguments})
    usage = {"input_tokens": 20, "output_tokens": 10}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "usage": usage, "stop_sequence": None}
    reason = "tool_use" if said.calls else "end_turn"
    if not stream:
        return Reply.json(200, {**head, "content": blocks, "stop_reason": reason})
    events: list[JSON] = [{"type": "message_start", "message": {**head, "content": [], "stop_reason": None}}]
    for index, block in enumerate(blocks):
        start, deltas = _claudes_pieces(block)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
    return Reply.sse([*events, {"type": "message_stop"}], done=False)


def _claudes_pieces(block: JSON) -> tuple[JSON, list[JSON]]:
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signature]
    if block["type"] == "text":
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in _halves(block["text"])]
    pieces = _halves(dumps(block["input"]).decode())
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _bedrock(said: Said, stream: bool) -> Reply:
    usage = {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30}
    reason = "tool_use" if said.calls else "end_turn"
    calls = list(zip(said.ids("tooluse_{}"), said.calls, strict=True))
    if not stream:
        thought = {"reasoningText": {"text": said.thought, "signature": SIGNATURES["anthropic"]}}
        content: list[JSON] = [{"reasoningContent": thought}] if said.thought else []
        content += [{"text": said.text}] if said.text else []
        content += [{"toolUse": {"toolUseId": id_, "name": name, "input": given}} for id_, (name, given) in calls]
        message = {"role": "assistant", "content": content}
        body = {"output": {"message": message}, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 7}}
        return Reply.json(200, body)
    events: list[tuple[str, JSON]] = [("messageStart", {"role": "assistant"})]
    blocks: list[tuple[JSON | None, list[JSON]]] = []
    if said.thought:
        pieces = ({"text": said.thought}, {"signature": SIGNATURES["anthropic"]})
        blocks.append((None, [{"reasoningContent": piece} for piece in pieces]))
    if said.text:
        blocks.append((None, [{"text": piece} for piece in _halves(said.text)]))
    for id_, (name, given) in calls:
        start = {"toolUse": {"toolUseId": id_, "name": name}}
        blocks.append((start, [{"toolUse": {"input": piece}} for piece in _halves(dumps(given).decode())]))
    for index, (begin, deltas) in enumerate(blocks):
        if begin:
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": begin}))
        events += [("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    events += [("messageStop", {"stopReason": reason}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 7}})]
    return Reply.raw(200, event_messages.stream(events), {"content-type": "application/vnd.amazon.eventstream"})


def _cohere(said: Said, stream: bool) -> Reply:
    ids = said.ids("look_{}")
    usage = {"billed_units": {"input_tokens": 20, "output_tokens": 10}, "tokens": {"input_tokens": 20, "output_tokens": 10}}
    reason = "TOOL_CALL" if said.calls else "COMPLETE"
    content: list[JSON] = [{"type": "text", "text": said.text}] if said.text else []
    if said.thought and not said.calls:
        content.insert(0, {"type": "thinking", "thinking": said.thought})
    plan = said.thought if said.calls else ""
    calls = [_functions_call(id_, name, given) for id_, (name, given) in zip(ids, said.calls, strict=True)]
    if not stream:
        message = {"role": "assistant", "content": content, "tool_plan": plan, "tool_calls": calls}
        message = {name: value for name, value in message.items() if value}
        return Reply.json(200, {"id": "c1", "message": message, "finish_reason": reason, "usage": usage})
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events: list[JSON] = [{"type": "message-start", "id": "c1", "delta": {"message": empty}}]
    events += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": plan}}}] if plan else []
    for index, block in enumerate(content):
        kind = block["type"]
        start = {"content": {"type": kind, kind: ""}}
        events.append({"type": "content-start", "index": index, "delta": {"message": start}})
        for piece in _halves(block[kind]):
            events.append({"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}})
        events.append({"type": "content-end", "index": index})
    for index, call in enumerate(calls):
        begun = {**call, "function": {**call["function"], "arguments": ""}}
        events.append({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begun}}})
        for piece in _halves(call["function"]["arguments"]):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            events.append({"type": "tool-call-delta", "index": index, "delta": delta})
        events.append({"type": "tool-call-end", "index": index})
    return Reply.sse([*events, {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}], done=False)


def _gemini(said: Said, stream: bool) -> Reply:
    parts: list[JSON] = [{"text": said.thought, "thought": True}] if said.thought else []
    parts += [{"text": piece} for piece in _halves(said.text)] if said.text else []
    for place, (id_, (name, given)) in enumerate(zip(said.ids("{}"), said.calls, strict=True)):
        signed = {} if place else {"thoughtSignature": SIGNATURES["gemini"]}
        parts.append({"functionCall": {"id": id_, "name": name, "args": given}, **signed})
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 6, "thoughtsTokenCount": 4, "totalTokenCount": 30}
    end: JSON = {"modelVersion": "gemini", "responseId": "r1", "usageMetadata": usage}

    def body(some: list[JSON], **fields: Any) -> JSON:
        return {"candidates": [{"content": {"role": "model", "parts": some}, "index": 0, **fields}], **end}

    if not stream:
        return Reply.json(200, body(parts, finishReason="STOP"))
    return Reply.sse([*(body([part]) for part in parts[:-1]), body(parts[-1:], finishReason="STOP")], done=False)


def _mistral(said: Said, stream: bool) -> Reply:
    """OpenAI's, with thinking among the parts of the content and ids of nine letters."""
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": said.thought}]}] if said.thought else []
    whole: Any = [*thought, {"type": "text", "text": said.text}] if thought else said.text
    pieces = [{"content": [part]} for part in thought] + [{"content": piece} for piece in _halves(said.text)]
    return _in_openais(said, stream, {"content": whole}, pieces, "{}")


def _openai(said: Said, stream: bool, *, reasoning: str = "", form: str = "call_{}", **own: Any) -> Reply:
    """With what it thought in a field, at those who show it."""
    thought = {reasoning: said.thought, **own} if reasoning and said.thought else {}
    pieces = [{name: value} for name, value in thought.items()] + [{"content": piece} for piece in _halves(said.text)]
    return _in_openais(said, stream, {"content": said.text or None, **thought}, pieces, form)


def _in_openais(said: Said, stream: bool, message: JSON, pieces: list[JSON], form: str) -> Reply:
    head = {"id": "chatcmpl-1", "created": 1_763_700_000, "model": "m"}
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    reason = "tool_calls" if said.calls else "stop"
    calls = [_functions_call(id_, name, given) for id_, (name, given) in zip(said.ids(form), said.calls, strict=True)]
    if not stream:
        made = {"role": "assistant", **message, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": made, "finish_reason": reason}
        return Reply.json(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunk(delta: JSON, finish_reason: str | None = None) -> JSON:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    events = [chunk({"role": "assistant", "content": ""}), *map(chunk, pieces)]
    for index, call in enumerate(calls):
        function = call["function"]
        events.append(chunk({"tool_calls": [{**call, "index": index, "function": {**function, "arguments": ""}}]}))
        for piece in _halves(function["arguments"]):
            events.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    events.append(chunk({}, reason))
    return Reply.sse([*events, {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}])


def _responses(said: Said, stream: bool) -> Reply:
    """https://platform.openai.com/docs/api-reference/responses-streaming"""
    thought = [{"type": "summary_text", "text": said.thought}] if said.thought else []
    items: list[JSON] = [{"id": "rs_1", "type": "reasoning", "summary": thought, "encrypted_content": SIGNATURES["openai"]}]
    if said.text:
        text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]})
    for place, (id_, (name, given)) in enumerate(zip(said.ids("call_{}"), said.calls, strict=True)):
        arguments = dumps(given).decode()
        items.append({"id": f"fc_{place}", "type": "function_call", "call_id": id_, "name": name, "arguments": arguments})
    usage = {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}
    head = {"id": "resp_1", "object": "response", "created_at": 1_763_700_000, "model": "m", "error": None}
    whole = {**head, "status": "completed", "output": items, "usage": usage}
    if not stream:
        return Reply.json(200, whole)
    events: list[JSON] = [{"type": "response.created", "response": {**head, "status": "in_progress", "output": []}}]
    for place, item in enumerate(items):
        grows = {"message": ("content", []), "function_call": ("arguments", ""), "reasoning": ("summary", [])}[item["type"]]
        where = {"item_id": item["id"], "output_index": place}
        events.append({"type": "response.output_item.added", "output_index": place, "item": {**item, grows[0]: grows[1]}})
        texts, kind = {
            "message": (said.text, "output_text"),
            "function_call": (item.get("arguments", ""), "function_call_arguments"),
            "reasoning": (said.thought, "reasoning_summary_text"),
        }[item["type"]]
        events += [{"type": f"response.{kind}.delta", **where, "delta": piece} for piece in _halves(texts)]
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return Reply.sse([f"event: {event['type']}\ndata: {dumps(event).decode()}\n\n".encode() for event in events], done=False)


def _functions_call(identifier: str, name: str, arguments: JSON) -> JSON:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": dumps(arguments).decode()}}


def _halves(text: str) -> Iterator[str]:
    middle = len(text) // 2
    return (piece for piece in (text[:middle], text[middle:]) if piece)


VENDORS: Mapping[str, Callable[[Said, bool], Reply]] = {
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "deepseek": partial(_openai, reasoning="reasoning_content", form="call_00_{}"),
    "gemini": _gemini,
    "groq": partial(_openai, reasoning="reasoning"),
    "mistral": _mistral,
    "openai": _openai,
    "responses": _responses,
    "openrouter": partial(
        _openai,
        reasoning="reasoning",
        reasoning_details=[
            {
                "type": "reasoning.text",
                "text": "",
                "signature": SIGNATURES["openrouter"],
                "format": "anthropic-claude-v1",
                "index": 0,
            }
        ],
    ),
}
"""By how a vendor writes."""
