"""A chat request as a body for Cohere's Chat v2, whose messages are nearly OpenAI's.

https://docs.cohere.com/reference/chat
"""

import json
import re
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_to_bytes

from haimaker.adapters.cohere.tools import add_tools
from haimaker.adapters.parameters import HINTS, Parameters, drop_out_of_range
from haimaker.adapters.repairs import plain_id, repair_messages
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

PARAMETERS = Parameters(
    taken=frozenset(
        {
            "frequency_penalty",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "model",
            "presence_penalty",
            "reasoning_effort",
            "response_format",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
        }
    ),
    harmless=frozenset(
        {
            "metadata",
            "parallel_tool_calls",
            "prediction",
            *HINTS,
            "safety_identifier",
            "service_tier",
            "store",
            "user",
            "verbosity",
        }
    ),
    neutral={
        "modalities": (["text"],),
        "n": (1,),
        "parallel_tool_calls": (True,),
        "service_tier": ("auto", "default"),
        "store": (False,),
        "top_logprobs": (0,),
    },
)
TRANSLATED = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "reasoning_effort",
        "response_format",
        "stop",
        "stream_options",
        "tool_choice",
        "tools",
    }
)
RENAMED = {"top_p": "p", "top_k": "k"}

EFFORT_TOKENS = {"minimal": 1024, "low": 1024, "medium": 4096}
"""Budgets for thinking; above them there is none. https://docs.cohere.com/docs/reasoning"""
EFFORTS = ("none", *EFFORT_TOKENS, "high", "xhigh", "max")

DATA_URL = re.compile(r"data:(?P<media>[^;,]*)(?:;[^,;]*)*?(?P<base64>;base64)?,(?P<data>.*)\Z", re.IGNORECASE | re.DOTALL)
TEXT_MEDIA = re.compile(r"text/|application/(?:json|xml|yaml|x-yaml)\Z|\Z", re.IGNORECASE)


def to_body(request: ChatRequest, attempt: Attempt) -> tuple[JSON, list[str]]:
    """The body, and the names of what the model does not get."""
    given, out_of_range = drop_out_of_range(request.body, attempt.provider.dialect.ranges)
    fields, unsupported = PARAMETERS.split(given)
    dropped = [*out_of_range, *unsupported]
    documents: list[JSON] = []
    body: JSON = {RENAMED.get(name, name): value for name, value in fields.items() if name not in TRANSLATED and value is not None}
    body["model"] = attempt.model
    body["stream"] = request.streams
    messages = repair_messages(fields["messages"], attempt)
    body["messages"] = [_message(message, f"messages[{index}]", documents) for index, message in enumerate(messages)]
    if documents:
        own = body.get("documents")
        body["documents"] = [*(own if isinstance(own, list) else []), *documents]
    if limit := request.max_output_tokens or attempt.max_output_tokens:
        body["max_tokens"] = limit
    stop = fields.get("stop")
    if stop:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    add_tools(fields, body)
    _add_format(fields.get("response_format") or {}, body)
    dropped += _add_thinking(fields.get("reasoning_effort"), body, attempt)
    return body, dropped


def _message(message: JSON, param: str, documents: list[JSON]) -> JSON:
    role = message.get("role")
    if role in ("system", "developer"):
        return {"role": "system", "content": _content(message, param, documents) or ""}
    if role == "user":
        return {"role": "user", "content": _content(message, param, documents) or ""}
    if role == "assistant":
        return _assistant(message, param, documents)
    if role == "tool":
        called = message.get("tool_call_id")
        if not isinstance(called, str):
            raise invalid_parameter(f"{param}.tool_call_id", "it must be a string")
        return {"role": "tool", "tool_call_id": plain_id(called), "content": _content(message, param, documents) or ""}
    raise invalid_parameter(f"{param}.role", "it must be system, developer, user, assistant or tool")


def _assistant(message: JSON, param: str, documents: list[JSON]) -> JSON:
    """A turn of the assistant's. What was thought before calls of tools is sent as their plan, as which Cohere shows it."""
    made: JSON = {"role": "assistant"}
    calls = _calls(message, param)
    if calls:
        made["tool_calls"] = calls
        plan = message.get("tool_plan", message.get("reasoning_content"))
        if isinstance(plan, str) and plan:
            made["tool_plan"] = plan
    content = _content(message, param, documents)
    if content or not calls:
        made["content"] = content or ""
    return made


