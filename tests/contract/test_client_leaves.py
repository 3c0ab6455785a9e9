"""Clients that close the connection: the provider is let go soon, and what was used until then is charged once."""

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from haimaker.upstream import relay
from tests.contract.money_support import Desk, chat_body, wait_until
from tests.contract.sdk_support import PROMPT, RETRIED, only_record, price
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Gate, Reply

CHUNKS = openai_wire.chunks(["Once ", "upon ", "a time"])
RELEASED_S = 3.0


@pytest.mark.parametrize("frame", [lambda reply: reply, Reply.framed_by_close], ids=["chunked", "closing"])
@pytest.mark.parametrize(("arrives", "half"), [(0, False), (3, False), (3, True)])
def test_a_client_that_leaves_a_stream(
    desk: Desk, key: str, upstream: FakeUpstream, arrives: int, half: bool, frame: Callable[[Reply], Reply]
):
    """The upstream is let go, and what came until then is charged."""
    gate = upstream.gate()
    upstream.answers(frame(Reply.sse([*CHUNKS[:arrives], gate, *CHUNKS[arrives:]])))
    leave(desk, key, after_events=arrives, stream=True, half=half)
    released(upstream, gate)
    desk.settled(key)
    record = only_record(desk, key)
    assert (record.status, record.detail["cost_estimated"]) == ("cut", True)
    assert (record.detail["http_status"], record.detail["error"]) == (499, "client_left")
    assert record.detail["output_tokens"] == (3 if arrives else 0)
    assert record.cost_nanousd == price(record.detail["input_tokens"], record.detail["output_tokens"]) == desk.money(key)[0]
    assert record.detail["input_tokens"] > 0


def body_after(reply: Reply, gate: Gate) -> Reply:
    return replace(reply, body=(gate, *reply.body))


@pytest.mark.parametrize(
    ("place", "half"),
    [
        (Reply.after, False),
        (Reply.after, True),
        (body_after, False),
        (lambda reply, gate: body_after(reply, gate).framed_by_close(), False),
    ],
    ids=["head", "head, only one side", "body", "closing"],
)
def test_a_client_that_leaves_a_whole_answer(
    desk: Desk, key: str, upstream: FakeUpstream, place: Callable[[Reply, Gate], Reply], half: bool
):
    gate = upstream.gate()
    upstream.answers(place(Reply.json(200, openai_wire.completion("Too late")), gate))
    leave(desk, key, after_events=0, stream=False, half=half)
    released(upstream, gate)
    desk.settled(key)
    record = only_record(desk, key)
    assert (record.status, record.detail["cost_estimated"]) == ("cut", True)
    assert (record.detail["http_status"], record.detail["error"]) == (499, "client_left")
    assert record.cost_nanousd == price(record.detail["input_tokens"], 0) == desk.money(key)[0] > 0


def leave(desk: Desk, key: str, *, after_events: int, stream: bool, half: bool = False) -> None:
    """Closes the connection after some events, or as soon as the provider has been asked. `half` closes only the client's side of
    it, and reads on, which servers and proxies take for leaving: https://github.com/golang/go/issues/18527"""
    seen = len(desk.upstream.calls)
    body, headers = json.dumps(chat_body(RETRIED, PROMPT, stream=stream)).encode(), {"authorization": f"Bearer {key}"}
    host, port = desk.url.split("/")[2].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("POST", "/v1/chat/completions", body, headers)
    desk.upstream.wait_for_calls(seen + 1)
    if after_events:
        answer = connection.getresponse()
        assert [answer.readline()[:5] for _ in range(after_events * 2)] == [b"data:", b"\n"] * after_events
        answer.close()
    if half:
        assert connection.sock
        connection.sock.shutdown(socket.SHUT_WR)
        while connection.sock.recv(1_000):
            pass
    connection.close()


def released(upstream: FakeUpstream, gate: Gate) -> None:
    """The gateway closes its call although the provider stays silent."""
    assert upstream.calls[-1].closed_by_client.wait(RELEASED_S)
    gate.open()


def test_a_client_that_leaves_while_comments_come(desk: Desk, key: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(relay.SILENCE_S, "events", 0.05)
    gate, headers = upstream.gate(), {"authorization": f"Bearer {key}"}
    upstream.answers(Reply.sse(CHUNKS).after(gate))
    with desk.http.stream("POST", "/chat/completions", json=chat_body(RETRIED, stream=True), headers=headers) as response:
        assert next(response.iter_text()).startswith(": waiting")
    released(upstream, gate)
    wait_until(lambda: len(desk.records(key)) == 1)
    assert only_record(desk, key).status == "cut"


ANTHROPIC = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
     "stop_reason": None, "usage": {"input_tokens": 321, "cache_read_input_tokens": 79, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Once upon a time there was"}},
]  # fmt: skip
GEMINI = [
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Once upon a time there was"}]}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 400, "cachedContentTokenCount": 79, "totalTokenCount": 400},
    },
    {"candidates": [{"content": {"role": "model", "parts": [{"text": " a"}]}, "index": 0}]},
]
BREAKING = {"anthropic/claude-sonnet-4-5": ANTHROPIC, "gemini/gemini-2.5-flash": GEMINI}
ASKING = {
    "/chat/completions": {"messages": [{"role": "user", "content": "a"}], "stream": True},
    "/messages": {"messages": [{"role": "user", "content": "a"}], "max_tokens": 50, "stream": True},
    "/responses": {"input": "a", "stream": True, "store": False},
    "/v1beta/models/{model}:streamGenerateContent": {"contents": [{"parts": [{"text": "a"}]}]},
}


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("model", BREAKING)
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "ended"])
def test_a_stream_that_breaks_off_is_charged_for_the_prompt_as_it_was_counted(
    desk: Desk, key: str, upstream: FakeUpstream, model: str, path: str, reset: bool
):
    """And for what came of the answer by an estimate."""
    events = [b"data: %b\n\n" % json.dumps(event).encode() for event in BREAKING[model]]
    upstream.answers(Reply.sse([*events, events[-1]], done=False).cut(after_events=len(events), reset=reset))
    body = {**ASKING[path], **({} if "{model}" in path else {"model": model})}
    answer = desk.http.post(path.replace("{model}", model), json=body, headers={"authorization": f"Bearer {key}"})
    assert "Once upon" in answer.text
    desk.settled(key)
    record = only_record(desk, key)
    assert record.status == "cut"
    assert (record.detail["input_tokens"], record.detail["cached_tokens"]) == (400, 79)
    assert 6 <= record.detail["output_tokens"] <= 12
    assert record.cost_nanousd == desk.money(key)[0] > 0
