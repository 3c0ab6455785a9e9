"""A request in OpenAI's Responses format as a chat. Pure.

https://platform.openai.com/docs/api-reference/responses/create. Null is as if a field were absent. Reasoning that the gateway
showed earlier comes back marked as ours and goes on as `reasoning_content`, with the details that the mark carries; what a vendor
signed travels in the ids of calls.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from haimaker.api.formats import account_ids, read_fields, reasoning_details
from haimaker.api.formats.unread import find_unread
from haimaker.http.errors import BadRequestError, invalid_parameter, missing_parameter
from haimaker.http.values import JSON
from haimaker.operations.fields import OURS as OF_GATEWAY
from haimaker.operations.operation import OUR_SIGNATURE, unpack_summary
from haimaker.routing.preferences import ROUTING_FIELDS
from haimaker.validation import field_types
from haimaker.validation.shapes import check_shape

SAME = (
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "stream",
    "temperature",
    "top_p",
    "user",
)
READ = frozenset(SAME) | frozenset(
    {"background", "conversation", "include", "input", "instructions", "max_output_tokens", "previous_response_id", "prompt"}
    | {"reasoning", "store", "text", "tool_choice", "tools", "top_logprobs", "truncation"}
)
INCLUDED = ("reasoning.encrypted_content", "message.output_text.logprobs")
REFUSED: Mapping[str, str] = {
    "conversation": "Conversations are not kept: send the whole conversation as `input`.",
    "prompt": "Prompts of the provider's account are not served: send their text.",
}
NOT_STORED = "Background mode requires `store` to be true."
NOT_KEPT = "Answers of this model are not kept: send the whole conversation as `input`, with `store` false."
GATEWAYS = ROUTING_FIELDS | OF_GATEWAY
"""Fields that are the gateway's own in every format."""
SEARCH = ("web_search",)
OURS = ("function_call", "custom_tool_call")
RESULTS = ("function_call_output", "custom_tool_call_output")
STANDS_FOR_INPUT = frozenset({"input", "previous_response_id", "prompt", "conversation"})
BETWEEN = "__"
"""Between a namespace and the name of a tool in it, where the target has no namespaces."""


def find_refusal(body: JSON) -> BadRequestError | None:
    """Why a request can't be translated: it names what only the provider has to which it was told."""
    if body.get("previous_response_id") is not None:
        return BadRequestError(NOT_KEPT, param="previous_response_id", code="response_not_stored")
    if body.get("prompt"):
        return BadRequestError(REFUSED["prompt"], param="prompt", code="unsupported_parameter")
    given = body.get("input")
    for param, _ in _files(given):
        return BadRequestError("Only the provider that has the file can read it.", param=param, code="file_not_found")
    if given is None:  # where a provider needs none, it is the conversation before
        return missing_parameter("input")
    for index, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, dict) and item.get("type") == "compaction" and unpack_summary(item) is None:
            message = f"input[{index}]: Only the provider that made the conversation shorter can read it."
            return BadRequestError(message, param=f"input[{index}]", code="compaction_not_readable")
        if isinstance(item, dict) and item.get("type") == "item_reference":
            return BadRequestError(f"input[{index}]: {NOT_KEPT}", param=f"input[{index}]", code="item_not_stored")
    return None


