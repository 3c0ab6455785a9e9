"""Repairs of a conversation that some providers refuse as it is. Each is a function over values, with its reason. Pure.

| repair | who needs it |
| --- | --- |
| `arguments_object`: arguments that are no JSON object | anthropic, bedrock, gemini: they take objects only |
| `is_harmless_object`: results that would be read as references | gemini |
| `answered_results`, `prefixed`: turns after a tool's result, and at the end | mistral |
| `plain_id`: thinking that is carried in the id of a call | all but whose thinking it is |
| order and merging of turns, a first turn of the user's, late words of the system | anthropic, bedrock, gemini |
| ids and names in the provider's alphabet, and back | anthropic (names), bedrock (carrying), gemini (signatures), mistral |
"""

import re
from collections.abc import Sequence
from typing import Any

from haimaker.http import json as strict_json
from haimaker.http.values import JSON

DEEPEST = 200
"""Brackets in arguments; what nests deeper is kept as a text."""
ACKNOWLEDGED = "OK."
CARRIED = re.compile(r"__(?:thought|thinking)__.+", re.DOTALL)
REFERENCES = frozenset({"$ref", "$defs"})


def plain_id(identifier: str) -> str:
    """A call's id without what another format let a client carry behind it, which may be all of a model's thinking."""
    return CARRIED.sub("", identifier)


def arguments_object(arguments: Any) -> JSON:
    """Arguments of a call in the history as an object. What a model wrote that is none is kept under a name: a call that was cut
    off, or that another model made, must not end the conversation at a provider that takes only objects."""
    if not arguments or (isinstance(arguments, str) and arguments.strip() in ("", "null")):
        return {}
    value = arguments
    if isinstance(arguments, str) and arguments.count("{") + arguments.count("[") <= DEEPEST:
        try:
            value = strict_json.loads(arguments)
        except ValueError:
            value = arguments
    return value if isinstance(value, dict) else {"arguments": value}


def is_harmless_object(value: Any) -> bool:
    """Whether nothing in a tool's result would be taken for a reference to another part of the request, as Gemini 3 takes `$ref`:
    https://ai.google.dev/gemini-api/docs/function-calling#multimodal"""
    if isinstance(value, dict):
        return REFERENCES.isdisjoint(value) and all(map(is_harmless_object, value.values()))
    return not isinstance(value, list) or all(map(is_harmless_object, value))


def answered_results(messages: Sequence[JSON]) -> list[JSON]:
    """With a turn of the assistant's between a tool's result and what the user says next, which Mistral wants there:
    https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""
    made: list[JSON] = []
    for message in messages:
        if made and made[-1].get("role") == "tool" and message.get("role") == "user":
            made.append({"role": "assistant", "content": ACKNOWLEDGED})
        made.append(message)
    return made


def prefixed(messages: Sequence[JSON]) -> list[JSON]:
    """With a last turn of the assistant's marked as the beginning of the answer, as which alone Mistral takes it:
    https://docs.mistral.ai/capabilities/completion/prefix"""
    *others, last = messages
    if last.get("role") != "assistant" or last.get("tool_calls") or "prefix" in last:
        return list(messages)
    return [*others, {**last, "prefix": True}]
