"""What passes through passes untouched: bytes, order and number of chunks, unknown fields, and usage only where it was asked."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.money_support import Desk, chat_body
from tests.contract.sdk_support import MODEL, price
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
ASKS_USAGE = {"stream_options": {"include_usage": True}}
USAGE = openai_wire.usage(10, 5, cached=4, reasoning=2)
HEAD = b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
OPENING = b"data: " + HEAD + b'"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n'
FINISH = b"data: " + HEAD + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def post(desk: Desk, key: str, raw: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return desk.http.post("/chat/completions", content=raw, headers=headers)


def streamed(desk: Desk, key: str, *pieces: bytes, model: str = MODEL, **body: Any) -> bytes:
    """The stream that the client gets when its provider sends these pieces."""
    desk.upstream.answers(Reply.sse(pieces, done=False))
    response = desk.chat(key, model, stream=True, **body)
    assert response.status_code == 200, response.text
    return response.content


def data_of(stream: bytes) -> list[bytes]:
    *events, end = stream.split(b"\n\n")
    assert end == b""
    return [event.removeprefix(b"data: ") for event in events]


def test_a_request_is_edited_not_rebuilt(desk: Desk, key: str, upstream: FakeUpstream):
    """Unknown fields, nested ones, their order and the digits of numbers; only the model's name is another."""
    upstream.answers(openai_wire.plays_openai())
    raw = (
        '{"zeta":1,"messages":[{"content":"Grüße \\ud83c\\udf0d","role":"user","x_mark":{"type":"x"},"a":[null,{"":0}]}],'
        '"model":"hosted_vllm/any","temperature":1.0,"top_p":0.10,"big":123456789012345678901234567890,"alpha":{"z":[],"a":{}}}'
    )
    assert post(desk, key, raw.encode()).status_code == 200
    sent = upstream.calls[-1].body.decode()
    expected = raw.replace("\\ud83c\\udf0d", "🌍").replace("hosted_vllm/any", "any").replace("0.10", "0.1")
    assert sent == expected


def test_an_answer_is_edited_not_rebuilt(desk: Desk, key: str, upstream: FakeUpstream):
    body = openai_wire.completion("Grüße", usage={**USAGE, "energy_wh": 0.25}, zeta={"b": [None, 1.50], "a": ""}, x_vendor=None)
    body["choices"][0] |= {"stop_reason": None, "content_filter_results": {"hate": {"filtered": False}}}
    body["choices"][0]["message"]["reasoning_content"] = "Because."
    upstream.answers(Reply.json(200, body))
    got = desk.chat(key, MODEL).json()
    cost = got["usage"].pop("cost")
    assert json.dumps(got) == json.dumps(body)
    assert round(cost * 10**9) == price(10, 5)


NUMBERS = b'"choices":[{"index":0,"delta":{"content":"\\u00fc"},"logprobs":{"x":-0.10,"y":1E+2,"z":1e400,"w":-0.0}}]}'
CALL = b'{"index":0,"id":"call_1","type":"function","function":{"arguments":"{\\"a"}}'
FIELDS = [
    NUMBERS,
    b'"choices":[{"index":0,"delta":{"tool_calls":[%b]}}]}' % CALL,
    b'"choices": [ {"index":0, "delta":{"content":"spaces"},  "finish_reason":null} ] , "x" : {} }',
    b'"choices":[{"index":0,"delta":{"reasoning_content":"Hm.","reasoning_details":[{"type":"x","index":0}]}}]}',
    b'"choices":[{"index":0,"delta":{"thoughts":"Hm."},"finish_reason":null}],"provider":"Someone"}',
    b'"choices":[{"index":1,"delta":{"role":"assistant"},"finish_reason":"length","stop_reason":151643}]}',
    b'"choices":[],"prompt_filter_results":[{"prompt_index":0}]}',
    b'"choices":[{"index":0,"delta":{"content":null}}],"choices":[{"index":0,"delta":{"content":"twice"}}]}',
    '"choices":[{"index":0,"delta":{"content":"Grüße 🌍\u2028"}}]}'.encode(),
    b'"choices":[{"index":0,"delta":{"content":"\\ud800"}}]}',
]
VERBATIM = [HEAD + fields for fields in FIELDS]


def test_chunks_pass_byte_by_byte_as_they_are(desk: Desk, key: str):
    sent = OPENING + b"".join(b"data: %b\n\n" % chunk for chunk in VERBATIM) + FINISH + DONE
    assert streamed(desk, key, sent) == sent


