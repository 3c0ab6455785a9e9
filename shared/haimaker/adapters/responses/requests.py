"""A chat as a request for a response. Pure.

https://platform.openai.com/docs/guides/migrate-to-responses
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from haimaker.adapters.openai import thinking
from haimaker.adapters.openai.messages import DETAILS, edit_message, without_fields
from haimaker.adapters.parameters import Parameters
from haimaker.adapters.repairs import plain_id, repair_messages
from haimaker.http.errors import BadRequestError, invalid_value
from haimaker.http.json import as_list, as_object, as_objects
from haimaker.http.values import JSON
from haimaker.models.traits import NEVER
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

LONGEST_ID = 64
MARK = "prompt_cache_breakpoint"
ENCRYPTED = "reasoning.encrypted_content"
DETAIL_FORMAT = "openai-responses-v1"
"""Of OpenAI's reasoning in `reasoning_details`: https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-api-shape"""
SAME = (
    *("metadata", "moderation", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    *("safety_identifier", "service_tier", "temperature", "top_p", "user"),
)
PARAMETERS = Parameters(
    taken=frozenset(
        [
            *("max_completion_tokens", "max_tokens", "messages", "model", "reasoning_effort", "response_format", "stream"),
            *("stream_options", "tool_choice", "tools", "verbosity", "web_search_options", "logprobs", "top_logprobs"),
            *SAME,
        ]
    ),
    harmless=frozenset(["frequency_penalty", "presence_penalty", "prediction", "seed", "store"]),
    neutral={"frequency_penalty": (0,), "n": (1,), "presence_penalty": (0,), "modalities": (["text"],), "store": (False,)},
)


def to_responses(request: ChatRequest, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The body to send, and the names of what is lost. Raises BadRequestError."""
    dialect, traits = attempt.provider.dialect, attempt.traits
    settled = thinking.settle_effort(request.body, dialect, traits, forgiving=bool(request.body.get("drop_params")))
    asked, dropped = PARAMETERS.for_model(traits, settled.effort).split(without_fields(settled.body, dialect.drop))
    lost = (*settled.lost, *(name for name in dialect.drop if name in settled.body), *dropped)
    body: JSON = {name: asked[name] for name in SAME if asked.get(name) is not None}
    messages = [edit_message(message, dialect, thinks=False) for message in repair_messages(asked["messages"], attempt)]
    body |= {"model": attempt.model, "input": list(_items(messages)), "store": False}
    limit = request.max_output_tokens or attempt.max_output_tokens
    if limit:
        body["max_output_tokens"] = limit
    if attempt.max_tool_calls:
        body["max_tool_calls"] = attempt.max_tool_calls
    if request.streams:
        body["stream"] = True
    if asked.get("reasoning_effort") is not None:
        body["reasoning"] = {"effort": asked["reasoning_effort"]}
    # https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
    include = [ENCRYPTED] if traits.thinks not in ("", NEVER) else []
    if asked.get("logprobs"):
        include.append("message.output_text.logprobs")
        body |= {"top_logprobs": asked["top_logprobs"]} if asked.get("top_logprobs") is not None else {}
    if include:
        body["include"] = include
    text = _text_settings(asked)
    if text:
        body["text"] = text
    tools = [*map(_tool, asked.get("tools") or ()), *_search(asked.get("web_search_options"))]
    if tools:
        body["tools"] = tools
    if asked.get("tool_choice") is not None and asked.get("tools"):
        body["tool_choice"] = _choice(asked["tool_choice"])
    return {**dialect.add, **body}, tuple(dict.fromkeys(lost))


def to_call_id(identifier: Any) -> str:
    """An id of a call, perhaps another vendor's, as long as may be; the same one each time."""
    plain = plain_id(str(identifier))
    return plain if len(plain) <= LONGEST_ID else f"call_{sha256(plain.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def _items(messages: Sequence[JSON]) -> Iterator[JSON]:
    custom = {
        str(call.get("id"))
        for message in messages
        for call in as_objects(message.get("tool_calls"))
        if isinstance(call.get("custom"), dict)
    }
    for index, message in enumerate(messages):
        role, content, param = message.get("role"), message.get("content"), f"messages[{index}].content"
        if role == "tool":
            kind = "custom_tool_call_output" if str(message.get("tool_call_id")) in custom else "function_call_output"
            output = content if isinstance(content, str) else _parts(content, param)
            yield {"type": kind, "call_id": to_call_id(message.get("tool_call_id")), "output": output}
        elif role == "assistant":
            yield from _thoughts(message.get(DETAILS))
            said = content or message.get("refusal")
            if said:
                yield {"type": "message", "role": "assistant", "content": _text_of(said)}
            yield from map(_call, as_objects(message.get("tool_calls")))
        else:
            yield {"type": "message", "role": role, "content": _parts(content, param)}


def _thoughts(details: Any) -> Iterator[JSON]:
    """Reasoning that the provider told in an earlier turn, if the client has kept it; that of others it could not read."""
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("format") == DETAIL_FORMAT and isinstance(detail.get("data"), str):
            named = {"id": detail["id"]} if isinstance(detail.get("id"), str) else {}
            yield {"type": "reasoning", **named, "summary": [], "encrypted_content": detail["data"]}


def _call(call: JSON) -> JSON:
    call_id = to_call_id(call.get("id"))
    if isinstance(call.get("custom"), dict):
        own = call["custom"]
        return {"type": "custom_tool_call", "call_id": call_id, "name": own.get("name"), "input": own.get("input") or ""}
    own = as_object(call.get("function"))
    return {
        "type": "function_call",
        "call_id": call_id,
        "name": own.get("name"),
        "arguments": own.get("arguments") or "{}",
    }


def _text_of(said: Any) -> str:
    """What the assistant said, of which the format has no parts without ids."""
    if isinstance(said, str):
        return said
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in as_objects(said))


def _parts(content: Any, param: str) -> list[JSON]:
    if isinstance(content, str) or content is None:
        return [{"type": "input_text", "text": content or ""}]
    return [_part(part, f"{param}[{index}]") for index, part in enumerate(as_list(content))]


def _part(given: Any, param: str) -> JSON:
    part = as_object(given)
    kind = part.get("type")
    mark = {MARK: part[MARK]} if part.get(MARK) else {}
    if kind == "text":
        return {"type": "input_text", "text": part.get("text") or "", **mark}
    if kind == "image_url":
        image = as_object(part.get("image_url"))
        return {"type": "input_image", "image_url": image.get("url"), "detail": image.get("detail") or "auto", **mark}
    if kind == "file":
        file = as_object(part.get("file"))
        data = file.get("file_data")
        if file.get("file_id") and not data:
            return {"type": "input_file", "file_id": file["file_id"], **mark}
        where = "file_url" if isinstance(data, str) and data.startswith(("http://", "https://")) else "file_data"
        named = {"filename": file["filename"]} if file.get("filename") and where == "file_data" else {}
        return {"type": "input_file", where: data, **named, **mark}
    raise BadRequestError(f"The model takes no part of type {kind!r}.", param=f"{param}.type", code="unsupported_parameter")


def _text_settings(asked: JSON) -> JSON:
    text: JSON = {"verbosity": asked["verbosity"]} if asked.get("verbosity") is not None else {}
    wanted = as_object(asked.get("response_format"))
    if wanted.get("type") == "json_schema":
        text["format"] = {"type": "json_schema", **as_object(wanted.get("json_schema"))}
    elif wanted.get("type") == "json_object":
        text["format"] = {"type": "json_object"}
    elif wanted and wanted.get("type") != "text":
        raise invalid_value("response_format.type", "text, json_object or json_schema")
    return text


def _tool(tool: JSON) -> JSON:
    """Flat; a function is not strict unless it says so, as in a chat."""
    kind = tool.get("type")
    own = tool.get(str(kind))
    if not isinstance(own, dict):
        return tool
    if kind == "custom" and isinstance(own.get("format"), dict) and isinstance(own["format"].get("grammar"), dict):
        own = {**own, "format": {"type": "grammar", **own["format"]["grammar"]}}
    return {"type": kind, **({"strict": False} if kind == "function" else {}), **own}


def _search(options: Any) -> list[JSON]:
    if not isinstance(options, dict):
        return []
    tool: JSON = {"type": "web_search"}
    if options.get("search_context_size") is not None:
        tool["search_context_size"] = options["search_context_size"]
    place = options.get("user_location")
    if isinstance(place, dict) and isinstance(place.get("approximate"), dict):
        tool["user_location"] = {"type": "approximate", **place["approximate"]}
    return [tool]


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    own = choice.get(str(kind))
    if not isinstance(own, dict):
        return choice
    if kind == "allowed_tools":
        return {"type": kind, "mode": own.get("mode"), "tools": [_flat(tool) for tool in own.get("tools") or ()]}
    return {"type": kind, **own}


def _flat(tool: JSON) -> JSON:
    own = tool.get(str(tool.get("type")))
    return {"type": tool.get("type"), **own} if isinstance(own, dict) else tool
