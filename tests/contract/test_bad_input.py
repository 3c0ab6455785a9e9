"""What clients send that is no request: always OpenAI's error, with the field that is wrong; nothing is asked, held or charged."""

import gzip
import json
from typing import Any

import httpx
import openai
import pytest

from tests.contract.money_support import ADMIN, Desk, chat_body
from tests.contract.sdk_support import MODEL, ask, ask_all, sdk
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON

VALID = json.dumps(chat_body(MODEL)).encode()
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def unasked(desk: Desk, key: str, upstream: FakeUpstream):
    """A key whose requests must not reach a provider."""
    upstream.answers(openai_wire.plays_openai())
    seen = len(upstream.calls)
    yield key
    assert len(upstream.calls) == seen
    assert desk.records(key) == []


def post(desk: Desk, key: str, raw: bytes, path: str = "/chat/completions") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return desk.http.post(path, content=raw, headers=headers)


def told(response: httpx.Response) -> JSON:
    """An error as OpenAI's clients expect it."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error: JSON = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert len(error["message"]) < 1_000
    return error


UNREADABLE = {
    "nothing": b"",
    "words": b"hello",
    "half": VALID[:-1],
    "more": VALID + b"}",
    "a list": b"[]",
    "null": b"null",
    "Latin-1": '{"model":"Grüße"}'.encode("latin-1"),
    "UTF-16": VALID.decode().encode("utf-16"),
    "not text": bytes(range(256)),
    "NaN": VALID.replace(b"{", b'{"temperature":NaN,', 1),
    "Infinity": VALID.replace(b"{", b'{"top_p":-Infinity,', 1),
    "1e999": VALID.replace(b"{", b'{"temperature":1e999,', 1),
    "an endless integer": VALID.replace(b"{", b'{"seed":' + b"9" * 5_000 + b",", 1),
    "20,000 lists": VALID.replace(b"{", b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b",", 1),
    "20,000 objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "20,000 open": b"[" * 20_000,
    "300 levels": VALID.replace(b"{", b'{"a":' + b"[" * 300 + b"]" * 300 + b",", 1),
    "a raw NUL": VALID.replace(b"Hi", b"H\x00i"),
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_json_object(desk: Desk, unasked: str, raw: bytes):
    response = post(desk, unasked, raw)
    error = told(response)
    assert (response.status_code, error["code"], error["type"]) == (400, "invalid_json", "invalid_request_error")


def test_seven_megabytes(desk: Desk, unasked: str):
    response = post(desk, unasked, json.dumps(chat_body(MODEL, "x" * 7_000_000)).encode())
    assert (response.status_code, told(response)["code"]) == (413, "request_too_large")
    with pytest.raises(openai.APIStatusError) as raised:
        ask(sdk(desk, unasked), text="x" * 7_000_000)
    assert raised.value.status_code == 413


NO_STRING: tuple[Any, ...] = (1, 1.5, True, ["x"], {"x": 1})
NO_NUMBER: tuple[Any, ...] = ("1", True, [], {})
NO_COUNT: tuple[Any, ...] = (*NO_NUMBER, 1.5, 0, -1, 10**10, 10**30)
WRONG: dict[str, tuple[Any, ...]] = {
    "model": (*NO_STRING, None, "", "m" * 600),
    "messages": (None, "Hi", 1, {}, []),
    "stream": ("true", 1, 0, "", [], {}),
    "stream_options": (True, "x", [1]),
    "stream_options.include_usage": ("yes", 1),
    "max_tokens": NO_COUNT,
    "max_completion_tokens": NO_COUNT,
    "n": (*NO_COUNT, 129, 10_000),
    "temperature": NO_NUMBER,
    "top_p": NO_NUMBER,
    "presence_penalty": NO_NUMBER,
    "frequency_penalty": NO_NUMBER,
    "seed": (*NO_NUMBER, 1.5),
    "stop": (1, True, {}, [1]),
    "tools": ("x", {}, [1], [None]),
    "response_format": ("json", []),
    "service_tier": NO_STRING,
    "user": NO_STRING,
    "messages[0]": (None, 1, "Hi", []),
    "messages[0].role": (None, 1, "", []),
    "messages[0].content": (1, True, {}, ["Hi"], [None]),
    "messages[0].name": (1, {}),
    "messages[0].tool_calls": ("x", {}, [1]),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_wrong_value_names_its_field(desk: Desk, unasked: str, field: str, value: Any):
    body = chat_body(MODEL)
    owner, _, name = field.rpartition(".")
    if field == "messages[0]":
        body["messages"] = [value]
    elif owner == "stream_options":
        body |= {"stream": True, owner: {name: value}}
    else:
        (body["messages"][0] if owner else body)[name] = value
    response = post(desk, unasked, json.dumps(body).encode())
    error = told(response)
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith(field)
    assert field in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": MODEL}, "messages"),
        ({"model": MODEL, "messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"model": MODEL, "messages": [*MESSAGES, {}]}, "messages[1].role"),
    ],
)
def test_a_missing_field_is_named(desk: Desk, unasked: str, body: JSON, param: str):
    response = post(desk, unasked, json.dumps(body).encode())
    error = told(response)
    assert (response.status_code, error["code"], error["param"]) == (400, "missing_required_parameter", param)
    assert error["message"] == f"Missing required parameter: '{param}'."


def test_the_sdk_reads_these_errors(desk: Desk, unasked: str):
    with pytest.raises(openai.BadRequestError, match="n") as raised:
        ask(sdk(desk, unasked), n=10_000)
    assert (raised.value.param, raised.value.code, raised.value.type) == ("n", "invalid_value", "invalid_request_error")


STRANGE_NAMES = [
    "\x00",
    "a\x00b",
    "openai/\x00",
    "\ud800",
    "openai/\ud800",
    "../../etc/passwd",
    "openai/../..",
    "🌍",
    " ",
    "a" * 512,
    "%00",
]


@pytest.mark.parametrize("model", STRANGE_NAMES, ids=ascii)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_strange_model_names(desk: Desk, key: str, upstream: FakeUpstream, model: str, stream: bool):
    """Unknown here, or the provider's to judge, which gets it in the body and nowhere else."""
    upstream.answers(openai_wire.plays_openai())
    seen = len(upstream.calls)
    response = post(desk, key, json.dumps(chat_body(model, stream=stream)).encode())
    asked = [(call.path, call.json["model"]) for call in upstream.calls[seen:]]
    if response.status_code == 200:
        assert asked == [("/v1/chat/completions", model.partition("/")[2])]
    else:
        assert (response.status_code, told(response)["param"], asked) == (400 if "\ud800" in model else 404, "model", [])


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800 alone", "\udc00\ud800 swapped", "\ufeff", "a\u2028b", "\x7f\x1b[31m", "𝕳" * 1_000], ids=ascii
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_strange_text_arrives_as_it_was_sent(desk: Desk, key: str, upstream: FakeUpstream, text: str, stream: bool):
    upstream.answers(openai_wire.plays_openai())
    assert post(desk, key, json.dumps(chat_body(MODEL, text, stream=stream, x=text)).encode()).status_code == 200
    assert (upstream.calls[-1].json["messages"][0]["content"], upstream.calls[-1].json["x"]) == (text, text)


@pytest.mark.parametrize(
    "extra",
    [b'"seed":123456789012345678901234567890123456789', b'"x":1e308', b'"max_tokens":1000000000', b'"n":1,"n":2', b'"":""'],
)
def test_unusual_but_good(desk: Desk, key: str, upstream: FakeUpstream, extra: bytes):
    """Big numbers; of a name that comes twice the last one counts, here as upstream."""
    upstream.answers(openai_wire.plays_openai())
    assert post(desk, key, b"{" + extra + b"," + VALID[1:]).status_code == 200
    sent = json.loads(upstream.calls[-1].body)
    for name, value in json.loads(b"{" + extra + b"}").items():
        assert sent[name] == value


def test_a_byte_order_mark_is_forgiven(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    assert post(desk, key, b"\xef\xbb\xbf" + VALID).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("PUT", "/v1/chat/completions", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/openai/gpt-4o-mini", 405, "method_not_allowed"),
        ("GET", "/key/generate", 405, "method_not_allowed"),
        ("POST", "/v1/nothing/here", 404, "unknown_url"),
        ("GET", "/%00", 404, "unknown_url"),
        ("GET", "/%ff%fe", 404, "unknown_url"),
        ("GET", "/../../etc/passwd", 404, "unknown_url"),
        ("GET", "/v1/models/%00", 404, "model_not_found"),
        ("GET", "/v1/models/%ff", 404, "model_not_found"),
        ("GET", "/v1/models/a%2f..%2fb", 404, "model_not_found"),
        ("POST", "/openai/deployments/%00/chat/completions", 404, "model_not_found"),
        ("POST", "/openai/deployments/%ed%a0%80/chat/completions", 404, "model_not_found"),
    ],
)
def test_paths_and_methods(desk: Desk, unasked: str, method: str, path: str, status: int, code: str):
    headers = {"authorization": f"Bearer {unasked}"}
    url = httpx.URL(desk.url.removesuffix("/v1")).copy_with(raw_path=path.encode())
    response = desk.http.request(method, url, content=VALID if method == "POST" else None, headers=headers)
    assert (response.status_code, told(response)["code"]) == (status, code)
    assert (status == 405) == ("allow" in response.headers)


KEY_PATHS = ["generate", "update", "block", "unblock", "delete", "regenerate"]


@pytest.mark.parametrize("path", KEY_PATHS)
@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"\xff", None),
        (b'{"max_budget":NaN}', None),
        (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", None),
        (b'{"no_such_limit":1}', "no_such_limit"),
        (b'{"max_budget":"1"}', "max_budget"),
        (b'{"max_budget":-1}', "max_budget"),
        (b'{"max_budget":1e300}', "max_budget"),
        (b'{"rpm_limit":1.5}', "rpm_limit"),
        (b'{"tpm_limit":true}', "tpm_limit"),
        (b'{"max_parallel_requests":1000000000000000000000}', "max_parallel_requests"),
        (b'{"duration":"soon"}', "duration"),
        (b'{"duration":"0s"}', "duration"),
        (b'{"budget_duration":"-1"}', "budget_duration"),
        (b'{"models":"openai/*"}', "models"),
        (b'{"models":[1]}', "models[0]"),
        (b'{"key_alias":""}', "key_alias"),
        (b'{"metadata":[]}', "metadata"),
        (b'{"tags":[{}]}', "tags[0]"),
        (b'{"key":1}', "key"),
        (b'{"keys":[]}', "keys"),
    ],
)
def test_bad_bodies_at_the_key_endpoints(desk: Desk, path: str, raw: bytes, param: str | None):
    response = post(desk, ADMIN, raw, desk.url.removesuffix("/v1") + f"/key/{path}")
    assert (response.status_code, told(response)["param"]) == (400, param)


