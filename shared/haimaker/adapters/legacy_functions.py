"""OpenAI's deprecated `functions` for models that know tools only: tools upstream, `function_call` back to the client. Pure.

https://platform.openai.com/docs/api-reference/chat/create#chat_create-functions
"""

from typing import Any

from haimaker.adapters import Adapter
from haimaker.adapters.transform import Transform
from haimaker.http.errors import invalid_value
from haimaker.http.values import JSON

FINISH_REASON = "function_call"


def with_legacy_functions(chat: Adapter, body: JSON) -> Transform:
    """A chat adapter that sends functions as tools. Calls come back as `function_call` only where the request itself has functions,
    not where earlier turns have them."""
    reads = sends_functions(body)
    return Transform(chat, lambda body: (_with_tools(body), ()), lambda: _choice if reads else _untouched)


def sends_functions(body: JSON) -> bool:
    return bool(body.get("functions")) and not body.get("tools")


def _choice(choice: JSON, holder: str) -> JSON:
    """A choice with the first call as its `function_call`: the old form has one call, without an id."""
    message, made = choice.get(holder), dict[str, Any]()
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if isinstance(message, dict) and calls:
        kept = {name: value for name, value in message.items() if name != "tool_calls"}
        first = next((call.get("function") for place, call in enumerate(calls) if call.get("index", place) == 0), None)
        made[holder] = {**kept, "function_call": first} if first else kept
    if choice.get("finish_reason") == "tool_calls":
        made["finish_reason"] = FINISH_REASON
    return {**choice, **made} if made else choice


def _untouched(choice: JSON, holder: str) -> JSON:
    return choice


def _with_tools(body: JSON) -> JSON:
    """Raises BadRequestError for functions that are none."""
    kept = {name: value for name, value in body.items() if name not in ("functions", "function_call")}
    made: JSON = {"messages": _messages(body["messages"])}
    functions, choice = body.get("functions") or [], body.get("function_call")
    if not isinstance(functions, list) or not all(isinstance(function, dict) for function in functions):
        raise invalid_value("functions", "a list of objects")
    if functions:
        made["tools"] = [*(body.get("tools") or []), *({"type": "function", "function": function} for function in functions)]
    if choice is not None and body.get("tool_choice") is None and (functions or body.get("tools")):
        made["tool_choice"] = choice if isinstance(choice, str) else {"type": "function", "function": choice}
    return {**kept, **made}


def _messages(messages: list[JSON]) -> list[JSON]:
    """Old calls have no id, and each is answered by the next message: its number serves, in nine letters, as Mistral wants it."""
    made: list[JSON] = []
    count = 0
    for message in messages:
        call = message.get("function_call")
        rest = {name: value for name, value in message.items() if name != "function_call"}
        if message.get("role") == "function":
            content = "" if message.get("content") is None else message["content"]
            rest = {name: value for name, value in rest.items() if name != "name"}
            message = {**rest, "role": "tool", "tool_call_id": _id(max(count, 1)), "content": content}
        elif message.get("role") == "assistant" and isinstance(call, dict):
            count += 1
            message = {"tool_calls": [{"id": _id(count), "type": "function", "function": call}], **rest}
        made.append(message)
    return made


def _id(number: int) -> str:
    return f"call{number:05d}"