def to_chat(body: JSON, allowed_ids: Collection[str] = ()) -> tuple[JSON, tuple[str, ...]]:
    """The chat, and the names of what was left out. Of what is kept in the provider's account it may name what is allowed. Raises
    BadRequestError, NotFoundError."""
    asked = {name: value for name, value in body.items() if value is not None}
    check_shape(asked, field_types.RESPONSES)
    if not asked.keys() & STANDS_FOR_INPUT:
        raise missing_parameter("input")
    if asked.get("background") and asked.get("store") is False:
        raise BadRequestError(NOT_STORED, param="background", code="invalid_value")
    for name, why in REFUSED.items():
        if asked.get(name) and not _is_allowed(asked[name], allowed_ids):
            raise BadRequestError(why, param=name, code="unsupported_parameter")
    for index, tool in enumerate(_listed(asked.get("tools"), "tools")):
        given = _object(tool, f"tools[{index}]")
        if given.get("type") != "function":
            account_ids.refuse_tool(given, f"tools[{index}]", allowed_ids)
    for param, identifier in _files(asked.get("input")):
        if identifier not in allowed_ids:
            raise BadRequestError("The file was not found.", param=param, code="file_not_found")
    chat: JSON = {name: asked[name] for name in SAME if name in asked}
    chat["messages"] = [*_instructions(asked.get("instructions")), *_conversation(asked.get("input"))]
    if "max_output_tokens" in asked:
        chat["max_completion_tokens"] = asked["max_output_tokens"]
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    if "message.output_text.logprobs" in _listed(asked.get("include"), "include"):
        chat |= {"logprobs": True} | ({"top_logprobs": asked["top_logprobs"]} if "top_logprobs" in asked else {})
    reasoning, text = _object(asked.get("reasoning"), "reasoning"), _object(asked.get("text"), "text")
    if reasoning.get("effort") is not None:
        chat["reasoning_effort"] = reasoning["effort"]
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    chat |= _format(_object(text.get("format"), "text.format"))
    tools, lost = _tools(_listed(asked.get("tools"), "tools"))
    chat |= tools
    if "tools" in tools:
        chat |= _choice(asked.get("tool_choice"))
    return chat, tuple(dict.fromkeys((*_left_out(asked, chat), *lost)))


def _left_out(asked: JSON, chat: JSON) -> Iterator[str]:
    """The names of parameters that the chat lacks."""
    yield from (name for name in asked if name not in READ and name not in GATEWAYS)
    for name, table in read_fields.RESPONSES_OBJECTS.items():
        yield from find_unread(asked.get(name), table, name)
    yield from (f"include[{place}]" for place, wanted in enumerate(asked.get("include") or ()) if wanted not in INCLUDED)
    if asked.get("truncation") not in (None, "disabled"):
        yield "truncation"
    if isinstance(asked.get("tool_choice"), dict) and "tool_choice" not in chat:
        yield "tool_choice"
    if asked.get("top_logprobs") and "top_logprobs" not in chat:
        yield "top_logprobs"


def _is_allowed(given: Any, allowed_ids: Collection[str]) -> bool:
    return isinstance(given, dict) and given.get("id") in allowed_ids


def _files(given: Any) -> Iterator[tuple[str, Any]]:
    """The places where a request names files by their ids, and these."""
    for place, item in enumerate(given if isinstance(given, list) else ()):
        for name in ("content", "output"):
            parts = item.get(name) if isinstance(item, dict) else None
            if isinstance(parts, dict) and parts.get("file_id") is not None:  # the picture of a screen
                yield f"input[{place}].{name}.file_id", parts["file_id"]
            for index, part in enumerate(parts if isinstance(parts, list) else ()):
                if isinstance(part, dict) and part.get("file_id") is not None:
                    yield f"input[{place}].{name}[{index}].file_id", part["file_id"]


def _is_file_of_account(part: JSON) -> bool:
    told = any(isinstance(part.get(name), str) for name in ("image_url", "file_data", "file_url"))
    return part.get("type") in ("input_image", "input_file") and part.get("file_id") is not None and not told


def namespaces(body: JSON) -> Mapping[str, tuple[str, str]]:
    """The namespace and the name of each tool in one, by the name that the chat has for it."""
    found = {}
    for tool in body.get("tools") or ():
        if tool.get("type") == "namespace":
            for inner in tool.get("tools") or ():
                found[f"{tool.get('name')}{BETWEEN}{inner.get('name')}"] = (tool.get("name"), inner.get("name"))
    return found


def _instructions(given: Any) -> list[JSON]:
    if given is None or given == "":
        return []
    if not isinstance(given, str):
        raise invalid_parameter("instructions", "it must be a string")
    return [{"role": "developer", "content": given}]


