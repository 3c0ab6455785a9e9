"""What a provider answers instead of an answer: the SDK's exception, what is retried, what is told, and what it costs.

One table, each row for whole and streamed requests. The route tries twice, so a row whose failure may pass makes two calls.
"""

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import openai
import pytest

from haimaker.upstream import relay
from tests.contract.money_support import Desk, chat_body, error_of
from tests.contract.sdk_support import (
    MODEL,
    PROMPT,
    RETRIED,
    UNREACHABLE,
    UNRESOLVABLE,
    UPSTREAM_KEY,
    ask_all,
    counted,
    only_record,
    price,
    sdk,
    text_of,
)
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

PROVIDER = "hosted_vllm"
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
AZURE_FILTER = {
    "error": {
        "message": "The response was filtered.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }
}
TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "Prompt contains 70000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens.",
    "Please reduce the length of the messages or completion.",
    "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 4000 `inputs` tokens and 1000 `max_new_tokens`",
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "Input tokens exceed the configured limit of 272000 tokens.",
)


@dataclass(frozen=True)
class Row:
    name: str
    reply: Reply
    error: type[openai.APIStatusError]
    status: int
    code: str | None
    attempts: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of `retry-after` and `x-should-retry`: exactly these."""
    says: str = ""
    type: str = ""
    streamed_code: str | None = None
    """Where it is another one than `code`."""
    calls: int | None = None
    """Where they are more than the attempts: a kept connection that ends without a word may have been stale, and is replaced."""

    def __str__(self) -> str:
        return self.name


def said(status: int, message: str = "It says why.", code: str | None = None, type: str = "some_error", **headers: str) -> Reply:
    return Reply.json(
        status, openai_wire.error(message, code=code, type=type), {n.replace("_", "-"): v for n, v in headers.items()}
    )


def ok(text: str | bytes, kind: str = "application/json") -> Reply:
    return Reply.raw(200, text if isinstance(text, bytes) else text.encode(), {"content-type": kind})


BAD, SERVER = openai.BadRequestError, openai.InternalServerError
NO_RETRY = {"x-should-retry": "false"}
INVALID = {"code": "invalid_provider_response", "status": 502, "error": SERVER, "attempts": 2}
ROWS = [
    Row("400", said(400, code="bad_thing"), BAD, 400, "bad_thing", says="It says why", type="invalid_request_error"),
    Row("400 without code", said(400, type="invalid_request_error"), BAD, 400, None, says="It says why"),
    Row("400 as text", Reply.raw(400, b"no"), BAD, 400, None, says="no"),
    *(Row(f"too long: {text[:20]}", said(400, text), BAD, 400, "context_length_exceeded", says=text) for text in TOO_LONG),
    Row("too long by code", said(400, code="context_length_exceeded"), BAD, 400, "context_length_exceeded"),
    Row("filtered by Azure", Reply.json(400, AZURE_FILTER), BAD, 400, "content_policy_violation", says="filtered"),
    Row("refused", said(400, "rejected as a result of our safety system"), BAD, 400, "content_policy_violation"),
    Row(
        "401",
        said(401),
        SERVER,
        502,
        "provider_auth_failed",
        headers=NO_RETRY,
        says=f"{PROVIDER} refused the gateway's credentials",
    ),
    Row("402", said(402), openai.APIStatusError, 402, "some_error", headers=NO_RETRY, type="insufficient_quota"),
    Row(
        "403",
        said(403),
        SERVER,
        502,
        "provider_auth_failed",
        headers=NO_RETRY,
        says=f"{PROVIDER} refused the gateway's credentials",
    ),
    Row("403 for policy", said(403, code="content_policy_violation"), BAD, 400, "content_policy_violation"),
    Row("403 for a model", said(403, code="model_not_found"), openai.PermissionDeniedError, 403, "model_not_found"),
    Row("404", said(404, code="model_not_found"), openai.NotFoundError, 404, "model_not_found"),
    Row("408", said(408), openai.APIStatusError, 408, "some_error", 2, type="timeout_error"),
    Row("409", said(409), openai.ConflictError, 409, "some_error"),
    Row("413", said(413), openai.APIStatusError, 413, "some_error"),
    Row("418", said(418), openai.APIStatusError, 418, "some_error", type="invalid_request_error"),
    Row("422", said(422), openai.UnprocessableEntityError, 422, "some_error"),
    Row("422 too long", said(422, TOO_LONG[4]), BAD, 400, "context_length_exceeded"),
    Row("429", said(429), openai.RateLimitError, 429, "some_error", 2, type="rate_limit_error"),
    Row("429 long", said(429, retry_after="77"), openai.RateLimitError, 429, "some_error", headers={"retry-after": "77"}),
    Row("429 in ms", said(429, retry_after_ms="76001"), openai.RateLimitError, 429, "some_error", headers={"retry-after": "77"}),
    Row("429 short", said(429, retry_after="0"), openai.RateLimitError, 429, "some_error", 2, headers={"retry-after": "0"}),
    Row("429 at once", said(429, retry_after_ms="10"), openai.RateLimitError, 429, "some_error", 2, headers={"retry-after": "1"}),
    Row("429 strange", said(429, retry_after="soon"), openai.RateLimitError, 429, "some_error", 2),
    Row(
        "429 no quota",
        said(429, code="insufficient_quota"),
        openai.RateLimitError,
        429,
        "insufficient_quota",
        headers=NO_RETRY,
        type="insufficient_quota",
    ),
    Row("500", said(500), SERVER, 500, "some_error", 2, type="server_error", says="It says why"),
    Row("501", said(501), SERVER, 501, "some_error", 2),
    Row(
        "502 in HTML",
        Reply.html(502),
        SERVER,
        502,
        "bad_gateway",
        2,
        says=f"{PROVIDER} answered with status 502 and no explanation",
    ),
    Row("503", said(503, retry_after="99"), SERVER, 503, "some_error", headers={"retry-after": "99"}),
    Row("529", said(529), SERVER, 529, "some_error", 2, type="overloaded_error"),
    Row("599", said(599), SERVER, 599, "some_error", 2),
    Row("302", Reply.raw(302, b"", {"location": "http://elsewhere.invalid"}), SERVER, 502, "bad_gateway", 2),
    Row("200 in HTML", Reply.html(200), **INVALID, streamed_code="stream_interrupted"),
    Row("200 and nothing", ok(""), **INVALID),
    Row("200 and a list", ok("[]"), **INVALID),
    Row("200 without choices", ok('{"id":"x"}'), SERVER, 502, "bad_gateway", 2),
    Row("200 and an error", ok(json.dumps(openai_wire.error("Too busy"))), SERVER, 502, "bad_gateway", 2, says="Too busy"),
    Row(
        "200 and a 429",
        ok('{"error":{"message":"Slow down","code":429}}'),
        openai.RateLimitError,
        429,
        "rate_limit_exceeded",
        2,
        says="Slow down",
    ),
    Row("200 and a 400", ok('{"error":{"message":"Bad","code":400}}'), BAD, 400, None, says="Bad"),
    Row("200 and a text", ok('{"error":"CUDA out of memory"}'), SERVER, 502, "bad_gateway", 2, says="CUDA out of memory"),
    Row("hangs up", Reply.hangup(), SERVER, 502, "provider_connection_lost", 2, calls=4, says=f"{PROVIDER} closed the connection"),
    Row("resets", Reply.hangup(reset=True), SERVER, 502, "provider_connection_lost", 2, calls=4),
    Row("not HTTP", Reply(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", end="close"), SERVER, 502, "provider_connection_lost", 2),
    Row("half an error", said(400).cut(after_bytes=10), SERVER, 502, "provider_connection_lost", 2),
    Row(
        "tells its key in a 200",
        ok(json.dumps(openai_wire.error(f"Wrong: {UPSTREAM_KEY}!"))),
        SERVER,
        502,
        "bad_gateway",
        2,
        says="***",
    ),
    Row("tells its key", said(400, f"Wrong: {UPSTREAM_KEY}!"), BAD, 400, "some_error", says="Wrong: ***!"),
]


@STREAM
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_failures_of_a_provider(desk: Desk, key: str, upstream: FakeUpstream, row: Row, stream: bool):
    upstream.answers(row.reply)
    seen = len(upstream.calls)
    with pytest.raises(row.error) as raised:
        ask_all(sdk(desk, key), RETRIED, stream=stream)
    error, attempts = raised.value, only_record(desk, key).detail["attempts"]
    assert (error.status_code, len(attempts)) == (row.status, row.attempts)
    assert error.code == ((stream and row.streamed_code) or row.code)
    assert row.attempts <= len(upstream.calls) - seen <= (row.calls or row.attempts)
    assert error.body.keys() == {"message", "type", "param", "code", "attempts"}
    assert row.says in error.body["message"]
    assert (
        error.response.headers.get("x-haimaker-provider", PROVIDER) == PROVIDER
    )  # a stream's headers may have left before it failed
    assert row.type in ("", error.type)
    tried_enough = NO_RETRY if row.attempts > 1 and row.status != 429 else {}  # an SDK would triple what the gateway did
    assert retry_headers(error) == {**row.headers, **tried_enough}
    assert desk.money(key) == (0, 0, 0)
    keeps_secrets(error, key, upstream)


def retry_headers(error: openai.APIStatusError) -> JSON:
    return {name: value for name, value in error.response.headers.items() if name in ("retry-after", "x-should-retry")}


def keeps_secrets(error: openai.APIStatusError, key: str, upstream: FakeUpstream) -> None:
    told = error.response.text + str(error.response.headers)
    for secret in (UPSTREAM_KEY, key, PROMPT, upstream.url, upstream.url.split("/")[2], "Traceback", ".py"):
        assert secret not in told


@STREAM
def test_an_address_that_a_provider_tells(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    """The deployer's servers are nobody else's business, whoever quotes them."""
    upstream.answers(Reply.json(400, openai_wire.error(f"Cannot POST {upstream.url}/x on {upstream.url.split('/')[2]}.")))
    text = desk.chat(key, RETRIED, stream=stream).text
    assert ("Cannot POST http://***/v1/x on ***." in text, upstream.url.split("/")[2] in text) == (True, False)


def test_a_key_that_a_stream_tells(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(Reply.sse([*openai_wire.chunks(), openai_wire.error(f"Wrong: {UPSTREAM_KEY}!", code="some_error")]))
    text = desk.chat(key, RETRIED, stream=True).text
    assert ("Wrong: ***!" in text, UPSTREAM_KEY in text) == (True, False)


def test_a_failure_has_one_line_in_the_log(desk: Desk, key: str, upstream: FakeUpstream, log: io.StringIO):
    """It is an answered request, not also a refused one."""
    upstream.answers(said(400))
    assert desk.chat(key, RETRIED).status_code == 400
    assert [json.loads(line)["message"] for line in log.getvalue().splitlines()] == ["request"]


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [(b'{"choices":[],"x":NaN}', "x", None), (b'{"choices":[],"x":[1e999,-Infinity,1.50]}', "x", [None, None, 1.5])],
)
def test_what_is_no_number_in_json_is_null(desk: Desk, key: str, upstream: FakeUpstream, body: bytes, field: str, value: object):
    """The answer was paid for, and most of it is good."""
    upstream.answers(ok(body))
    response = desk.chat(key, RETRIED)
    assert (response.status_code, response.json()[field]) == (200, value)


@STREAM
@pytest.mark.parametrize("depth", [150, 600, 960, 1_000, 50_000])
def test_an_answer_that_is_nested_too_deep(desk: Desk, key: str, upstream: FakeUpstream, depth: int, stream: bool):
    """Where Python gives up lies between; it is never a defect."""
    body = b'{"choices":[{"finish_reason":"stop"}],"x":[NaN,' + b"[" * depth + b"]" * depth + b'],"usage":{"prompt_tokens":1}}'
    upstream.answers(Reply.sse([b"data: " + body + b"\n\n"]) if stream else ok(body))
    response = desk.chat(key, RETRIED, stream=stream, **({"stream_options": {"include_usage": True}} if stream else {}))
    assert response.status_code == 200 if depth < 500 else response.status_code in (200, 502)
    assert "internal_error" not in response.text


def test_a_date_to_come_back_is_told_in_seconds(client: openai.OpenAI, upstream: FakeUpstream):
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    upstream.answers(said(429, retry_after=in_an_hour))
    with pytest.raises(openai.RateLimitError) as raised:
        ask_all(client, RETRIED, stream=False)
    assert 3_000 < int(raised.value.response.headers["retry-after"]) <= 3_600


@STREAM
@pytest.mark.parametrize(
    "failure",
    [said(408), said(429, retry_after="0"), said(500), said(503, retry_after_ms="100"), Reply.html(502), ok(""), Reply.hangup()],
    ids=["408", "429", "500", "503", "502 in HTML", "empty", "hangs up"],
)
def test_a_failure_that_passes_is_not_seen(desk: Desk, key: str, upstream: FakeUpstream, failure: Reply, stream: bool):
    upstream.answers(failure, openai_wire.plays_openai("Better now", usage=openai_wire.usage(10, 5)))
    assert text_of(ask_all(sdk(desk, key), RETRIED, stream=stream)) == "Better now"
    assert desk.money(key) == (price(10, 5), 0, price(10, 5))


@STREAM
@pytest.mark.parametrize("route", [UNRESOLVABLE, UNREACHABLE])
def test_a_provider_that_cannot_be_reached(desk: Desk, key: str, upstream: FakeUpstream, route: str, stream: bool):
    with pytest.raises(openai.InternalServerError) as raised:
        ask_all(sdk(desk, key), route, stream=stream)
    assert (raised.value.status_code, raised.value.code) == (502, "provider_unreachable")
    assert len(raised.value.body["attempts"]) == 2
    assert desk.money(key) == (0, 0, 0)
    assert "invalid" not in raised.value.response.text
    keeps_secrets(raised.value, key, upstream)


@pytest.mark.parametrize(
    "reply",
    [ok(b'{"id":"x","choices":[{"mess'), Reply.json(200, openai_wire.completion()).cut(after_bytes=40)],
    ids=["whose JSON ends", "that is cut"],
)
def test_half_an_answer_is_charged_as_estimated(desk: Desk, key: str, upstream: FakeUpstream, reply: Reply):
    """The provider has made it, and will send its bill for each."""
    upstream.answers(reply)
    response = desk.chat(key, RETRIED)
    assert (response.status_code, len(upstream.calls[-1].body) > 0) == (502, True)
    assert error_of(response)[1] in ("invalid_provider_response", "provider_connection_lost")
    record = only_record(desk, key)
    assert counted(record)["cost_estimated"]
    assert [attempt["cost_usd"] > 0 for attempt in record.detail["attempts"]] == [True, True]
    assert desk.money(key) == (record.cost_nanousd, 0, record.cost_nanousd)
    assert record.cost_nanousd == price(counted(record)["input_tokens"], counted(record)["output_tokens"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_store_that_takes_all_the_time_leaves_none_to_ask_anybody(
    desk: Desk, key: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, stream: bool
):
    reserve = desk.gateway.store.reserve
    monkeypatch.setattr(relay, "GRACE_S", -0.1)
    monkeypatch.setattr(desk.gateway.store, "reserve", lambda reservation: time.sleep(0.5) or reserve(reservation))
    seen, body = len(upstream.calls), chat_body(MODEL, stream=stream)
    response = desk.http.post(
        "/chat/completions", json=body, headers={"authorization": f"Bearer {key}", "x-stainless-read-timeout": "0.1"}
    )
    assert (response.status_code, len(upstream.calls) - seen) == (504, 0)
    record = only_record(desk, key)
    assert (record.status, record.cost_nanousd) == ("error", 0)
