"""A whole answer as the chunks of a stream, for a client that wants one from a provider that gave none. Pure.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

from collections.abc import Iterator
from typing import Any

from haimaker.http.values import JSON, StreamEvent

OBJECT = {"chat.completion": "chat.completion.chunk"}


def text_chunks(body: JSON) -> Iterator[StreamEvent]:
    """The events of a whole answer: of each choice what it says and then its end, the usage last."""
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    head["object"] = OBJECT.get(body["object"], body["object"])
    for choice in body["choices"]:
        yield from (StreamEvent({**head, "choices": [part]}) for part in _parts(choice))
    if body.get("usage"):
        yield StreamEvent({**head, "choices": [], "usage": body["usage"]})


def _parts(choice: JSON) -> Iterator[JSON]:
    message = choice.get("message")
    if not isinstance(message, dict):
        yield choice
        return
    rest = {name: value for name, value in choice.items() if name != "message"}
    delta = {name: _number_items(value) for name, value in message.items()}
    yield {**rest, "delta": delta, "finish_reason": None}
    yield {"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}


def _number_items(value: Any) -> Any:
    """A list with an index in each item, by which clients join the pieces of one."""
    if not isinstance(value, list):
        return value
    return [{**item, "index": at} if isinstance(item, dict) else item for at, item in enumerate(value)]
