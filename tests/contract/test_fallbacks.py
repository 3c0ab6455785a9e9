"""Routes of `gateway.toml` through the SDK: weights, what is tried next after which failure, and what the client is told."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.contract.money_support import Desk
from tests.contract.sdk_support import ask_all, only_record, sdk, text_of
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SERVED = openai_wire.plays_openai("Served after all")
TOO_LONG = Reply.json(400, openai_wire.error("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"))
REFUSED = Reply.json(400, openai_wire.error("Your request was rejected as a result of our safety system."))
BROKEN = Reply.json(500, openai_wire.error("It broke.", type="server_error"))


def fails(*models: str, reply: Reply):
    """Answers these models with `reply`, all others well."""
    return lambda call: reply if call.json["model"] in models else SERVED(call)


def models_called(calls: list[Call]) -> list[str]:
    return [call.json["model"] for call in calls]


@STREAM
@pytest.mark.parametrize(
    ("route", "reply", "called"),
    [
        ("falling-0", BROKEN, ["falling-0", "llama-3.3-70b-versatile"]),
        ("falling-1", Reply.html(502), ["falling-1", "llama-3.3-70b-versatile"]),
        ("falling-2", Reply.json(429, openai_wire.error(), {"retry-after": "60"}), ["falling-2", "llama-3.3-70b-versatile"]),
        ("falling-3", Reply.json(401, openai_wire.error()), ["falling-3", "llama-3.3-70b-versatile"]),
        ("falling-4", Reply.json(402, openai_wire.error()), ["falling-4", "llama-3.3-70b-versatile"]),
        (
            "falling-9",
            Reply.json(404, openai_wire.error("Gone.", code="DeploymentNotFound")),
            ["falling-9", "llama-3.3-70b-versatile"],
        ),
        ("falling-10", Reply.json(410, openai_wire.error("Gone.")), ["falling-10", "llama-3.3-70b-versatile"]),
        ("short", TOO_LONG, ["short", "gpt-4o-mini"]),
        ("prudish", REFUSED, ["prudish", "mistral-small-latest"]),
    ],
)
def test_the_next_target_answers(desk: Desk, key: str, upstream: FakeUpstream, route: str, reply: Reply, called, stream: bool):
    upstream.answers(fails(route, reply=reply))
    seen = len(upstream.calls)
    assert text_of(ask_all(sdk(desk, key), route, stream=stream)) == "Served after all"
    assert models_called(upstream.calls[seen:]) == called
    attempts = only_record(desk, key).detail["attempts"]
    assert [attempt["target"].partition("/")[2] for attempt in attempts] == called
    assert [attempt["status"] == 200 for attempt in attempts] == [False, True]


@STREAM
def test_a_stream_that_opens_with_an_error_is_no_answer_yet(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    """Nothing has left for the client, so the next target may still answer."""
    opening = Reply.sse([openai_wire.error("Overloaded.", code="overloaded", type="server_error")])
    upstream.answers(fails("falling-5", reply=opening if stream else Reply.json(200, openai_wire.error("Overloaded."))))
    assert text_of(ask_all(sdk(desk, key), "falling-5", stream=stream)) == "Served after all"


@STREAM
def test_other_refusals_are_final(client: openai.OpenAI, upstream: FakeUpstream, stream: bool):
    upstream.answers(Reply.json(400, openai_wire.error("No such parameter.")))
    seen = len(upstream.calls)
    with pytest.raises(openai.BadRequestError):
        ask_all(client, "short", stream=stream)
    assert models_called(upstream.calls[seen:]) == ["short"]


@STREAM
def test_when_nobody_answers_all_attempts_are_told(client: openai.OpenAI, upstream: FakeUpstream, stream: bool):
    upstream.answers(BROKEN, BROKEN, Reply.json(503, openai_wire.error("The last of them.", code="busy")))
    with pytest.raises(openai.InternalServerError, match=r"The last of them\.") as raised:
        ask_all(client, "falling-6", stream=stream)
    attempts: list[JSON] = raised.value.body["attempts"]
    assert raised.value.status_code == 503
    assert [attempt["status"] for attempt in attempts] == [500, 500, 503]
    assert [attempt["target"].partition("/")[0] for attempt in attempts] == ["hosted_vllm", "groq", "mistral"]


def test_targets_share_by_weight(client: openai.OpenAI, upstream: FakeUpstream):
    """Three to one: of 120 requests 90 are expected, give or take 30, which chance exceeds once in 10 million runs."""
    upstream.answers(SERVED)
    seen = len(upstream.calls)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask_all(client, "weighted", stream=False), range(120)))
    shares = Counter(models_called(upstream.calls[seen:]))
    assert 60 <= shares["heavy"] <= 118
    assert shares["heavy"] + shares["gpt-4o-mini"] == 120


@STREAM
def test_of_several_answers_only_those_that_are_missing_are_asked_for_again(
    desk: Desk, key: str, upstream: FakeUpstream, stream: bool
) -> None:
    """Anthropic gives one answer a call. A stream has the second after the first, whose beginning the client has by then."""
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "Hi"}]}
    answered = Reply.json(200, {**said, "stop_reason": "end_turn", "usage": {"input_tokens": 10, "output_tokens": 1}})
    upstream.answers(*(BROKEN, answered) if stream else (answered, answered, BROKEN), answered)
    seen = len(upstream.calls)
    made = ask_all(sdk(desk, key), "anthropic/claude-haiku-4-5", stream=stream, n=3)
    assert {choice.index for chunk in (made if stream else [made]) for choice in chunk.choices} == {0, 1, 2}
    assert len(upstream.calls) - seen == 4
    assert only_record(desk, key).cost_nanousd == 3 * (10 * 1_000 + 5_000)
