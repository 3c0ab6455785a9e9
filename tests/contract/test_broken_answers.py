"""Answers that begin and do not end well: what the SDK raises, what the client still gets, and what it is charged."""

import json
from dataclasses import dataclass

import openai
import pytest

from haimaker.upstream import relay
from tests.contract.money_support import Desk
from tests.contract.sdk_support import (
    IMPATIENT,
    IMPATIENT_S,
    PROMPT,
    RETRIED,
    ask,
    ask_all,
    joined,
    only_record,
    price,
    sdk,
    text_of,
)
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Pause, Reply
from tests.unit.adapters.folding import fold

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
CHUNKS = openai_wire.chunks(["Once ", "upon ", "a time"])
WITH_USAGE = openai_wire.chunks(["Once ", "upon ", "a time"], usage=openai_wire.usage(10, 3))
BUSY = openai_wire.error("The server is busy.", code="busy", type="server_error")
LATE = Pause(IMPATIENT_S * 4)


def streamed(*events: object, done: bool = False) -> Reply:
    return Reply.sse(events, done=done)


@dataclass(frozen=True)
class Cut:
    """A stream that breaks after `arrives` has come."""

    name: str
    reply: Reply
    code: str
    route: str = RETRIED
    arrives: str = "Once upon "

    def __str__(self) -> str:
        return self.name


