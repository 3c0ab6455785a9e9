"""Tools and the choice among them, as Cohere has them.

https://docs.cohere.com/docs/tool-use-overview
"""

from typing import Any

from haimaker.http.errors import BadRequestError, invalid_parameter
from haimaker.http.json import as_list
from haimaker.http.values import JSON


def add_tools(fields: JSON, body: JSON) -> None:
    """Cohere has no way to name one tool, so that the others are left out, which is the same."""
    given = fields.get("tools") or []
    tools, strict = [], False
    for index, tool in enumerate(given):
        function, param = tool.get("function"), f"tools[{index}]"
        if tool.get("type", "function") != "function":
            raise BadRequestError(
                f"The model does not support the tool '{tool['type']}'.", param=f"{param}.type", code="unsupported_parameter"
            )
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise invalid_parameter(f"{param}.function.name", "it must be a string")
        strict = strict or function.get("strict") is True
        parameters = function.get("parameters")
        parameters = parameters if isinstance(parameters, dict) and parameters else {"type": "object", "properties": {}}
        told = {"description": function["description"]} if isinstance(function.get("description"), str) else {}
        tools.append({"type": "function", "function": {"name": function["name"], **told, "parameters": parameters}})
    tools, choice = _choose(fields.get("tool_choice"), tools)
    if tools:
        body["tools"] = tools
        body |= {"strict_tools": True} if strict and "strict_tools" not in body else {}
        body |= {"tool_choice": choice} if choice else {}


def _choose(choice: Any, tools: list[JSON]) -> tuple[list[JSON], str | None]:
    if choice in (None, "auto"):
        return tools, None
    if choice in ("none", "required"):
        return tools, choice.upper()
    names: set[Any] = set()
    mode = "REQUIRED"
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        chosen = allowed.get("tools") if isinstance(allowed, dict) else [choice]
        mode = "" if isinstance(allowed, dict) and allowed.get("mode") != "required" else mode
        names = {name for one in as_list(chosen) if isinstance(name := _name(one), str)}
    kept = [tool for tool in tools if tool["function"]["name"] in names]
    if not kept:
        raise invalid_parameter("tool_choice", "it must be none, auto, required, or name one of the tools")
    return kept, mode or None


def _name(choice: Any) -> Any:
    function = choice.get("function") if isinstance(choice, dict) else None
    return function.get("name") if isinstance(function, dict) else choice.get("name") if isinstance(choice, dict) else None
