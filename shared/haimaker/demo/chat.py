"""Chat of the `demo/` models. `echo` repeats the last user message, `count` counts to the number in it, `tool` calls the first tool
it is given, `agent` calls one once and then answers, as the request wants it: in JSON, with log probabilities."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from haimaker.demo import no_such_model
from haimaker.http.sse import DONE, dumps, encode
from haimaker.http.values import JSON, StreamEvent, UpstreamRequest, UpstreamResponse

SLICE = 50_000
MAX_COUNTED = 10_000
LABEL = "haimaker-demo, not an LLM"


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    body: JSON = json.loads(request.body)
    model = body["model"]
    if model not in MODELS:
        return no_such_model(model, MODELS)
    head = {"id": f"chatcmpl-{request_id}", "created": created_s, "model": f"demo/{model}", "system_fingerprint": LABEL}
    message, finish_reason = _cut_to_limit(MODELS[model](body), body)
    choices = body.get("n") or 1
    usage = _usage(body, message, choices)
    if body.get("stream"):
        shown_usage = usage if (body.get("stream_options") or {}).get("include_usage") else None
        certain = model == "agent" and bool(body.get("logprobs"))
        pieces = _events(head, message, finish_reason, choices, shown_usage, certain)
        return UpstreamResponse(200, {"content-type": "text/event-stream"}, pieces)
    logprobs = _logprobs(message["content"] or "") if model == "agent" and body.get("logprobs") else None
    choice = {"message": message, "logprobs": logprobs, "finish_reason": finish_reason}
    answer = {
        **head,
        "object": "chat.completion",
        "choices": [{"index": index, **choice} for index in range(choices)],
        "usage": usage,
    }
    return UpstreamResponse(200, {"content-type": "application/json"}, iter([dumps(answer)]))


def _echo(body: JSON) -> JSON:
    return {"role": "assistant", "content": _last_text(body)}


def _count(body: JSON) -> JSON:
    asked = re.search(r"\d+", _last_text(body))
    most = min(int(asked[0][:9]), MAX_COUNTED) if asked else 10
    return {"role": "assistant", "content": " ".join(str(number) for number in range(1, most + 1))}


def _tool(body: JSON) -> JSON:
    tools = [tool["function"] for tool in body.get("tools") or () if isinstance(tool.get("function"), dict)]
    if not tools or body.get("tool_choice") == "none":
        return _echo(body)
    arguments = _example({"type": "object", **tools[0]["parameters"]}) if isinstance(tools[0].get("parameters"), dict) else {}
    called = {"name": tools[0].get("name"), "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "call_demo_0", "type": "function", "function": called}]}


def _agent(body: JSON) -> JSON:
    """Calls a tool, the one that it must if there is such a one, unless it has a result already; then it answers."""
    chosen, results = body.get("tool_choice"), [message for message in body["messages"] if message.get("role") == "tool"]
    named = (chosen.get("function") or {}).get("name") if isinstance(chosen, dict) else None
    tools = [tool for tool in body.get("tools") or () if named in (None, (tool.get("function") or {}).get("name"))]
    if tools and chosen != "none" and (not results or chosen == "required" or named):
        return _tool({**body, "tools": tools})
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        return {"role": "assistant", "content": json.dumps(_example(schema))}
    if wanted.get("type") == "json_object":
        return {"role": "assistant", "content": "{}"}
    if results:
        return {"role": "assistant", "content": f"The tool says: {_last_text({'messages': [{**results[-1], 'role': 'user'}]})}"}
    return _echo(body)


MODELS: Mapping[str, Callable[[JSON], JSON]] = {"agent": _agent, "count": _count, "echo": _echo, "tool": _tool}


def _last_text(body: JSON) -> str:
    users = [message for message in body["messages"] if message.get("role") == "user"]
    content = users[-1].get("content") if users else None
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def _example(schema: object) -> Any:
    """The least value that a JSON schema of a tool's arguments asks for."""
    if not isinstance(schema, dict):
        return ""
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    properties = schema.get("properties")
    if isinstance(properties, dict) or schema.get("type") == "object":
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        return {str(name): _example((properties or {}).get(str(name))) for name in names}
    return {"array": [], "integer": 0, "number": 0, "boolean": False, "null": None}.get(str(schema.get("type")), "")


def _cut_to_limit(message: JSON, body: JSON) -> tuple[JSON, str]:
    """The message cut to `max_tokens`, and why it ends. A word, with the space before it, counts as one token."""
    if message.get("tool_calls"):
        return message, "tool_calls"
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is None:
        return message, "stop"
    words = _words(message["content"])
    kept = "".join(islice(words, most))
    return (message, "stop") if next(words, None) is None else ({**message, "content": kept}, "length")


def _words(text: str) -> Iterator[str]:
    """The words of a text, one by one: all of a long text's at once would hold up other threads."""
    return (found[0] for found in re.finditer(r"\s*\S+|\s+$", text))


def _count_words(text: str) -> int:
    """The number of words that `_words` gives, counted in slices, so that a long text holds up no other thread."""
    count = int(text[-1:].isspace())
    for start in range(0, len(text), SLICE):
        count += len(text[start : start + SLICE].split())
        count -= start > 0 and not (text[start - 1].isspace() or text[start].isspace())  # one word, in two slices
    return count


def _usage(body: JSON, message: JSON, choices: int) -> JSON:
    prompt = sum(_count_words(_last_text({"messages": [{**m, "role": "user"}]})) for m in body["messages"])
    text = message["content"] or "".join(call["function"]["arguments"] for call in message.get("tool_calls", ()))
    completion = _count_words(text) * choices
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _events(head: JSON, message: JSON, finish_reason: str, choices: int, usage: JSON | None, certain: bool) -> Iterator[bytes]:
    def chunk(choices: list[JSON], **more: object) -> bytes:
        return encode(StreamEvent({**head, "object": "chat.completion.chunk", "choices": choices, **more}))

    for choice in range(choices):
        for delta in _deltas(message):
            logprobs = _logprobs(delta["content"]) if certain and delta.get("content") else None
            yield chunk([{"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": None}])
        yield chunk([{"index": choice, "delta": {}, "logprobs": None, "finish_reason": finish_reason}])
    if usage:
        yield chunk([], usage=usage)
    yield DONE


def _logprobs(text: str) -> JSON:
    """It is always certain."""
    return {"content": [{"token": word, "logprob": 0.0, "bytes": list(word.encode()), "top_logprobs": []} for word in _words(text)]}


def _deltas(message: JSON) -> Iterator[JSON]:
    yield {"role": "assistant", "content": ""}
    for word in _words(message["content"] or ""):
        yield {"content": word}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{"index": index, **call}]}
