"""Providers that think for long: the connection is kept alive with what clients skip, and nothing is lost by it."""

import json
from typing import Any

import openai
import pytest

from tests.contract.money_support import Desk, chat_body
from tests.contract.sdk_support import RETRIED, ask, joined, sdk, text_of
from tests.support import openai_wire, silence
from tests.support.fake_upstream import FakeUpstream, Gate, Reply

CHUNKS = openai_wire.chunks(["Once ", "upon ", "a time"])
BUSY = openai_wire.error("The server is busy.", code="busy", type="server_error")

pytestmark = pytest.mark.usefixtures("soon_silent")


@pytest.fixture
def soon_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    silence.shorten(monkeypatch, 0.05)


def read_while_silent(desk: Desk, key: str, gate: Gate, filling: str, **body: Any) -> str:
    """All of an answer, whose provider goes on once so much of it has come."""
    text = ""
    headers = {"authorization": f"Bearer {key}"}
    with desk.http.stream("POST", "/chat/completions", json=chat_body(RETRIED, **body), headers=headers) as response:
        assert response.status_code == 200
        for piece in response.iter_text():
            text += piece
            if filling in text:
                gate.open()
    return text


def test_a_silent_stream_starts_with_comments(desk: Desk, key: str, upstream: FakeUpstream):
    gate = upstream.gate()
    upstream.answers(Reply.sse(CHUNKS).after(gate))
    text = read_while_silent(desk, key, gate, ": waiting\n\n" * 2, stream=True)
    comments, _, events = text.partition("data: ")
    assert set(comments.split(": waiting\n\n")) == {""}
    assert comments.count(": waiting") >= 2
    assert events.endswith("data: [DONE]\n\n")
    with ask(sdk(desk, key), RETRIED, stream=True) as chunks:
        assert "".join(joined(chunks)) == "Once upon a time"


def test_comments_fill_the_silence_inside_a_stream(desk: Desk, key: str, upstream: FakeUpstream):
    gate = upstream.gate()
    upstream.answers(Reply.sse([*CHUNKS[:2], gate, *CHUNKS[2:]]))
    text = read_while_silent(desk, key, gate, "}\n\n: waiting\n\n", stream=True)
    assert text.replace(": waiting\n\n", "").startswith("data: ")
    events = [json.loads(part[6:]) for part in text.split("\n\n") if part.startswith("data: {")]
    assert events == CHUNKS


def test_an_error_after_comments_is_an_event(desk: Desk, key: str, upstream: FakeUpstream):
    gate = upstream.gate()
    upstream.answers(Reply.json(400, BUSY).after(gate))
    with ask(sdk(desk, key), RETRIED, stream=True) as chunks:
        gate.open()  # a comment has come, else there was no answer yet
        with pytest.raises(openai.APIError) as raised:
            next(iter(chunks))
    assert (type(raised.value), raised.value.code) == (openai.APIError, "busy")
    assert desk.money(key) == (0, 0, 0)


def test_after_comments_another_try_may_still_answer(desk: Desk, key: str, upstream: FakeUpstream):
    gate = upstream.gate()
    upstream.answers(Reply.json(500, BUSY).after(gate), Reply.sse(CHUNKS))
    with ask(sdk(desk, key), RETRIED, stream=True) as chunks:
        gate.open()
        assert "".join(joined(chunks)) == "Once upon a time"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(200, openai_wire.completion("At last"), "At last"), (400, BUSY, "The server is busy.")],
    ids=["answer", "error"],
)
def test_white_space_fills_a_whole_silence(desk: Desk, key: str, upstream: FakeUpstream, status: int, body, expected: str):
    gate = upstream.gate()
    upstream.answers(Reply.json(status, body).after(gate))
    text = read_while_silent(desk, key, gate, "   ")
    assert text.startswith("   ")
    assert expected in json.dumps(json.loads(text))
    if status == 200:
        assert text_of(ask(sdk(desk, key), RETRIED)) == expected
