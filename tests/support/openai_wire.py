"""Answers as OpenAI sends them, for a FakeUpstream to play.

https://platform.openai.com/docs/api-reference/chat/object and .../chat/streaming. Values are made up, shapes are not.
"""

from collections.abc import Callable, Sequence

from tests.support.fake_upstream import Call, Reply
from tests.support.reply import JSON

MODEL = "gpt-4o-mini-2024-07-18"
HEADERS = {"x-request-id": "req_0123456789abcdef", "openai-processing-ms": "12", "openai-version": "2020-10-01"}


def usage(prompt: int = 10, completion: int = 5, *, cached: int = 0, reasoning: int = 0, audio: int = 0) -> JSON:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": audio,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def tool_call(name: str = "get_weather", arguments: str = '{"city":"Zürich"}', id: str = "call_1") -> JSON:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(
    text: str | None = "Hello!",
    *,
    usage: JSON | None = None,
    finish_reason: str | None = None,
    tool_calls: Sequence[JSON] = (),
    **over: object,
) -> JSON:
    """A whole answer with one choice; `over` replaces or adds fields at the top."""
    message: JSON = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if tool_calls:
        message |= {"content": None, "tool_calls": list(tool_calls)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason or _finish_reason(tool_calls)}
    return _answer("chat.completion", [choice]) | {"usage": usage or _usage()} | over


def chunks(
    pieces: Sequence[str] = ("Hel", "lo!"),
    *,
    usage: JSON | None = None,
    finish_reason: str | None = None,
    tool_calls: Sequence[JSON] = (),
    **over: object,
) -> list[JSON]:
    """The events of a stream: the role, a chunk per piece, the tool calls with arguments in two halves, the finish
    reason and, only if `usage` is given (as when `include_usage` was asked), usage without choices."""
    deltas: list[JSON] = [{"role": "assistant", "content": None if tool_calls else "", "refusal": None}]
    deltas += [{"content": piece} for piece in pieces if not tool_calls]
    for index, call in enumerate(tool_calls):
        deltas += _tool_deltas(index, call)
    finishes = [None] * len(deltas) + [finish_reason or _finish_reason(tool_calls)]
    events = [_chunk(delta, finish) | over for delta, finish in zip([*deltas, {}], finishes, strict=True)]
    if usage is None:
        return events
    return [event | {"usage": None} for event in events] + [_answer("chat.completion.chunk", []) | over | {"usage": usage}]


def error(message: str = "Something is wrong.", *, type: str = "invalid_request_error", code: str | None = None) -> JSON:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def plays_openai(text: str = "Hello!", *, usage: JSON | None = None, pace_s: float = 0.0) -> Callable[[Call], Reply]:
    """Answers a call as OpenAI would: whole or streamed, a chunk per word, with usage only where it was asked."""
    counts = usage or _usage()

    def answer(call: Call) -> Reply:
        request = call.json
        if not request.get("stream"):
            return Reply.json(200, completion(text, usage=counts), HEADERS)
        asked = (request.get("stream_options") or {}).get("include_usage")
        words = [word + " " for word in text.split(" ")]
        words[-1] = words[-1][:-1]
        return Reply.sse(chunks(words, usage=counts if asked else None), pace_s=pace_s, headers=HEADERS)

    return answer


_usage = usage


def _answer(object: str, choices: list[JSON]) -> JSON:
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": object,
        "created": 1_741_569_952,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        "choices": choices,
    }


def _chunk(delta: JSON, finish_reason: str | None) -> JSON:
    return _answer("chat.completion.chunk", [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])


def _tool_deltas(index: int, call: JSON) -> list[JSON]:
    arguments = call["function"]["arguments"]
    middle = len(arguments) // 2
    opening = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
    parts = [{"index": index, "function": {"arguments": part}} for part in (arguments[:middle], arguments[middle:])]
    return [{"tool_calls": [part]} for part in (opening, *parts)]


def _finish_reason(tool_calls: Sequence[JSON]) -> str:
    return "tool_calls" if tool_calls else "stop"