def test_the_same_text_a_thousand_times(desk: Desk, key: str):
    sent = b"data: " + VERBATIM[0] + b"\n\n"
    assert streamed(desk, key, OPENING, *[sent] * 1_000, FINISH, DONE) == OPENING + sent * 1_000 + FINISH + DONE


CHUNK = HEAD + '"choices":[{"index":0,"delta":{"role":"assistant","content":"Grüße 🌍"}}]}'.encode()
ODD_FRAMINGS = {
    "CRLF": b"data: " + CHUNK + b"\r\n\r\n",
    "CR": b"data: " + CHUNK + b"\r\r",
    "no space": b"data:" + CHUNK + b"\n\n",
    "two lines": b"data: " + CHUNK.replace(b",", b",\ndata: ", 1) + b"\n\n",
    "a comment before": b": OPENROUTER PROCESSING\n\ndata: " + CHUNK + b"\n\n",
    "a comment inside": b": hi\ndata: " + CHUNK + b"\n: bye\n\n",
    "other fields": b"id: 7\nevent: message\nretry: 10\ndata: " + CHUNK + b"\n\n",
    "blank lines": b"\n\n\ndata: " + CHUNK + b"\n\n\n\n",
    "a byte order mark": b"\xef\xbb\xbfdata: " + CHUNK + b"\n\n",
}


@pytest.mark.parametrize("framed", ODD_FRAMINGS.values(), ids=ODD_FRAMINGS)
@pytest.mark.parametrize("size", [None, 1, 7])
def test_odd_framings_are_understood(desk: Desk, key: str, upstream: FakeUpstream, framed: bytes, size: int | None):
    upstream.answers(Reply.sse([framed, FINISH, DONE], done=False).split(size))
    first, finish, done = data_of(desk.chat(key, MODEL, stream=True).content)
    assert json.loads(first) == json.loads(CHUNK)
    assert (finish, done) == (FINISH[6:-2], b"[DONE]")


@FEW
@given(st.lists(st.integers(0, 1_200), max_size=30))
def test_any_split_gives_the_same_stream(desk: Desk, positions: Sequence[int]):
    sent = OPENING + b"".join(b"data: %b\n\n" % chunk for chunk in VERBATIM) + b"data: " + VERBATIM[0] + b"\r\n\r\n" + FINISH + DONE
    desk.upstream.answers(Reply.sse([sent], done=False).split(at=positions))
    assert desk.chat(desk.key(), MODEL, stream=True).content == sent.replace(b"\r\n", b"\n")


FIRST = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE_CHUNK = {**FIRST, "choices": [], "usage": USAGE}
TEXT_CHUNK = {**FIRST, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]}
LAST_CHUNK = {**FIRST, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
REPORTS: dict[str, list[JSON]] = {
    "in a chunk of its own": [TEXT_CHUNK, LAST_CHUNK, USAGE_CHUNK],
    "in a chunk of its own, null before": [{**TEXT_CHUNK, "usage": None}, {**LAST_CHUNK, "usage": None}, USAGE_CHUNK],
    "in a chunk of its own without choices": [TEXT_CHUNK, LAST_CHUNK, {**FIRST, "usage": USAGE}],
    "with the last choice": [TEXT_CHUNK, {**LAST_CHUNK, "usage": USAGE}],
    "with every chunk": [{**TEXT_CHUNK, "usage": openai_wire.usage(10, 1)}, {**LAST_CHUNK, "usage": USAGE}],
    "twice": [TEXT_CHUNK, {**LAST_CHUNK, "usage": USAGE}, USAGE_CHUNK],
    "before the end": [TEXT_CHUNK, USAGE_CHUNK, LAST_CHUNK],
}


@pytest.mark.parametrize("chunks", REPORTS.values(), ids=REPORTS)
def test_usage_that_was_asked_for_comes_last_with_its_cost(desk: Desk, key: str, upstream: FakeUpstream, chunks: list[JSON]):
    upstream.answers(Reply.sse(chunks))
    *events, done = data_of(desk.chat(key, MODEL, stream=True, **ASKS_USAGE).content)
    got = [json.loads(event) for event in events]
    told = [event["usage"]["cost"] for event in got if (event.get("usage") or {}).get("cost") is not None]
    assert (done, told) == (b"[DONE]", [price(10, 5) / 10**9])
    assert got[-1]["usage"] == {**USAGE, "cost": told[0]}
    assert [event["choices"] for event in got if event.get("choices")] == [
        chunk["choices"] for chunk in chunks if chunk.get("choices")
    ]
    assert len(got) == len(chunks)
    assert upstream.calls[-1].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "options", [{}, {"stream_options": {"include_usage": False}}, {"stream_options": None}], ids=["", "false", "null"]
)
@pytest.mark.parametrize("chunks", REPORTS.values(), ids=REPORTS)
def test_usage_that_was_not_asked_for_is_not_shown(desk: Desk, key: str, upstream: FakeUpstream, chunks: list[JSON], options: JSON):
    upstream.answers(Reply.sse(chunks))
    stream = desk.chat(key, MODEL, stream=True, **options).content
    assert b"usage" not in stream
    shown = [{name: value for name, value in chunk.items() if name != "usage"} for chunk in chunks if chunk.get("choices")]
    assert [json.loads(event) for event in data_of(stream)[:-1]] == shown
    assert upstream.calls[-1].json["stream_options"] == {"include_usage": True}
    assert desk.money(key)[0] == price(10, 5)