def _calls(message: JSON, param: str) -> list[JSON]:
    calls = message.get("tool_calls") or []
    made: list[JSON] = []
    for index, call in enumerate(calls):
        function, place = call.get("function"), f"{param}.tool_calls[{index}]"
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise invalid_parameter(f"{place}.function.name", "it must be a string")
        if not isinstance(call.get("id"), str):
            raise invalid_parameter(f"{place}.id", "it must be a string")
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        called = {"name": function["name"], "arguments": text if text.strip() else "{}"}
        made.append({"id": plain_id(call["id"]), "type": "function", "function": called})
    return made


def _content(message: JSON, param: str, documents: list[JSON]) -> str | list[JSON] | None:
    """A string where there is nothing but text; files of text become documents of the request."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid_parameter(f"{param}.content", "it must be a string or a list of parts")
    parts = [made for index, part in enumerate(content) if (made := _part(part, f"{param}.content[{index}]", documents))]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    if message.get("role") != "user" and any(part["type"] == "image_url" for part in parts):
        raise invalid_parameter(f"{param}.content", "this provider takes images only from the user")
    return parts


def _part(part: Any, param: str, documents: list[JSON]) -> JSON | None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "refusal"):
        if not isinstance(part.get(kind), str):
            raise invalid_parameter(f"{param}.{kind}", "it must be a string")
        return {"type": "text", "text": part[kind]} if part[kind] else None
    if kind == "thinking" and isinstance(part.get("thinking"), str):
        return {"type": "thinking", "thinking": part["thinking"]}
    if kind == "document" and isinstance(part.get("document"), dict):
        return {"type": "document", "document": part["document"]}
    if kind == "image_url":
        image = part.get("image_url")
        image = {"url": image} if isinstance(image, str) else image
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise invalid_parameter(f"{param}.image_url.url", "it must be a string")
        detail = {"detail": image["detail"]} if image.get("detail") in ("auto", "low", "high") else {}
        return {"type": "image_url", "image_url": {"url": image["url"], **detail}}
    if kind == "file":
        documents.append(_document(part.get("file"), f"{param}.file", len(documents)))
        return None
    raise invalid_parameter(f"{param}.type", "this provider does not take such a part")


def _document(file: Any, param: str, index: int) -> JSON:
    """https://docs.cohere.com/docs/retrieval-augmented-generation-rag"""
    data = file.get("file_data") if isinstance(file, dict) else None
    found = DATA_URL.match(data) if isinstance(data, str) else None
    if found is None or not TEXT_MEDIA.match(found["media"]):
        raise invalid_parameter(param, "this provider takes only files of text, as a data URL")
    try:
        raw = b64decode(found["data"], validate=True) if found["base64"] else unquote_to_bytes(found["data"])
        text = raw.decode()
    except ValueError:
        raise invalid_parameter(f"{param}.file_data", "it must hold text in UTF-8") from None
    name = file.get("filename")
    title = {"title": name} if isinstance(name, str) else {}
    return {"id": f"file-{index + 1}", "data": {"text": text, **title}}


def _add_format(wanted: JSON, body: JSON) -> None:
    """https://docs.cohere.com/docs/structured-outputs"""
    kind = wanted.get("type")
    if kind in (None, "text"):
        return
    if kind not in ("json_object", "json_schema"):
        raise invalid_parameter("response_format.type", "it must be text, json_object or json_schema")
    given = wanted.get("json_schema")
    schema = given.get("schema", given) if isinstance(given, dict) else wanted.get("schema")
    body["response_format"] = {"type": "json_object", **({"json_schema": schema} if isinstance(schema, dict) else {})}


def _add_thinking(effort: Any, body: JSON, attempt: Attempt) -> list[str]:
    """Thinking by effort, where the model reasons as far as is known; a client's own `thinking` wins."""
    if effort is None or "thinking" in body:
        return []
    if effort not in EFFORTS:
        raise invalid_parameter("reasoning_effort", f"it must be one of {', '.join(EFFORTS)}")
    if attempt.model_info.max_input_tokens is not None and "reasoning" not in attempt.model_info.supports:
        return ["reasoning_effort"] if effort != "none" else []
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    else:
        budget = {"token_budget": EFFORT_TOKENS[effort]} if effort in EFFORT_TOKENS else {}
        body["thinking"] = {"type": "enabled", **budget}
    return []
