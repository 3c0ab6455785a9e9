"""Tools and the choice among them, a search of the web, and answers in JSON, which may need a tool as well.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools, …/web-search-tool, …/structured-outputs
"""

from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.adapters.anthropic import names
from haimaker.adapters.anthropic.parts import text
from haimaker.adapters.anthropic.request_builder import RequestBuilder
from haimaker.adapters.anthropic.schemas import is_closed, to_subset
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.models.traits import UNASKED
from haimaker.operations.attempt import Attempt
from haimaker.operations.server_tools import LIMITED

CHOICE: Mapping[str, str] = {"auto": "auto", "required": "any", "any": "any", "none": "none"}
FORCED = ("any", "tool")
OF_TOOLS = ("cache_control", "defer_loading", "allowed_callers", "eager_input_streaming", "input_examples")
"""Anthropic's own fields of a tool."""
MAX_STRICT_TOOLS = 20
MAX_SEARCHES: Mapping[str, int] = {"low": 1, "medium": 5, "high": 10}
"""By `search_context_size`; no more than what a budget puts aside for them."""
LOCATED = ("city", "region", "country", "timezone")
UNAVAILABLE = {
    "name": "unavailable",
    "description": "Stands for tools that were called earlier and are gone.",
    "input_schema": {"type": "object", "properties": {}},
}
"""Anthropic refuses a conversation with calls in it and no tools."""
ANY_OBJECT: JSON = {"type": "object", "additionalProperties": True}
INSTRUCTION = f"Give your answer only by calling the tool {names.ANSWER_TOOL}, once, and write no text besides."


def set_tools(builder: RequestBuilder) -> None:
    """`tools` and `tool_choice`. After the messages."""
    asked = builder.openai_body
    given, choice = _allowed(asked.get("tools") or [], asked.get("tool_choice"))
    strict = builder.traits.schema and sum(map(_is_strict, given)) <= MAX_STRICT_TOOLS
    made = [_tool(tool, f"tools[{index}]", strict) for index, tool in enumerate(given)]
    if asked.get("web_search_options") is not None:
        made.append(_web_search(asked["web_search_options"]))
    if made:
        builder.anthropic_body["tools"] = made
        _choose(builder, choice)
    elif any(
        block.get("type") in ("tool_use", "tool_result") for turn in builder.anthropic_body["messages"] for block in turn["content"]
    ):
        builder.anthropic_body |= {"tools": [UNAVAILABLE], "tool_choice": {"type": "none"}}


def limit_uses(tools: Sequence[Any], attempt: Attempt) -> list[Any]:
    """The tools, used no more often than a budget affords where it limits them: each that Anthropic counts itself."""
    if not attempt.max_tool_calls:
        return list(tools)
    return [_limited(tool, attempt.max_tool_calls) if isinstance(tool, dict) else tool for tool in tools]


def _limited(tool: JSON, most: int) -> JSON:
    said = tool.get("max_uses")
    is_counted = LIMITED.match(str(tool.get("type")))
    return {**tool, "max_uses": min(said, most) if type(said) is int and said > 0 else most} if is_counted else tool


def set_response_format(builder: RequestBuilder) -> None:
    """A schema where the model takes one, else a tool whose input is the answer. After the tools and the thinking."""
    wanted = builder.openai_body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if wanted is None or kind == "text":
        return
    if kind not in ("json_object", "json_schema"):
        raise invalid_parameter("response_format.type", "it must be text, json_object or json_schema")
    schema = _schema(wanted) if kind == "json_schema" else ANY_OBJECT
    closed = is_closed(schema) or not builder.traits.forces_tools
    if builder.traits.schema and closed and schema is not ANY_OBJECT:
        own = builder.anthropic_body.get("output_config")
        form = {"type": "json_schema", "schema": to_subset(schema)}
        builder.anthropic_body["output_config"] = {**(own if isinstance(own, dict) else {}), "format": form}
    elif builder.anthropic_body.get("tool_choice", {}).get("type") not in FORCED:
        _answer_by_tool(builder, schema)


def _answer_by_tool(builder: RequestBuilder, schema: JSON) -> None:
    call = builder.anthropic_body
    others = [] if call.get("tool_choice", {}).get("type") == "none" else call.get("tools", [])
    tool = {"name": names.ANSWER_TOOL, "description": "Gives the answer.", "input_schema": {"type": "object", **schema}}
    call["tools"] = [*others, tool]
    chosen = builder.anthropic_body.get("thinking")
    thinks = isinstance(chosen, dict) and chosen.get("type") in ("enabled", "adaptive")
    if builder.traits.forces_tools and not thinks:
        single = {"type": "tool", "name": names.ANSWER_TOOL, "disable_parallel_tool_use": True}
        call["tool_choice"] = {**call.get("tool_choice", {}), "type": "any"} if others else single
    else:
        call["tool_choice"] = {"type": "auto"}
        call["system"] = [*call.get("system", []), text(INSTRUCTION)]