@pytest.mark.parametrize("path", KEY_PATHS[1:])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_required_parameter"),
        ({"key": None}, 400, "missing_required_parameter"),
        ({"key": "sk-hm-unknown"}, 404, "key_not_found"),
        ({"key": "\x00"}, 404, "key_not_found"),
        ({"key": "\ud800"}, 400, "invalid_value"),
        ({"key": "f" * 64}, 404, "key_not_found"),
    ],
)
def test_keys_that_are_none(desk: Desk, path: str, body: JSON, status: int, code: str):
    response = post(desk, ADMIN, json.dumps(body).encode(), desk.url.removesuffix("/v1") + f"/key/{path}")
    assert (response.status_code, told(response)["code"]) == (status, code)


NO_NUMBERS = ("-1", "x", "1.5", "%00", "9" * 5_000, "0" * 5_000 + "1", "000000001" + "9" * 20, "٣", "²")
WANT_NUMBERS = (
    "key/list?page",
    "key/list?size",
    "spend/logs?limit",
    "v1/files?limit",
    "v1/batches?limit",
    "v1/messages/batches?limit",
)
OF_GOOGLE = "v1beta/models?pageSize"
"""Where 0 stands for what is usual."""
MISTAKES = [(query, number) for query in (*WANT_NUMBERS, OF_GOOGLE) for number in NO_NUMBERS]