def _conversation(given: Any) -> list[JSON]:
    if given is None or isinstance(given, str):
        return [{"role": "user", "content": given or ""}]
    if not isinstance(given, list) or not given:
        raise invalid_parameter("input", "it must be a string or a list of items")
    turns: list[JSON] = []
    for index, item in enumerate(given):
        _add(turns, _object(item, f"input[{index}]"), f"input[{index}]")
    if not turns:
        turns.append({"role": "user", "content": ""})  # of items that only their provider knows
    return turns


def _add(turns: list[JSON], item: JSON, param: str) -> None:
    """Puts an item at the end of a conversation. Reasoning and calls go into the assistant's turn that they are part of."""
    kind = item.get("type") or "message"
    if kind == "message":
        if item.get("role") == "assistant":
            content = _parts(item.get("content"), f"{param}.content")
            if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"] is None and "tool_calls" not in turns[-1]:
                turns[-1]["content"] = content
            else:
                turns.append({"role": "assistant", "content": content})
        elif item.get("role") in ("user", "system", "developer"):
            turns.append({"role": item["role"], "content": _parts(item.get("content"), f"{param}.content")})
        else:
            raise invalid_parameter(f"{param}.role", "it must be user, assistant, system or developer")
    elif kind in OURS:
        _assistant(turns).setdefault("tool_calls", []).append(_call(item, kind, param))
    elif kind in RESULTS:
        output = item.get("output")
        content = output if isinstance(output, str) else _parts(output, f"{param}.output")
        turns.append({"role": "tool", "tool_call_id": _text(item, "call_id", param), "content": content})
    elif kind == "compaction" and (summary := unpack_summary(item)) is not None:
        turns.append({"role": "user", "content": summary})
    elif kind == "reasoning" and reasoning_details.is_ours(item.get("encrypted_content") or OUR_SIGNATURE):
        thought = "\n\n".join(str(part.get("text") or "") for part in item.get("summary") or item.get("content") or ())
        details = reasoning_details.unsign(item.get("encrypted_content"))
        if thought:
            turns.append({"role": "assistant", "content": None, "reasoning_content": thought})
        if details:
            turn = _assistant(turns)
            turn[reasoning_details.FIELD] = reasoning_details.merge([*turn.get(reasoning_details.FIELD, ()), *details])


def _assistant(turns: list[JSON]) -> JSON:
    if not turns or turns[-1]["role"] != "assistant":
        turns.append({"role": "assistant", "content": None})
    return turns[-1]


def _call(item: JSON, kind: str, param: str) -> JSON:
    identifier, name = _text(item, "call_id", param), _text(item, "name", param)
    if isinstance(item.get("namespace"), str) and item["namespace"]:
        name = f"{item['namespace']}{BETWEEN}{name}"
    if kind == "custom_tool_call":
        return {"id": identifier, "type": "custom", "custom": {"name": name, "input": _text(item, "input", param)}}
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": _text(item, "arguments", param)}}


def _parts(content: Any, param: str) -> Any:
    if content is None or isinstance(content, str):
        return content
    return [_part(_object(part, f"{param}[{index}]"), f"{param}[{index}]") for index, part in enumerate(_listed(content, param))]


def _part(part: JSON, param: str) -> JSON:
    made, mark = _unmarked_part(part, param), part.get("prompt_cache_breakpoint")
    return {**made, "prompt_cache_breakpoint": mark} if isinstance(mark, dict) else made


def _unmarked_part(part: JSON, param: str) -> JSON:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": _text(part, "text", param)}
    if kind == "refusal":
        return {"type": "refusal", "refusal": _text(part, "refusal", param)}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        return {"type": "file", "file": {"filename": part.get("filename") or "file", "file_data": part["file_data"]}}
    if kind == "input_file" and isinstance(part.get("file_url"), str):
        return {"type": "file", "file": {"filename": part.get("filename") or "file", "file_data": part["file_url"]}}
    if _is_file_of_account(part):
        return {"type": "text", "text": ""}
    if part.get("file_id") is not None:
        raise BadRequestError("The file was not found.", param=f"{param}.file_id", code="file_not_found")
    raise invalid_parameter(f"{param}.type", f"a part of type {kind!r} can't stand here")