def _tool(tool: Any, param: str, strict: bool) -> JSON:
    """A function as a tool; anything else is one of Anthropic's own and passes."""
    if "function" not in tool and tool.get("type") != "function":
        return dict(tool)
    function = tool.get("function")
    if not isinstance(function, dict):
        raise invalid_parameter(f"{param}.function", "it must be an object")
    schema = function.get("parameters")
    if not isinstance(schema, dict | None):
        raise invalid_parameter(f"{param}.function.parameters", "it must be a JSON schema")
    made: JSON = {"name": names.encode(function.get("name"), f"{param}.function.name")}
    if isinstance(function.get("description"), str) and function["description"]:
        made["description"] = function["description"]
    made["input_schema"] = {"type": "object", **(schema or {"properties": {}})}
    if strict and _is_strict(tool):
        made |= {"input_schema": to_subset(made["input_schema"]), "strict": True}
    return made | {name: holder[name] for holder in (function, tool) for name in OF_TOOLS if name in holder}


def _is_strict(tool: JSON) -> bool:
    function = tool.get("function")
    return isinstance(function, dict) and function.get("strict") is True


def _allowed(given: list[JSON], choice: Any) -> tuple[list[JSON], Any]:
    """The tools and the choice that are left where the choice is `allowed_tools`; else both as they are."""
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return given, choice
    allowed = choice.get("allowed_tools", choice)
    listed = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(listed, list):
        raise invalid_parameter("tool_choice.allowed_tools.tools", "it must be a list")
    wanted = {_name(tool) for tool in listed if isinstance(tool, dict)}
    return [tool for tool in given if _name(tool) in wanted], allowed.get("mode", "auto")


def _name(tool: JSON) -> str:
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name"))


def _choose(builder: RequestBuilder, choice: Any) -> None:
    made: JSON | None = None
    if isinstance(choice, str):
        if choice not in CHOICE:
            raise invalid_parameter("tool_choice", "it must be none, auto, required or a tool")
        made = {"type": CHOICE[choice]}
    elif isinstance(choice, dict) and choice.get("type") == "function":
        made = {"type": "tool", "name": names.encode(_name(choice), "tool_choice.function.name")}
    elif isinstance(choice, dict) and choice.get("type") in ("auto", "any", "none", "tool"):
        made = dict(choice)
    elif choice is not None:
        raise invalid_parameter("tool_choice", "it must be none, auto, required or a tool")
    if made and made["type"] in FORCED and not builder.traits.forces_tools:
        builder.refuse("tool_choice", "The model can't be made to call a tool.")
        made = None
    if builder.openai_body.get("parallel_tool_calls") is False and (made or {}).get("type") != "none":
        made = {"type": "auto", **(made or {}), "disable_parallel_tool_use": True}
    if made:
        builder.anthropic_body["tool_choice"] = made


def drop_thinking_of_forced_call(builder: RequestBuilder) -> None:
    """A forced call and thinking exclude each other; the call is what was meant. Who thinks unasked is told not to."""
    if builder.anthropic_body.get("tool_choice", {}).get("type") not in FORCED:
        return
    chosen = builder.anthropic_body.get("thinking")
    if isinstance(chosen, dict) and chosen.get("type") in ("enabled", "adaptive"):
        builder.anthropic_body.pop("thinking")
        builder.drop("reasoning_effort" if builder.openai_body.get("thinking") is None else "thinking")
    if "thinking" not in builder.anthropic_body and builder.traits.thinks == UNASKED and builder.traits.thinking_off:
        builder.anthropic_body["thinking"] = dict(builder.traits.thinking_off)


def _schema(wanted: JSON) -> JSON:
    form = wanted.get("json_schema")
    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(form, dict) or not isinstance(schema, dict | None):
        raise invalid_parameter("response_format.json_schema", "it must be an object with a schema")
    return schema or ANY_OBJECT


def _web_search(options: Any) -> JSON:
    if not isinstance(options, dict):
        raise invalid_parameter("web_search_options", "it must be an object")
    size = options.get("search_context_size") or "medium"
    if not isinstance(size, str) or size not in MAX_SEARCHES:
        raise invalid_parameter("web_search_options.search_context_size", "it must be low, medium or high")
    tool: JSON = {"type": "web_search_20250305", "name": "web_search", "max_uses": MAX_SEARCHES[size]}
    location = options.get("user_location")
    if isinstance(location, dict):
        within = location.get("approximate")
        place: JSON = within if isinstance(within, dict) else location
        tool["user_location"] = {"type": "approximate"} | {
            name: place[name] for name in LOCATED if isinstance(place.get(name), str)
        }
    return tool
