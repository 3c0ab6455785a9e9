"""OpenAI's custom tools, whose input is a text, for models that know functions only: a function with one string. Pure.

https://platform.openai.com/docs/guides/function-calling#custom-tools. A grammar that the input must follow can't be had so.
"""

import json
from typing import Any

from haimaker.adapters import Adapter
from haimaker.adapters.transform import Transform, called_function
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

PARAMETERS: JSON = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": ["input"],
    "additionalProperties": False,
}


def with_custom_tools(chat: Adapter, body: JSON) -> Transform:
    named = (_custom(tool).get("name") for tool in body.get("tools") or () if is_custom(tool))
    names = frozenset(name for name in named if isinstance(name, str))
    return Transform(chat, _with_functions, lambda: _Reader(names).choice)


def has_custom_tools(body: JSON) -> bool:
    """Whether a chat has custom tools, or calls of such in earlier turns."""
    calls = (call for message in body["messages"] for call in message.get("tool_calls") or ())
    return any(map(is_custom, body.get("tools") or ())) or any(map(is_custom, calls))


def is_custom(found: JSON) -> bool:
    return found.get("type") == "custom" and isinstance(found.get("custom"), dict)


@dataclass(slots=True)
class _Reader:
    """Reads one answer: calls of functions that stand for custom tools become calls of these, whose input is told when it is
    complete."""

    names: frozenset[Any]
    _inputs: dict[tuple[int, int], str] = field(default_factory=dict)
    """Of calls in a stream, by choice and place: the arguments so far."""

    def choice(self, choice: JSON, holder: str) -> JSON:
        message = choice.get(holder)
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        if not isinstance(calls, list):
            calls = None
        if holder == "message":
            made = [self._whole(call) for call in calls or ()]
        else:
            made = [piece for call in calls or () if (piece := self._piece(call, choice["index"])) is not None]
            made += self._complete(choice["index"]) if choice.get("finish_reason") else []
        if len(made) == len(calls or ()) and all(new is old for new, old in zip(made, calls or (), strict=True)):
            return choice
        kept = {name: value for name, value in (message or {}).items() if name != "tool_calls"}
        return {**choice, holder: {**kept, **({"tool_calls": made} if made else {})}}

    def _whole(self, call: JSON) -> JSON:
        function = called_function(call)
        if not isinstance(name := function.get("name"), str) or name not in self.names:
            return call
        kept = {name: value for name, value in call.items() if name != "function"}
        custom = {"name": function["name"], "input": _input(function.get("arguments") or "")}
        return {**kept, "type": "custom", "custom": custom}

    def _piece(self, call: JSON, choice: int) -> JSON | None:
        function, place = called_function(call), (choice, call["index"])
        begins = isinstance(name := function.get("name"), str) and name in self.names
        if not begins and place not in self._inputs:
            return call
        self._inputs[place] = self._inputs.get(place, "") + (function.get("arguments") or "")
        if not begins:
            return None
        kept = {name: value for name, value in call.items() if name != "function"}
        return {**kept, "type": "custom", "custom": {"name": function["name"], "input": ""}}

    def _complete(self, choice: int) -> list[JSON]:
        places = [place for place in self._inputs if place[0] == choice]
        return [{"index": place[1], "custom": {"input": _input(self._inputs.pop(place))}} for place in places]


def _with_functions(body: JSON) -> tuple[JSON, tuple[str, ...]]:
    made: JSON = {"messages": [_message(message) for message in body["messages"]]}
    lost: list[str] = []
    if body.get("tools"):
        made["tools"] = [_tool(tool, f"tools[{at}]", body, lost) for at, tool in enumerate(body["tools"])]
    if isinstance(body.get("tool_choice"), dict):
        made["tool_choice"] = _choice(body["tool_choice"])
    return {**body, **made}, tuple(lost)


def _message(message: JSON) -> JSON:
    calls = message.get("tool_calls")
    if not calls or not any(map(is_custom, calls)):
        return message
    return {**message, "tool_calls": [_call(call) if is_custom(call) else call for call in calls]}


def _call(call: JSON) -> JSON:
    custom = _custom(call)
    arguments = json.dumps({"input": custom.get("input") or ""}, ensure_ascii=False)
    kept = {name: value for name, value in call.items() if name != "custom"}
    return {**kept, "type": "function", "function": {"name": custom.get("name"), "arguments": arguments}}


def _tool(tool: JSON, param: str, body: JSON, lost: list[str]) -> JSON:
    if not is_custom(tool):
        return tool
    custom = _custom(tool)
    shape = custom.get("format")
    if isinstance(shape, dict) and shape.get("type") != "text":
        name = f"{param}.custom.format"
        if not body.get("drop_params"):
            message = 'The model can\'t keep to the grammar of a custom tool. Leave it out, or send "drop_params": true.'
            raise BadRequestError(message, param=name, code="unsupported_parameter")
        lost.append(name)
    described = {"description": custom["description"]} if isinstance(custom.get("description"), str) else {}
    kept = {name: value for name, value in tool.items() if name != "custom"}
    return {**kept, "type": "function", "function": {"name": custom.get("name"), **described, "parameters": PARAMETERS}}


def _choice(choice: JSON) -> JSON:
    """A choice of one tool, or among several, in terms of functions."""
    allowed = choice.get("allowed_tools")
    if choice.get("type") == "allowed_tools" and isinstance(allowed, dict) and isinstance(allowed.get("tools"), list):
        tools = [_choice(tool) if isinstance(tool, dict) else tool for tool in allowed["tools"]]
        return {**choice, "allowed_tools": {**allowed, "tools": tools}}
    if not is_custom(choice):
        return choice
    return {"type": "function", "function": {"name": _custom(choice).get("name")}}


def _custom(found: JSON) -> JSON:
    custom: JSON = found["custom"]
    return custom


def _input(arguments: str) -> str:
    """The text; whatever else the model wrote is one too."""
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    text = found.get("input") if isinstance(found, dict) else None
    return text if isinstance(text, str) else arguments
