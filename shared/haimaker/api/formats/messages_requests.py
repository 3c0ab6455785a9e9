"""A request in Anthropic's Messages format as a chat. Pure.

https://platform.claude.com/docs/en/api/messages. Thinking that the gateway showed earlier comes back marked as ours and goes on as
`reasoning_content`, with the details that the mark carries; what a vendor signed travels in the ids of tool calls, which pass
unchanged. What only Anthropic has is left out and named where an answer means the same without it, and refused where it does not.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from haimaker.api.formats import account_ids, read_fields, reasoning_details
from haimaker.api.formats.unread import find_unread
from haimaker.http.errors import BadRequestError
from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON
from haimaker.validation import field_types
from haimaker.validation.shapes import check_shape

SEARCH_TOOLS = ("web_search_",)
"""Anthropic's tools that have a counterpart; their types end with a date."""
REFUSED: Mapping[str, str] = {"mcp_servers": "The gateway connects to no MCP servers."}
SAME = ("model", "max_tokens", "temperature", "top_p", "stream", "user")
NO_THREADS = "thread_unsupported_request"
EFFORTS = ((1_024, "low"), (8_192, "medium"))
"""By `budget_tokens`, up to which; more is `high`."""
THINKING = ("enabled", "adaptive", "disabled", "between_tools")
NOT_THINKING = ("disabled", "between_tools")
"""Where a model can't think between its calls of tools alone it does not at all, as Anthropic's own fallbacks have it."""
CHOICE: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}
OWN_BLOCKS = frozenset({"server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "redacted_thinking"})
"""Of earlier answers: only their maker understands them."""
BLOCKS = OWN_BLOCKS | read_fields.BLOCKS.tables.keys()
"""Others are of a tool of Anthropic's, or of tomorrow: in an earlier answer only their maker understands them either, and elsewhere
nobody else can be told them."""


def find_refusal(body: JSON) -> BadRequestError | None:
    """Why a request can't be translated, if it has what no other vendor does."""
    for name, why in REFUSED.items():
        if body.get(name):
            return BadRequestError(f"{name}: {why}", param=name, code="unsupported_parameter")
    if body.get("max_tokens") == 0:
        return _invalid("max_tokens", "only Anthropic fills its cache without an answer")
    thinking, wanted = as_object(body.get("thinking")), as_object(as_object(body.get("output_config")).get("format"))
    if thinking and thinking.get("type") not in THINKING:
        return _invalid("thinking.type", f"it must be {', '.join(THINKING)}")
    if wanted and (wanted.get("type") != "json_schema" or wanted.get("schema") is None):
        return _invalid("output_config.format", "it must be of type json_schema and have a schema")
    told = [("system", body.get("system"))]
    told += [
        (f"messages[{position}].content", message.get("content"))
        for position, message in enumerate(body["messages"])
        if message.get("role") != "assistant"
    ]
    return next(filter(None, (_find_strange(content, param) for param, content in told)), None)


def _find_strange(content: Any, param: str) -> BadRequestError | None:
    """The refusal of the first block that only Anthropic may know."""
    for index, block in enumerate(content if isinstance(content, list) else ()):
        where = f"{param}[{index}]"
        if _is_file_of_account(block):
            message = f"{where}: Only the provider that has the file can read it."
            return BadRequestError(message, param=where, code="file_not_found")
        if _is_strange(block):
            return _invalid(f"{where}.type", f"a block of type {block['type']!r} can't stand here")
        if block.get("type") == "tool_result" and (inner := _find_strange(block.get("content"), f"{where}.content")):
            return inner
    return None


def _is_file_of_account(block: JSON) -> bool:
    return block.get("type") == "container_upload" or as_object(block.get("source")).get("type") == "file"


def _is_strange(block: JSON) -> bool:
    return isinstance(block.get("type"), str) and block["type"] not in BLOCKS


def to_chat(body: JSON, allowed_ids: Collection[str] = ()) -> tuple[JSON, tuple[str, ...]]:
    """The chat, and the names of the fields that were left out. Of what is kept in the provider's account it may name what is
    allowed; whose a container is, `api/containers.py` finds out. Raises BadRequestError, NotFoundError.

    A thread, which the provider would keep, is refused so that its clients go on without: all keys share the provider's account.
    """
    check_shape(body, field_types.MESSAGES)
    account_ids.refuse_skills(body.get("container"), allowed_ids)
    account_ids.refuse_blocks(body.get("system"), "system", allowed_ids)
    for position, message in enumerate(as_objects(body.get("messages"))):
        account_ids.refuse_blocks(message.get("content"), f"messages[{position}].content", allowed_ids)
    if body.get("thread") is not None:
        raise BadRequestError("thread: The gateway keeps no threads.", param="thread", code=NO_THREADS)
    chat: JSON = {name: body[name] for name in SAME if body.get(name) is not None}
    if body.get("max_tokens") == 0:
        del chat["max_tokens"]
    chat["messages"] = [*_system(body.get("system"), "system"), *_conversation(body.get("messages"))]
    if body.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    if stops := body.get("stop_sequences"):
        chat["stop"] = stops
    if body.get("service_tier") is not None:
        chat["service_tier"] = {"standard_only": "default"}.get(str(body["service_tier"]), body["service_tier"])
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and metadata.get("user_id") is not None:
        chat["safety_identifier"] = metadata["user_id"]
    chat |= _thinking(body.get("thinking"), body.get("output_config"))
    tools, lost = _tools(body.get("tools"))
    chat |= tools
    if "tools" in tools or "web_search_options" in tools:
        chat |= _choice(body.get("tool_choice"))
    if isinstance(body.get("cache_control"), dict):
        _mark_end(chat["messages"][-1], body)
    return chat, tuple(dict.fromkeys((*_left_out(body), *lost)))


def _left_out(body: JSON) -> Iterator[str]:
    """The names of what a chat lacks, besides tools."""
    yield from find_unread(body, read_fields.MESSAGES)
    fallbacks = body.get("fallbacks")  # the gateway's to try, by the model alone
    models = [each for each in fallbacks if isinstance(each, dict) and "model" in each] if isinstance(fallbacks, list) else []
    yield from find_unread(models, {"model": None}, "fallbacks")


def _system(given: Any, param: str) -> list[JSON]:
    if not given:
        return []
    return [{"role": "system", "content": given if isinstance(given, str) else _parts(given, param)}]


def _conversation(messages: Any) -> list[JSON]:
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages", "it must be a list with at least one message")
    turns: list[JSON] = []
    for position, message in enumerate(messages):
        param = f"messages[{position}]"
        if not isinstance(message, dict):
            raise _invalid(param, "it must be an object")
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "system"):
            raise _invalid(f"{param}.role", "it must be user or assistant")
        if isinstance(content, str):
            turns.append({"role": role, "content": content})
        elif role == "assistant":
            turns.append(_assistant_message(_blocks(content, f"{param}.content"), f"{param}.content"))
        elif role == "system":
            turns += _system(content, f"{param}.content")
        else:
            turns += _user_messages(_blocks(content, f"{param}.content"), f"{param}.content")
    return turns


def _user_messages(blocks: Sequence[JSON], param: str) -> list[JSON]:
    """A turn of the user: the results of tools, each a message of its own, then the rest."""
    results = [_result(block, f"{param}[{index}]") for index, block in enumerate(blocks) if block.get("type") == "tool_result"]
    others = [(index, block) for index, block in enumerate(blocks) if block.get("type") != "tool_result"]
    parts = [_part(block, f"{param}[{index}]") for index, block in others if block.get("type") not in OWN_BLOCKS]
    return [*results, {"role": "user", "content": parts}] if parts else results


def _result(block: JSON, param: str) -> JSON:
    identifier = block.get("tool_use_id")
    if not isinstance(identifier, str):
        raise _invalid(f"{param}.tool_use_id", "it must be a string")
    content = block.get("content")
    message: JSON = {"role": "tool", "tool_call_id": identifier, "content": content if isinstance(content, str) else ""}
    if isinstance(content, list):
        message["content"] = _parts(content, f"{param}.content")
    if isinstance(block.get("is_error"), bool):
        message["is_error"] = block["is_error"]
    return _with_cache_control(message, block)


def _assistant_message(blocks: Sequence[JSON], param: str) -> JSON:
    message: JSON = {"role": "assistant", "content": None}
    texts: list[JSON] = []
    details: list[JSON] = []
    for index, block in enumerate(blocks):
        kind = block.get("type")
        signature = block.get("signature") if kind == "thinking" else block.get("data") if kind == "redacted_thinking" else None
        if reasoning_details.is_ours(signature):
            details += reasoning_details.unsign(signature)
            if kind == "thinking":
                message["reasoning_content"] = message.get("reasoning_content", "") + str(block.get("thinking") or "")
        elif kind in ("thinking", "redacted_thinking"):
            message.setdefault("thinking_blocks", []).append(block)
        elif kind == "tool_use":
            message.setdefault("tool_calls", []).append(_call(block, f"{param}[{index}]"))
        elif kind not in OWN_BLOCKS and not _is_strange(block):
            texts.append(_part(block, f"{param}[{index}]"))
    if texts:
        message["content"] = texts
    if details:
        message[reasoning_details.FIELD] = reasoning_details.merge(details)
    return message


def _call(block: JSON, param: str) -> JSON:
    identifier, name = block.get("id"), block.get("name")
    if not isinstance(identifier, str) or not isinstance(name, str):
        raise _invalid(param, "a tool_use has an id and a name")
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    call: JSON = {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}
    return _with_cache_control(call, block)


def _parts(content: Any, param: str) -> list[JSON]:
    return [_part(block, f"{param}[{index}]") for index, block in enumerate(_blocks(content, param))]


def _blocks(content: Any, param: str) -> list[JSON]:
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise _invalid(param, "it must be a string or a list of blocks")
    for index, block in enumerate(content):
        if not isinstance(block.get("type"), str | None):
            raise _invalid(f"{param}[{index}].type", "it must be a string")
    return content


def _part(block: JSON, param: str) -> JSON:
    kind = block.get("type")
    if _is_file_of_account(block):
        return {"type": "text", "text": ""}
    if kind == "text" and isinstance(block.get("text"), str):
        return _with_cache_control({"type": "text", "text": block["text"]}, block)
    if kind == "image":
        return _with_cache_control({"type": "image_url", "image_url": {"url": _source(block, param)}}, block)
    if kind == "document":
        return _with_cache_control(_document(block, param), block)
    if kind == "search_result":
        told = "\n".join(str(part.get("text") or "") for part in _blocks(block.get("content"), f"{param}.content"))
        head = "\n".join(str(block[name]) for name in ("title", "source") if block.get(name))
        return _with_cache_control({"type": "text", "text": f"{head}\n\n{told}"}, block)
    if kind == "tool_reference":
        return _with_cache_control({"type": "text", "text": f"The tool {block.get('tool_name')} is there."}, block)
    if _is_strange(block):
        return {"type": "text", "text": ""}
    raise _invalid(f"{param}.type", f"a block of type {kind!r} can't stand here")


def _document(block: JSON, param: str) -> JSON:
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    title = f"{block['title']}\n\n" if isinstance(block.get("title"), str) else ""
    if isinstance(source, dict) and kind == "text" and isinstance(source.get("data"), str):
        return {"type": "text", "text": title + source["data"]}
    if isinstance(source, dict) and kind == "content":
        content = source.get("content")
        if not isinstance(content, str):
            content = "\n".join(str(part.get("text") or "") for part in _blocks(content, f"{param}.source.content"))
        return {"type": "text", "text": title + content}
    name = block.get("title")
    return {
        "type": "file",
        "file": {"filename": name if isinstance(name, str) and name else "document.pdf", "file_data": _source(block, param)},
    }


def _source(block: JSON, param: str) -> str:
    """A link, or a data URL."""
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if isinstance(source, dict) and kind == "url" and isinstance(source.get("url"), str):
        return str(source["url"])
    if isinstance(source, dict) and kind == "base64" and isinstance(source.get("data"), str):
        return f"data:{source.get('media_type')};base64,{source['data']}"
    raise _invalid(f"{param}.source", "it must be of type base64 or url")


def _thinking(thinking: Any, config: Any) -> JSON:
    """`reasoning_effort`, and `response_format` where the answer has a schema."""
    chat: JSON = {}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind in NOT_THINKING:
        chat["reasoning_effort"] = "none"
    elif kind == "enabled":
        budget = thinking.get("budget_tokens")
        if type(budget) is not int or budget < 1:
            raise _invalid("thinking.budget_tokens", "it must be a whole number")
        chat["reasoning_effort"] = next((effort for most, effort in EFFORTS if budget <= most), "high")
    if isinstance(config, dict):
        if isinstance(config.get("effort"), str) and kind not in NOT_THINKING:
            chat["reasoning_effort"] = config["effort"]
        wanted = config.get("format")
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            schema = {"name": "answer", "schema": wanted.get("schema"), "strict": True}
            chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return chat


def _tools(given: Any) -> tuple[JSON, list[str]]:
    """Functions and a search of the web; tools that Anthropic defines and no other vendor has are left out and named."""
    if given is None:
        return {}, []
    chat: JSON = {}
    functions: list[JSON] = []
    lost: list[str] = []
    for index, tool in enumerate(_blocks(given, "tools")):
        kind = tool.get("type") or "custom"
        if kind == "custom":
            functions.append(_function(tool, f"tools[{index}]"))
            lost += find_unread(tool, read_fields.MESSAGES_FUNCTION, "tools")
        elif str(kind).startswith(SEARCH_TOOLS):
            chat["web_search_options"] = _search(tool)
            lost += find_unread(tool, read_fields.MESSAGES_SEARCH, f"tools[{index}]")
        else:
            lost.append(f"tools[{index}]")
    return chat | ({"tools": functions} if functions else {}), lost


def _function(tool: JSON, param: str) -> JSON:
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not name:
        raise _invalid(f"{param}.name", "it must be a string")
    if not isinstance(schema, dict):
        raise _invalid(f"{param}.input_schema", "it must be a JSON schema")
    function: JSON = {"name": name, "parameters": schema}
    for own in ("description", "strict"):
        if tool.get(own) is not None:
            function[own] = tool[own]
    return _with_cache_control({"type": "function", "function": function}, tool)


def _search(tool: JSON) -> JSON:
    place = tool.get("user_location")
    if not isinstance(place, dict):
        return {}
    return {"user_location": {"type": "approximate", "approximate": {name: place[name] for name in place if name != "type"}}}


def _choice(choice: Any) -> JSON:
    if choice is None:
        return {}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "tool" and isinstance(choice.get("name"), str):
        chat: JSON = {"tool_choice": {"type": "function", "function": {"name": choice["name"]}}}
    elif isinstance(kind, str) and kind in CHOICE:
        chat = {"tool_choice": CHOICE[kind]}
    else:
        raise _invalid("tool_choice.type", "it must be auto, any, tool or none")
    return chat | ({"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") is True else {})


def _mark_end(message: JSON, body: JSON) -> None:
    """Puts the request's own mark for the cache where it stands for: at the end of the last message."""
    content = message.get("content")
    if isinstance(content, str) and content and message["role"] != "tool":
        message["content"] = content = [{"type": "text", "text": content}]
    holder = content[-1] if isinstance(content, list) and content else message
    holder.update(_with_cache_control(holder, body))


def _with_cache_control(made: JSON, block: JSON) -> JSON:
    return {**made, "cache_control": block["cache_control"]} if isinstance(block.get("cache_control"), dict) else made


def _invalid(param: str, why: str) -> BadRequestError:
    return BadRequestError(f"{param}: {why}.", param=param, code="invalid_value")