def _format(wanted: JSON) -> JSON:
    kind = wanted.get("type")
    if kind == "json_schema":
        schema = {name: wanted[name] for name in ("name", "description", "schema", "strict") if wanted.get(name) is not None}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if kind not in (None, "text", "json_object"):
        raise invalid_parameter("text.format.type", "it must be text, json_schema or json_object")
    return {"response_format": {"type": "json_object"}} if kind == "json_object" else {}


def _tools(given: Sequence[Any]) -> tuple[JSON, list[str]]:
    chat: JSON = {}
    tools: list[JSON] = []
    lost: list[str] = []
    for index, each in enumerate(given):
        param = f"tools[{index}]"
        tool = _object(each, param)
        kind = _text(tool, "type", param)
        if kind in ("function", "custom"):
            tools.append(_tool(tool, param))
            lost += find_unread(tool, read_fields.RESPONSES_TOOLS[kind], "tools")
        elif kind == "namespace":
            inner = _listed(tool.get("tools"), f"{param}.tools")
            prefix = f"{_text(tool, 'name', param)}{BETWEEN}"
            lost += find_unread(tool, read_fields.RESPONSES_TOOLS[kind], param)
            tools += [
                _tool(_object(one, f"{param}.tools[{place}]"), f"{param}.tools[{place}]", prefix) for place, one in enumerate(inner)
            ]
        elif kind.startswith(SEARCH) and tool.get("external_web_access") is not False:
            chat["web_search_options"] = _search(tool)
            lost += find_unread(tool, read_fields.RESPONSES_SEARCH, param)
        else:
            lost.append(param)
    return chat | ({"tools": tools} if tools else {}), lost


def _tool(tool: JSON, param: str, prefix: str = "") -> JSON:
    name = prefix + _text(tool, "name", param)
    if tool.get("type") == "custom":
        return {"type": "custom", "custom": {"name": name, **_described(tool)}}
    function = {own: tool[own] for own in ("description", "parameters", "strict") if tool.get(own) is not None}
    return {"type": "function", "function": {"name": name, **function}}


def _described(tool: JSON) -> JSON:
    """A freeform tool's description, with the grammar of its input in words: few models can be held to one."""
    words, form = tool.get("description") or "", tool.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        words = f"{words}\n\nIts input follows this grammar ({form.get('syntax')}):\n{form.get('definition')}".strip()
    return {"description": words} if words else {}


def _search(tool: JSON) -> JSON:
    options: JSON = {}
    if tool.get("search_context_size") is not None:
        options["search_context_size"] = tool["search_context_size"]
    place = tool.get("user_location")
    if isinstance(place, dict):
        approximate = {name: place[name] for name in place if name != "type" and place[name] is not None}
        options["user_location"] = {"type": "approximate", "approximate": approximate}
    return options


def _choice(choice: Any) -> JSON:
    if choice is None or isinstance(choice, str):
        return {} if choice is None else {"tool_choice": choice}
    chosen = _object(choice, "tool_choice")
    kind = chosen.get("type")
    if kind in ("function", "custom"):
        return {"tool_choice": {"type": kind, kind: {"name": _text(chosen, "name", "tool_choice")}}}
    if kind == "allowed_tools":
        allowed = [
            {"type": tool["type"], tool["type"]: {"name": tool.get("name")}}
            for tool in _listed(chosen.get("tools"), "tool_choice.tools")
            if isinstance(tool, dict) and tool.get("type") in ("function", "custom")
        ]
        return {"tool_choice": {"type": kind, kind: {"mode": chosen.get("mode", "auto"), "tools": allowed}}}
    return {}


def _object(value: Any, param: str) -> JSON:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_parameter(param, "it must be an object")
    return value


def _listed(value: Any, param: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_parameter(param, "it must be a list")
    return value


def _text(holder: JSON, name: str, param: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise invalid_parameter(f"{param}.{name}", "it must be a string")
    return value