def test_usage_that_never_comes_is_estimated(desk: Desk, key: str):
    pieces = [b"data: " + CHUNK + b"\n\n", FINISH, DONE]
    *_, last, done = data_of(streamed(desk, key, *pieces, **ASKS_USAGE))
    usage = json.loads(last)["usage"]
    assert (done, usage["cost_estimated"], usage["completion_tokens"]) == (b"[DONE]", True, 3)
    assert round(usage["cost"] * 10**9) == price(usage["prompt_tokens"], 3) == desk.money(key)[0]


def test_null_stays_null_but_for_usage(desk: Desk, key: str):
    """`"usage": null` is cut out of a chunk whose other bytes stay as they are."""
    chunk = HEAD + b'"choices": [{"index": 0, "delta": {"content": "a, \\"usage\\": null"}, "finish_reason": null}], "x": null%b}'
    pieces = [b"data: " + chunk % null + b"\n\n" for null in (b', "usage": null', b',"usage":null', b"")]
    assert data_of(streamed(desk, key, OPENING, *pieces, FINISH, DONE))[1:4] == [chunk % b""] * 3


@pytest.mark.parametrize("model", ["openrouter/openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile"])
def test_reasoning_has_the_name_that_clients_know(desk: Desk, key: str, upstream: FakeUpstream, model: str):
    """Beside the provider's own name, in the whole answer and in every chunk."""
    delta = {"role": "assistant", "content": "", "reasoning": "Let me think"}
    upstream.answers(Reply.sse([{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}, LAST_CHUNK]))
    chunk = json.loads(data_of(desk.chat(key, model, stream=True).content)[0])
    assert chunk["choices"][0]["delta"] == {**delta, "reasoning_content": "Let me think"}
    whole = openai_wire.completion()
    whole["choices"][0]["message"]["reasoning"] = "Let me think"
    upstream.answers(Reply.json(200, whole))
    message = desk.chat(key, model).json()["choices"][0]["message"]
    assert (message["reasoning"], message["reasoning_content"]) == ("Let me think", "Let me think")


def test_comments_and_an_error_inside_a_stream_of_openrouter(desk: Desk, key: str):
    error = {
        "id": "c",
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        "error": {"code": 502, "message": "Lost"},
    }
    pieces = [b": OPENROUTER PROCESSING\n\n"] * 3 + [b"data: " + CHUNK + b"\n\n", b"data: " + json.dumps(error).encode() + b"\n\n"]
    first, last = data_of(streamed(desk, key, *pieces, model="openrouter/openai/gpt-4o-mini"))
    assert first == CHUNK
    assert json.loads(last) == {"error": {"message": "Lost", "type": "server_error", "param": None, "code": "bad_gateway"}}


@STREAM
def test_a_large_answer(desk: Desk, key: str, upstream: FakeUpstream, stream: bool):
    text = "Grüße, " * 650_000
    said = {"role": "assistant", "content": text}
    body: JSON = {"choices": [{"index": 0, "message": said, "delta": said, "finish_reason": "stop"}]}
    upstream.answers(Reply.sse([body]) if stream else Reply.json(200, body))
    response = desk.chat(key, MODEL, stream=stream)
    got = json.loads(data_of(response.content)[0]) if stream else response.json()
    assert len(response.content) > 5_000_000
    assert got["choices"] == body["choices"]


def test_connections_are_kept_after_streams_and_errors(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    connection_numbers = set()
    with httpx.Client(base_url=desk.url, headers={"authorization": f"Bearer {key}"}, trust_env=False, verify=False) as http:
        for body in [
            chat_body(MODEL),
            chat_body(MODEL, stream=True),
            chat_body("no-such-model"),
            chat_body(MODEL, stream=True, n=0),
        ] * 3:
            response = http.post("/chat/completions", json=body)
            connection_numbers.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(connection_numbers) == 1
    assert len({call.connection for call in upstream.calls[-6:]}) == 1
