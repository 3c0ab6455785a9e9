"""Generations that fail: before their first content the next target is asked, after it the reason reaches the client.

As each vendor says it, whole and streamed, to clients of each format.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import FAILING, only_record
from tests.support import event_messages, openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

HELLO = [{"role": "user", "content": "Hi"}]
GOOGLES: JSON = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
CLIENTS: Mapping[str, Callable[[str, bool], tuple[str, JSON]]] = {
    "chat": lambda model, stream: ("/chat/completions", {"model": model, "messages": HELLO, "stream": stream}),
    "responses": lambda model, stream: ("/responses", {"model": model, "input": "Hi", "stream": stream}),
    "messages": lambda model, stream: (
        "/messages",
        {"model": model, "messages": HELLO, "max_tokens": 100, "stream": stream},
    ),
    "gemini": lambda model, stream: (
        f"/models/{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}",
        GOOGLES,
    ),
}
READ, WROTE = 1_000, 10
"""Tokens that the failed generation used."""


@dataclass(frozen=True)
class Failure:
    """How a vendor says that a generation has failed."""

    target: str
    reason: str
    """What a client has to be told of it."""
    reply: Callable[[str, bool], Reply]
    """With the text that came before, whole or streamed."""
    is_counted: bool = True
    """Whether it says what was used."""

    def __str__(self) -> str:
        return f"{self.target} {self.reason}"


def in_openais(reason: str, **fields: Any) -> Callable[[str, bool], Reply]:
    def reply(text: str, stream: bool) -> Reply:
        usage = openai_wire.usage(READ, WROTE)
        if not stream:
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason, **fields}
            return Reply.json(200, {**openai_wire.completion(text, usage=usage), "choices": [choice]})
        pieces: list[JSON] = [{"role": "assistant", "content": ""}, *([{"content": text}] if text else [])]
        begun = [{"id": "c", "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
        end = {"index": 0, "delta": {"content": ""}, "finish_reason": reason, **fields}
        return Reply.sse([*begun, {"id": "c", "choices": [end], "usage": usage}])

    return reply


def openais_event(text: str, stream: bool) -> Reply:
    error = {"error": {"message": "Too many of you: server_is_overloaded.", "code": "server_is_overloaded"}}
    if not stream:
        return Reply.json(503, error)
    pieces: list[JSON] = [{"role": "assistant", "content": ""}, *([{"content": text}] if text else [])]
    begun = [{"id": "c", "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
    return Reply.sse([*begun, error], done=False)


def anthropics(text: str, stream: bool) -> Reply:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    if not stream:
        return Reply.json(529, error)
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": None}
    events: list[JSON] = [{"type": "message_start", "message": {**message, "usage": {"input_tokens": READ, "output_tokens": 0}}}]
    if text:
        events.append({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        events.append({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
    return Reply.sse([*events, error], done=False)


def googles(reason: str) -> Callable[[str, bool], Reply]:
    def reply(text: str, stream: bool) -> Reply:
        used = {"promptTokenCount": READ, "candidatesTokenCount": WROTE, "totalTokenCount": READ + WROTE}
        said = {"content": {"role": "model", "parts": [{"text": text}] if text else []}, "index": 0}
        end = {"candidates": [{"content": {}, "finishReason": reason, "index": 0}], "usageMetadata": used}
        if not stream:
            return Reply.json(200, {**end, "candidates": [{**said, "finishReason": reason}]})
        return Reply.sse([*([{"candidates": [said]}] if text else []), end], done=False)

    return reply


def converses(text: str, stream: bool) -> Reply:
    usage = {"inputTokens": READ, "outputTokens": WROTE, "totalTokens": READ + WROTE}
    content = [{"text": text}] if text else []
    if not stream:
        said = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "malformed_tool_use"}
        return Reply.json(200, {**said, "usage": usage, "metrics": {"latencyMs": 7}})
    events: list[tuple[str, JSON]] = [("messageStart", {"role": "assistant"})]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": block}) for block in content]
    events += [("messageStop", {"stopReason": "malformed_tool_use"}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 7}})]
    return Reply.raw(200, event_messages.stream(events), {"content-type": "application/vnd.amazon.eventstream"})


def coheres(text: str, stream: bool) -> Reply:
    usage = {"tokens": {"input_tokens": READ, "output_tokens": WROTE}}
    end = {"finish_reason": "ERROR", "usage": usage, "error": "The GPU is gone."}
    content = [{"type": "text", "text": text}] if text else []
    if not stream:
        return Reply.json(200, {"id": "c", "message": {"role": "assistant", "content": content}, **end})
    events: list[JSON] = [{"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}}]
    events += [{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}} for text in [text] if text]
    return Reply.sse([*events, {"type": "message-end", "delta": end}], done=False)


def responses(text: str, stream: bool) -> Reply:
    usage = {"input_tokens": READ, "output_tokens": WROTE, "total_tokens": READ + WROTE}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "m", "type": "message", "role": "assistant", "status": "incomplete", "content": [part]}
    error = {"code": "server_error", "message": IN_RESPONSES}
    head = {"id": "resp_1", "object": "response", "created_at": 1_763_700_000, "model": "m"}
    failed = {**head, "status": "failed", "error": error, "output": [item] if text else [], "usage": usage}
    if not stream:
        return Reply.json(200, failed)
    events: list[JSON] = [{"type": "response.created", "response": {**head, "status": "in_progress", "output": []}}]
    if text:
        where = {"item_id": "m", "output_index": 0}
        events.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
        events.append({"type": "response.output_text.delta", **where, "content_index": 0, "delta": text, "logprobs": []})
    return Reply.sse([*events, {"type": "response.failed", "response": failed}], done=False)


IN_RESPONSES = "An error occurred while the model wrote."


FAILURES = [
    Failure("together_ai/moonshotai/Kimi-K2.6", "server_is_overloaded", openais_event, is_counted=False),
    Failure("openai/gpt-5.5-pro", IN_RESPONSES, responses),
    Failure("anthropic/claude-opus-5-5", "Overloaded", anthropics, is_counted=False),
    Failure("gemini/gemini-3.1-pro-preview", "MALFORMED_FUNCTION_CALL", googles("MALFORMED_FUNCTION_CALL")),
    Failure("vertex_ai/gemini-3.1-pro-preview", "TOO_MANY_TOOL_CALLS", googles("TOO_MANY_TOOL_CALLS")),
    Failure("bedrock/us.anthropic.claude-opus-5-5", "malformed_tool_use", converses),
    Failure("cohere/command-a-reasoning-08-2025", "The GPU is gone.", coheres),
    Failure("mistral/mistral-medium-2604", "failed", in_openais("error")),
    Failure("deepseek/deepseek-v4-pro", "insufficient_system_resource", in_openais("insufficient_system_resource")),
    Failure("zai/glm-5.1", "network_error", in_openais("network_error")),
    Failure("openrouter/z-ai/glm-5.1", "MALFORMED", in_openais("error", native_finish_reason="MALFORMED")),
]
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def plays(failure: Failure, text: str) -> Any:
    def reply(call: Call) -> Reply:
        if call.path.endswith("chat/completions") and call.json.get("model") == "any":
            return openai_wire.plays_openai("Fine.", usage=openai_wire.usage(3, 1))(call)
        streams = "stream" in call.path.lower() or bool(call.json.get("stream"))
        in_its_format = responses if call.path.endswith("/responses") else failure.reply
        return in_its_format(text, streams)

    return reply


@pytest.fixture
def route(desk: Desk, failure: Failure) -> Iterator[str]:
    """A route whose first target is the one that fails, and which has a fallback. It has just served, so that one failure of it is
    no other process's business, from which it would come back."""
    breaker = desk.gateway.runtime().clients.health.breaker
    breaker.record_success(failure.target, time.time())
    yield next(name for name, target in FAILING.items() if target == failure.target)
    breaker.record_success(failure.target, time.time())


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("failure", FAILURES, ids=str)
@WAYS
def test_before_the_first_content_the_next_target_is_asked(
    desk: Desk, key: str, upstream: FakeUpstream, route: str, failure: Failure, client: str, stream: bool
) -> None:
    """And what the generation that failed has used is charged, where its provider says so."""
    upstream.answers(plays(failure, ""))
    path, body = CLIENTS[client](route, stream)
    response = desk.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    assert "Fine." in response.text
    assert failure.reason not in response.text
    detail = only_record(desk, key).detail
    failed, fine = detail["attempts"]
    assert (failed["target"], fine["status"]) == (failure.target, 200)
    assert failed["status"] >= 500
    assert detail["input_tokens"] == 3 + (READ if failure.is_counted else 0)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_after_the_first_content_its_reason_reaches_the_client(
    desk: Desk, key: str, upstream: FakeUpstream, route: str, failure: Failure, client: str
) -> None:
    upstream.answers(plays(failure, "Half"))
    path, body = CLIENTS[client](route, True)
    response = desk.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    assert "Half" in response.text
    told = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    errors = [each for each in told if each.get("error") or each.get("type") in ("error", "response.failed")]
    is_native = client == "gemini" and "gemini" in failure.target
    assert bool(errors) != is_native
    reason = IN_RESPONSES if any(call.path.endswith("/responses") for call in upstream.calls[-1:]) else failure.reason
    assert reason in json.dumps(told[-1] if is_native else errors)
    assert "[DONE]" not in response.text
    detail = only_record(desk, key).detail
    if failure.is_counted:
        assert (detail["input_tokens"], detail["output_tokens"], detail["cost_estimated"]) == (READ, WROTE, False)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("failure", [each for each in FAILURES if each.is_counted], ids=str)
def test_a_whole_answer_that_failed_is_none(
    desk: Desk, key: str, upstream: FakeUpstream, route: str, failure: Failure, client: str
) -> None:
    """Whatever there is of it: the client has got nothing yet. But for Google's clients, who are told as Google does."""
    upstream.answers(plays(failure, "Half"))
    path, body = CLIENTS[client](route, False)
    response = desk.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    is_native = client == "gemini" and "gemini" in failure.target
    assert ("Fine." in response.text, "Half" in response.text) == (not is_native, is_native)
    assert (failure.reason in response.text) == is_native
