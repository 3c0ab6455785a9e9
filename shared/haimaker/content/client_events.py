"""Streams of other client formats than OpenAI's chat, each as the one answer that its events add up to. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from haimaker.http.values import JSON

GROWS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}


def merge_client_events(events: Sequence[Any]) -> JSON | None:
    """The answer of a stream of Messages, Responses or Gemini's API, as far as it came; None for other streams."""
    kinds = [str(event.get("type")) for event in events if isinstance(event, dict)]
    if "message_start" in kinds:
        return _merge_message([event for event in events if isinstance(event, dict)])
    if any(kind.startswith("response.") for kind in kinds):
        return _merge_response([event for event in events if isinstance(event, dict)])
    if any(isinstance(event, dict) and isinstance(event.get("candidates"), list) for event in events):
        return _merge_contents([event for event in events if isinstance(event, dict)])
    return None


def _merge_message(events: Sequence[JSON]) -> JSON:
    """https://platform.claude.com/docs/en/build-with-claude/streaming"""
    message: JSON = {}
    blocks: dict[int, JSON] = {}
    for event in events:
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start" and isinstance(event.get("message"), dict):
            message = dict(event["message"])
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict) and isinstance(index, int):
            blocks[index] = dict(event["content_block"])
        elif kind == "content_block_delta" and index in blocks and isinstance(event.get("delta"), dict):
            _grow(blocks[index], event["delta"])
        elif kind == "message_delta" and isinstance(event.get("delta"), dict):
            message |= event["delta"]
            message["usage"] = {**(message.get("usage") or {}), **(event.get("usage") or {})}
        elif kind == "error":
            message["error"] = event.get("error")
    return {**message, "content": [_with_input(blocks[index]) for index in sorted(blocks)]}


def _grow(block: JSON, delta: JSON) -> None:
    name = GROWS.get(str(delta.get("type")))
    if name and isinstance(delta.get(name), str):
        block[name] = (block.get(name) or "") + delta[name]
    elif isinstance(delta.get("citation"), dict):
        block.setdefault("citations", []).append(delta["citation"])


def _with_input(block: JSON) -> JSON:
    """What a tool is called with, as an object if it is one."""
    written = block.pop("partial_json", None)
    if written is None:
        return block
    try:
        return {**block, "input": json.loads(written)}
    except (ValueError, RecursionError):
        return {**block, "input": written}


def _merge_response(events: Sequence[JSON]) -> JSON:
    """https://platform.openai.com/docs/api-reference/responses-streaming: the last one has all; of a stream that was cut, what the
    finished items and the text so far are."""
    response: JSON = {}
    items: list[Any] = []
    text = ""
    for event in events:
        kind = event.get("type")
        if isinstance(event.get("response"), dict):
            response = event["response"]
        elif kind == "response.output_text.delta" and isinstance(event.get("delta"), str):
            text += event["delta"]
        elif kind == "response.output_item.done":
            items.append(event.get("item"))
    if response.get("output") or response.get("status") not in ("in_progress", "queued", "failed"):
        return response
    return {**response, "output": items, "output_text": text}


def _merge_contents(events: Sequence[JSON]) -> JSON:
    """https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent: each event has parts of candidates."""
    answer: JSON = {}
    candidates: dict[int, JSON] = {}
    parts: dict[int, list[Any]] = {}
    for event in events:
        answer |= {name: value for name, value in event.items() if name != "candidates"}
        found = event.get("candidates")
        for candidate in found if isinstance(found, list) else ():
            if not isinstance(candidate, dict):
                continue
            index = candidate["index"] if isinstance(candidate.get("index"), int) else 0
            candidates.setdefault(index, {}).update(candidate)
            content = candidate.get("content")
            came = content.get("parts") if isinstance(content, dict) else None
            for part in came if isinstance(came, list) else ():
                _add_part(parts.setdefault(index, []), part)
    whole = [{**candidates[index], "content": {"role": "model", "parts": parts.get(index, [])}} for index in sorted(candidates)]
    return {**answer, "candidates": whole}


def _add_part(parts: list[Any], part: Any) -> None:
    """Text goes on where the text before it ended; one with something beside it, such as a signature, is a part of its own."""
    last = parts[-1] if parts else None
    plain = isinstance(part, dict) and part.keys() <= {"text", "thought"} and isinstance(part.get("text"), str)
    if plain and isinstance(last, dict) and last.keys() == part.keys() and last.get("thought") == part.get("thought"):
        parts[-1] = {**part, "text": last["text"] + part["text"]}
    else:
        parts.append(part)
