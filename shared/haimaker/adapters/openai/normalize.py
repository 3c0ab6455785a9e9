"""What an assistant said, in a message or in a piece of one, where others than OpenAI say it otherwise. Pure.

The same object where it is as OpenAI has it.
"""

import json
from typing import Any

from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt

REASONING_FIELDS = ("reasoning", "reasoning_details")
"""Where those have it who do not write `reasoning_content`: Groq, OpenRouter, Together, vLLM, Ollama, …; MiniMax as a list."""
OTHER_ANNOTATIONS = "other_annotations"
"""OpenAI's annotations are citations of pages only; OpenRouter has files among them."""


def normalize_message(message: JSON, holder: str, attempt: Attempt, choice: int) -> JSON:
    """A choice's message, or its delta."""
    made: JSON = {}
    content, calls, annotations = message.get("content"), message.get("tool_calls"), message.get("annotations")
    if holder == "message" and message.get("role") != "assistant":
        made["role"] = "assistant"
    if isinstance(content, list):
        made |= _from_parts(content)
    if message.get("reasoning_content") is None:
        reasoning = next((text for name in REASONING_FIELDS if (text := _text(message.get(name)))), "")
        made |= {"reasoning_content": reasoning} if reasoning else {}
    if isinstance(calls, list):
        found = [call for call in calls if isinstance(call, dict)]
        edited = [_call(call, place, holder, attempt, choice) for place, call in enumerate(found)]
        if len(edited) != len(calls) or any(new is not old for new, old in zip(edited, calls, strict=True)):
            made["tool_calls"] = edited
    if annotations and isinstance(annotations, list):
        made |= _with_citations(annotations)
    return {**message, **made} if made or not message else message


def call_id(attempt: Attempt, choice: int, place: int) -> str:
    """An id for a call that came without one: unlike that of any other turn, and within OpenAI's 40 characters."""
    return f"call_{attempt.request_id.replace('-', '')[-24:]}_{choice}_{place}"


def _from_parts(parts: list[Any]) -> JSON:
    """The text of a content in parts, and the reasoning among them.

    `thinking` is Mistral's (https://docs.mistral.ai/capabilities/reasoning), `summary` Databricks'
    (https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models).
    """
    found = [part for part in parts if isinstance(part, dict)]
    reasoning = "".join(_text(part.get("thinking")) + _text(part.get("summary")) for part in found)
    text = "".join(part if isinstance(part, str) else _text(part.get("text")) for part in parts if isinstance(part, dict | str))
    return {"content": text, "reasoning_content": reasoning} if reasoning else {"content": text}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else ()
    return "".join(_text(part.get("text")) or _text(part.get("summary")) for part in parts if isinstance(part, dict))


def _call(call: JSON, place: int, holder: str, attempt: Attempt, choice: int) -> JSON:
    """The call with the fields that OpenAI's calls have. In a stream `Numbering` adds those of a call that comes in pieces."""
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    made: JSON = {}
    if (holder == "message" or "type" in call) and not call.get("type"):
        made["type"] = "function"
    if holder == "message" and not call.get("id"):
        made["id"] = call_id(attempt, choice, place)
    arguments = function.get("arguments")
    if not isinstance(arguments, str) and (arguments is not None or holder == "message"):
        made["function"] = {**function, "arguments": json.dumps(arguments or {}, ensure_ascii=False)}
    return {**call, **made} if made else call


def _with_citations(annotations: list[Any]) -> JSON:
    """Citations with all that OpenAI's have, and whatever else was among them under a name of its own."""
    cited = [_citation(note) for note in annotations if isinstance(note, dict) and note.get("type") == "url_citation"]
    others = [note for note in annotations if not isinstance(note, dict) or note.get("type") != "url_citation"]
    if not others and all(new is old for new, old in zip(cited, annotations, strict=True)):
        return {}
    return {"annotations": cited, **({OTHER_ANNOTATIONS: others} if others else {})}


def _citation(note: JSON) -> JSON:
    found = note.get("url_citation")
    place: JSON = found if isinstance(found, dict) else {}
    whole = {"start_index": 0, "end_index": 0, "title": "", "url": ""}
    lacks = {name: value for name, value in whole.items() if type(place.get(name)) is not type(value)}
    return {**note, "url_citation": {**place, **lacks}} if lacks or found is not place else note