CUTS = [
    Cut("closed", streamed(*CHUNKS).cut(after_events=3), "provider_connection_lost"),
    Cut("reset", streamed(*CHUNKS).cut(after_events=3, reset=True), "provider_connection_lost"),
    Cut("ended politely", streamed(*CHUNKS[:3]), "stream_interrupted"),
    Cut("error event", streamed(*CHUNKS[:3], BUSY), "busy"),
    Cut("error as text", streamed(*CHUNKS[:3], {"error": "The server is busy."}), "bad_gateway"),
    Cut("half a JSON", streamed(*CHUNKS[:3], b'data: {"choices":[{"delta":\n\n', *CHUNKS[3:]), "stream_interrupted"),
    Cut("not an object", streamed(*CHUNKS[:3], b"data: 7\n\n", *CHUNKS[3:]), "stream_interrupted"),
    Cut("not UTF-8", streamed(*CHUNKS[:3], b'data: {"a":"\xff\xfe"}\n\n', *CHUNKS[3:]), "stream_interrupted"),
    Cut("silent", streamed(*CHUNKS[:3], LATE, *CHUNKS[3:]), "provider_timeout", IMPATIENT),
    Cut("endless comments", streamed(*CHUNKS[:3], *([b": on my way\n\n", Pause(0.05)] * 60)), "timeout", IMPATIENT),
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_stream_that_breaks_off(desk: Desk, key: str, upstream: FakeUpstream, cut: Cut):
    """The answer has begun, so that there is neither another try nor another status; what came is charged."""
    upstream.answers(cut.reply)
    seen, got = len(upstream.calls), []
    with pytest.raises(openai.APIError) as raised, ask(sdk(desk, key), cut.route, stream=True) as chunks:
        got.extend(chunks)
    assert (type(raised.value), raised.value.code) == (openai.APIError, cut.code)
    assert "".join(joined(got)) == cut.arrives
    assert len(upstream.calls) == seen + 1
    record = only_record(desk, key)
    assert (record.status, record.detail["cost_estimated"]) == ("cut", True)
    assert record.cost_nanousd == price(record.detail["input_tokens"], -(-len(cut.arrives) // 4)) == desk.money(key)[0]
    assert record.detail["input_tokens"] > len(PROMPT) // 4


def test_a_broken_stream_has_one_error_event_and_no_end(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(CUTS[0].reply)
    text = desk.chat(key, RETRIED, stream=True).text
    *_, last, end = text.split("\n\n")
    error = json.loads(last.removeprefix("data: "))
    assert (error.keys(), end, "[DONE]" in text, text.count('"error":')) == ({"error"}, "", False, 1)
    assert error["error"].keys() == {"message", "type", "param", "code"}
    assert upstream.url.split("/")[2] not in text


@pytest.mark.parametrize(
    "reply",
    [streamed(*WITH_USAGE).cut(after_events=5), streamed(*CHUNKS, WITH_USAGE[-1]).cut(after_events=5)],
    ids=["before its usage", "after its finish"],
)
def test_a_stream_that_is_cut_when_all_was_said(desk: Desk, key: str, upstream: FakeUpstream, reply: Reply):
    upstream.answers(reply)
    with pytest.raises(openai.APIError), ask(sdk(desk, key), RETRIED, stream=True) as chunks:
        assert "".join(joined(chunks)) == "Once upon a time"
    assert only_record(desk, key).detail["output_tokens"] == 4


FALSE_STARTS = [
    ("closed", streamed(*CHUNKS).cut(after_events=0)),
    ("reset", streamed(*CHUNKS).cut(after_events=0, reset=True)),
    ("empty", streamed()),
    ("only done", streamed(done=True)),
    ("only comments", streamed(b": hello\n\n", b": bye\n\n")),
    ("an error", streamed(BUSY)),
    ("nonsense", streamed(b"data: {{{\n\n", *CHUNKS)),
]


@pytest.mark.parametrize("reply", [reply for _, reply in FALSE_STARTS], ids=[name for name, _ in FALSE_STARTS])
def test_a_stream_that_never_starts_is_tried_again(desk: Desk, key: str, upstream: FakeUpstream, reply: Reply):
    upstream.answers(reply, streamed(*WITH_USAGE, done=True))
    with ask(sdk(desk, key), RETRIED, stream=True) as chunks:
        assert "".join(joined(chunks)) == "Once upon a time"
    assert [attempt["status"] for attempt in only_record(desk, key).detail["attempts"]] == [502, 200]
    assert only_record(desk, key).detail["output_tokens"] == 3


@pytest.mark.parametrize("reply", [reply for _, reply in FALSE_STARTS], ids=[name for name, _ in FALSE_STARTS])
def test_a_stream_that_never_starts_keeps_a_status(client: openai.OpenAI, upstream: FakeUpstream, reply: Reply):
    upstream.answers(reply)
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client, RETRIED, stream=True)
    assert raised.value.status_code == 502
    assert len(raised.value.body["attempts"]) == 2


@STREAM
@pytest.mark.parametrize("waits", ["before headers", "before the body"])
def test_a_provider_that_is_too_slow(desk: Desk, key: str, upstream: FakeUpstream, waits: str, stream: bool):
    """It may have worked on the prompt, and no second try would fit into the time that the client has."""
    good = (
        streamed(*CHUNKS, done=True) if stream else Reply.raw(200, b"", {"content-length": "9", "content-type": "application/json"})
    )
    upstream.answers(good.after(LATE) if waits == "before headers" else slow_body(good))
    seen = len(upstream.calls)
    with pytest.raises(openai.InternalServerError) as raised:
        ask(sdk(desk, key), IMPATIENT, stream=stream)
    assert (raised.value.status_code, raised.value.code, raised.value.type) == (504, "provider_timeout", "timeout_error")
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == seen + 1
    record = only_record(desk, key)
    assert (record.detail["cost_estimated"], record.detail["output_tokens"]) == (True, 0)
    assert record.cost_nanousd == price(record.detail["input_tokens"], 0) == desk.money(key)[0]


def slow_body(reply: Reply) -> Reply:
    return Reply(reply.head, (LATE, *reply.body), chunked=reply.chunked)


@STREAM
def test_a_trickle_is_an_answer(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    short = {
        "id": "x",
        "choices": [{"index": 0, "message": {"content": "Drip"}, "delta": {"content": "Drip"}, "finish_reason": "stop"}],
    }
    reply = streamed(short, done=True) if stream else Reply.json(200, short)
    upstream.answers(reply.trickled(0.002))
    answer = ask(sdk(desk, key), RETRIED, stream=stream)
    assert text_of(list(answer) if stream else answer) == "Drip"


@STREAM
def test_a_trickle_ends_at_the_deadline(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    """Each wait for a byte is short; all of them together are not."""
    text = ["word "] * 40
    reply = streamed(*openai_wire.chunks(text), done=True) if stream else Reply.json(200, openai_wire.completion("".join(text)))
    upstream.answers(reply.split(40).trickled(0.05) if not stream else Reply.sse(openai_wire.chunks(text), pace_s=0.1))
    with pytest.raises(openai.APIError) as raised:
        ask_all(sdk(desk, key), IMPATIENT, stream=stream)
    assert raised.value.code in ("provider_timeout", "timeout")
    desk.settled(key)
    assert desk.money(key)[0] == only_record(desk, key).cost_nanousd > 0


def test_a_client_that_reads_patiently_gets_all_of_a_long_stream(desk: Desk, key: str, upstream: FakeUpstream):
    """An SDK's timeout is for one read: it bounds the silence before a stream, not the stream."""
    text = ["word "] * 12
    upstream.answers(Reply.sse(openai_wire.chunks(text), pace_s=0.2))
    assert text_of(ask_all(sdk(desk, key, timeout=1), stream=True)) == "".join(text)


@pytest.mark.parametrize(
    ("header", "grace_s"),
    [("x-stainless-read-timeout", 1.0), ("x-stainless-timeout", -0.3)],
    ids=["python, the call sees it first", "node, who waits for it sees it first"],
)
@STREAM
def test_a_client_that_says_how_long_it_waits_is_answered_before(
    desk: Desk, key: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, header: str, grace_s: float, stream: bool
):
    monkeypatch.setattr(relay, "GRACE_S", grace_s)
    upstream.answers((streamed(*CHUNKS, done=True) if stream else Reply.json(200, openai_wire.completion("Hi"))).after(LATE))
    with pytest.raises(openai.InternalServerError) as raised:
        ask(sdk(desk, key, timeout=None), stream=stream, extra_headers={header: "1"})
    assert (raised.value.status_code, raised.value.response.headers["x-should-retry"]) == (504, "false")
    assert only_record(desk, key).status == "error"


def test_what_is_of_no_use_but_says_what_it_used_is_paid_for(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(Reply.json(200, {"choices": None, "usage": openai_wire.usage(100, 20)}))
    seen = len(upstream.calls)
    with pytest.raises(openai.InternalServerError):
        ask(sdk(desk, key), RETRIED)
    assert len(upstream.calls) - seen == 2
    record = only_record(desk, key)
    assert (record.detail["input_tokens"], record.detail["output_tokens"]) == (200, 40)
    assert record.cost_nanousd == price(200, 40) == desk.money(key)[0]


def test_a_whole_answer_to_who_asked_for_a_stream_is_one(desk: Desk, key: str, upstream: FakeUpstream):
    calls = [{"id": f"call_{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for at in range(2)]
    answer = openai_wire.completion(tool_calls=calls, usage=openai_wire.usage(100, 20))
    upstream.answers(Reply.json(200, answer))
    chunks = ask_all(sdk(desk, key), RETRIED, stream=True, stream_options={"include_usage": True})
    folded = fold([chunk.model_dump(exclude_unset=True) for chunk in chunks])
    assert folded["choices"][0]["message"] == {"role": "assistant", "tool_calls": calls}
    assert folded["choices"][0]["finish_reason"] == answer["choices"][0]["finish_reason"]
    assert chunks[-1].usage.prompt_tokens == only_record(desk, key).detail["input_tokens"] == 100
    assert desk.money(key)[0] == price(100, 20)


def test_choices_that_end_without_a_finish_get_one(desk: Desk, key: str, upstream: FakeUpstream):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    deltas = [{"role": "assistant", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]
    begun = [{"id": "x", "choices": [{"index": at, "delta": delta, "finish_reason": None}]} for at, delta in enumerate(deltas)]
    upstream.answers(streamed(*begun, done=True))
    chunks = ask_all(sdk(desk, key), RETRIED, stream=True, n=2)
    ends = [(choice.index, choice.finish_reason) for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ends) == [(0, "stop"), (1, "tool_calls")]


@pytest.mark.parametrize("end", [b"data: [DONE] \n\n", b"data:\n\ndata: [DONE]\n\n"], ids=["a space", "an empty event"])
def test_small_oddities_at_the_end_are_no_error(desk: Desk, key: str, upstream: FakeUpstream, end: bytes):
    upstream.answers(streamed(*CHUNKS, end))
    assert text_of(ask_all(sdk(desk, key), stream=True)) == "Once upon a time"