@pytest.mark.parametrize(
    ("query", "number"), [*MISTAKES, *((query, "0") for query in WANT_NUMBERS)], ids=lambda value: ascii(value)[:24]
)
def test_a_query_that_wants_a_number(desk: Desk, query: str, number: str):
    response = desk.http.get(desk.url.removesuffix("v1") + f"{query}={number}", headers={"authorization": f"Bearer {ADMIN}"})
    assert response.status_code == 400
    assert query.partition("?")[2] in response.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", chat_body(MODEL)),
        ("/chat/completions", chat_body(MODEL, stream=True)),
        ("/responses", {"model": MODEL, "input": "Hi"}),
        ("/messages", {"model": MODEL, "messages": MESSAGES, "max_tokens": 9}),
        ("/messages/count_tokens", {"model": MODEL, "messages": MESSAGES}),
        ("/completions", {"model": MODEL, "prompt": "Hi"}),
        ("/openai/deployments/hosted_vllm/any/chat/completions", {"messages": MESSAGES}),
    ],
)
def test_a_compressed_body_is_read(desk: Desk, key: str, upstream: FakeUpstream, path: str, body: JSON):
    upstream.answers(openai_wire.plays_openai())
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "content-encoding": "gzip"}
    raw = gzip.compress(json.dumps(body).encode())
    assert desk.http.post(path, content=raw, headers=headers).status_code == 200
    if "count_tokens" not in path:
        assert upstream.calls[-1].json["model"] == "any"
    refused = {
        400: desk.http.post(path, content=raw[:-4], headers=headers),
        401: desk.http.post(path, content=raw[:-4], headers={**headers, "authorization": "Bearer sk-nobody"}),
        413: desk.http.post(path, content=gzip.compress(bytes(7_000_000)), headers=headers),
        415: desk.http.post(path, content=raw, headers={**headers, "content-encoding": "zstd"}),
    }
    assert {status: answer.status_code for status, answer in refused.items()} == {status: status for status in refused}
    assert refused[415].headers["accept-encoding"] == "gzip, identity"


def test_after_all_of_it_the_gateway_still_answers(desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    for raw in UNREADABLE.values():
        post(desk, key, raw)
    assert ask_all(sdk(desk, key), stream=True)
