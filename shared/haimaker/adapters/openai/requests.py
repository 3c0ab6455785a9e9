"""A client's request in a provider's dialect: parameters renamed, spelled, dropped or refused, tools and messages edited. Pure.

https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters.openai import thinking
from haimaker.adapters.openai.messages import edit_message, without_fields
from haimaker.adapters.parameters import NEUTRAL, drop_out_of_range, is_empty
from haimaker.adapters.repairs import repair_messages
from haimaker.http.errors import BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest, TextRequest
from haimaker.operations.fields import OURS
from haimaker.providers.provider import Dialect

INSTRUCTIONS = ("system", "developer")
SCHEMA_WORDS = "Answer with a JSON object that matches this JSON schema, and with nothing else: "


def body_for(request: ChatRequest, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The body to send and the names of what the client loses by it. Raises BadRequestError."""
    traits, dialect, forced = attempt.traits, attempt.provider.dialect, bool(request.body.get("drop_params"))
    switches = dialect.for_model(traits) if dialect.family_rules else dialect
    body, effort, lost = thinking.settle_effort(own_fields(request, attempt), switches, traits, forgiving=forced)
    dialect = dialect.for_model(traits, effort)
    body, out_of_range = drop_out_of_range(body, dialect.ranges)
    if any(body.get(name) not in (None, *NEUTRAL[name]) for name in dialect.whole_with):
        body = without_fields(body, ("stream", "stream_options"))
    if dialect.schema_in_words:
        body = _with_schema_in_words(body)
    if dialect.narrows_tools:
        body = _with_allowed_tools(body)
    if dialect.search_tool:
        body = _with_search_tool(body, dialect.search_tool)
    if dialect.counts_logprobs:
        body = _with_counted_logprobs(body)
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=forced)
    for name, spellings in dialect.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    if isinstance(body.get("tools"), list):
        body["tools"] = [_tool(tool, dialect) for tool in body["tools"]]
    thinks = traits.wants_reasoning_back and not thinking.is_off(body, dialect)
    messages = [edit_message(message, dialect, thinks=thinks) for message in repair_messages(body["messages"], attempt)]
    return {**dialect.add, **body, "messages": messages}, tuple(dict.fromkeys((*lost, *out_of_range, *dropped)))


def own_fields(request: TextRequest, attempt: Attempt) -> JSON:
    """The client's fields without those that are for us, and with those that we add to every call."""
    body = {name: value for name, value in request.body.items() if name not in OURS} | {"model": attempt.model}
    if attempt.max_output_tokens is not None:
        body["max_tokens"] = attempt.max_output_tokens
    if not attempt.provider.dialect.asks_stream_usage:
        body.pop("stream_options", None)
    elif request.streams:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body


def _with_allowed_tools(body: JSON) -> JSON:
    """A choice among some of the tools as these tools and a choice: auto or required.

    https://platform.openai.com/docs/guides/function-calling#tool-choice
    """
    choice, tools = body.get("tool_choice"), body.get("tools")
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) and choice.get("type") == "allowed_tools" else None
    listed = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(listed, list) or not isinstance(tools, list) or not isinstance(allowed, dict):
        return body
    names = [_name_of(tool) for tool in listed]
    return {**body, "tools": [tool for tool in tools if _name_of(tool) in names], "tool_choice": allowed.get("mode") or "auto"}


def _name_of(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _with_search_tool(body: JSON, kind: str) -> JSON:
    """A wish to search the web as the tool that does; how much of it to read is left to the provider."""
    kept, tools = without_fields(body, ("web_search_options",)), body.get("tools") or []
    if body.get("web_search_options") is None or not isinstance(tools, list):
        return kept
    has_it = any(isinstance(tool, dict) and tool.get("type") == kind for tool in tools)
    return kept if has_it else {**kept, "tools": [*tools, {"type": kind}]}


def _with_counted_logprobs(body: JSON) -> JSON:
    """How many likely tokens are to be told where whether to tell them is a parameter of its own; 1 is that which was written."""
    if not isinstance(body.get("logprobs"), bool):
        return body
    kept = without_fields(body, ("logprobs", "top_logprobs"))
    return {**kept, "logprobs": body.get("top_logprobs") or 1} if body["logprobs"] else kept


def _with_schema_in_words(body: JSON) -> JSON:
    """A schema as a last instruction, and the JSON mode that does not take one."""
    wanted = body.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
    if not isinstance(inner, dict):
        return body
    words = SCHEMA_WORDS + dumps(inner.get("schema") or {}).decode()
    messages = body["messages"]
    start = next((at for at, message in enumerate(messages) if message.get("role") not in INSTRUCTIONS), len(messages))
    before, content = (messages[: start - 1], messages[start - 1].get("content")) if start else ([], None)
    if isinstance(content, str):
        instruction = {**messages[start - 1], "content": f"{content}\n{words}"}
    elif isinstance(content, list):
        instruction = {**messages[start - 1], "content": [*content, {"type": "text", "text": f"\n{words}"}]}
    else:
        before, instruction = messages[:start], {"role": "system", "content": words}
    return {**body, "response_format": {"type": "json_object"}, "messages": [*before, instruction, *messages[start:]]}


def rename_fields(body: JSON, names: Mapping[str, str]) -> JSON:
    """The client's parameters under the provider's names; where it sent both, the provider's name wins, unless it is null."""
    moved = {names[name]: value for name, value in body.items() if name in names}
    kept = {name: value for name, value in body.items() if name not in names and (value is not None or name not in moved)}
    return {**moved, **kept}


def drop_unsupported(body: JSON, dialect: Dialect, *, forced: bool) -> tuple[JSON, tuple[str, ...]]:
    """The body without what is not taken, and the names of what says something.

    Raises BadRequestError for what is to be refused, unless `forced`.
    """
    kept: JSON = {}
    dropped: list[str] = []
    for name, value in body.items():
        if name not in dialect.drop and name not in dialect.refuse:
            kept[name] = value
        elif value not in NEUTRAL.get(name, ()) and not (name in dialect.refuse and is_empty(name, value)):
            if name in dialect.refuse and not forced:
                message = f"The model does not support the parameter '{name}'. Leave it out, or send \"drop_params\": true."
                raise BadRequestError(message, param=name, code="unsupported_parameter")
            dropped.append(name)
    return kept, tuple(dropped)


def _tool(tool: Any, dialect: Dialect) -> Any:
    if not isinstance(tool, dict):
        return tool
    if dialect.cache_control == "strip" and "cache_control" in tool:
        tool = without_fields(tool, ("cache_control",))
    function = tool.get("function")
    if not dialect.strips_tool_fields or not isinstance(function, dict):
        return tool
    function = without_fields(function, dialect.strips_tool_fields)
    if "additionalProperties" in dialect.strips_tool_fields:
        function = _without_anywhere(function, "additionalProperties")
    return {**tool, "function": function}


def _without_anywhere(value: Any, name: str) -> Any:
    """A schema without a keyword; a property that happens to have its name stays."""
    if isinstance(value, list):
        return [_without_anywhere(inner, name) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {inner: _without_anywhere(schema, name) for inner, schema in held.items()}
        if key == "properties" and isinstance(held, dict)
        else _without_anywhere(held, name)
        for key, held in value.items()
        if key != name
    }
