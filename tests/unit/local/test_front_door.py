"""Whole answers, errors and bad requests, over real sockets."""

import contextlib
import json
import socket

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haimaker.http.values import Response
from local import request_reader
from tests.unit.local.door import Gateway, connect, get, post, receive, receive_error


def test_a_request_reaches_the_gateway_and_its_answer_the_client(client):
    client.sendall(get("/v1/models/openai%2Fgpt-4o?a=1%202&b=&a=3", "X-Name: value"))
    status, headers, body = receive(client)
    seen = json.loads(body)
    assert status == 200
    assert seen == {
        "operation": "models_retrieve",
        "id": headers["x-request-id"],
        "path": {"id": "openai/gpt-4o"},
        "query": {"a": "3", "b": ""},
        "body": "",
    }
    assert headers["x-seen"] == "value"
    assert "connection" not in headers


def test_one_connection_carries_many_requests_each_with_its_own_id(client):
    ids = set()
    for number in range(5):
        client.sendall(post(b"%d" % number))
        _, headers, body = receive(client)
        assert json.loads(body)["body"] == str(number)
        ids.add(headers["x-request-id"])
    assert len(ids) == 5


def test_pipelined_requests_are_answered_in_order(client):
    client.sendall(post(b"one") + get("/key/list") + post(b"two", "connection: close"))
    data = b"".join(iter(lambda: client.recv(65536), b""))
    bodies = [json.loads(part.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0]) for part in data.split(b"HTTP/1.1 200 OK")[1:]]
    assert [(seen["operation"], seen["body"]) for seen in bodies] == [
        ("chat_completions", "one"),
        ("key_list", ""),
        ("chat_completions", "two"),
    ]


@pytest.mark.parametrize("target", ["http://localhost/v1/models?a=1", "//v1/models?a=1#x"])
def test_targets_of_proxies_and_sloppy_clients(client, target):
    client.sendall(get(target))
    seen = json.loads(receive(client)[2])
    assert (seen["operation"], seen["query"]) == ("models_list", {"a": "1"})


def test_head_has_the_headers_without_the_body(client):
    client.sendall(get(method="HEAD"))
    status, headers, body = receive(client, method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    client.sendall(get())
    assert receive(client)[0] == 200


def test_curl_s_consent(client):
    client.sendall(get("/v1/chat/completions", "content-length: 2", "expect: 100-continue", method="POST"))
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"{}")
    assert json.loads(receive(client)[2])["body"] == "{}"


@pytest.mark.parametrize(
    ("data", "status", "code", "stays"),
    [
        (get("/v1/nothing"), 404, "unknown_url", True),
        (get("/v1/chat/completions"), 405, "method_not_allowed", True),
        (get("/v1/chat/completions", method="OPTIONS"), 405, "method_not_allowed", True),
        (b"nonsense\r\n\r\n", 400, "malformed_request", False),
        (b"\x16\x03\x01", 400, "malformed_request", False),
        (b"GET /" + b"a" * 9000, 414, "url_too_long", False),
        (get("/health", "a: " + "b" * 40_000), 431, "headers_too_large", False),
        (post(b"x" * (6 * 2**20 + 1)), 413, "request_too_large", False),
    ],
)
def test_errors_have_openai_s_shape(client, data, status, code, stays):
    client.sendall(data)
    assert receive_error(client) == (status, code)
    if stays:
        client.sendall(get())
        assert receive(client)[0] == 200
    else:
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (get("/v1/messages"), 405, "invalid_request_error"),
        (get("/v1/messages/nowhere"), 404, "not_found_error"),
        (post(b"x" * (6 * 2**20 + 1)).replace(b"/chat/completions", b"/messages"), 413, "request_too_large"),
        (get("/v1beta/openai/m:generateContent"), 405, "INVALID_ARGUMENT"),
        (get("/v1beta/files"), 404, "NOT_FOUND"),
    ],
)
def test_errors_of_a_door_have_the_shape_of_the_api_that_was_asked(client, data, status, kind):
    client.sendall(data)
    told, headers, body = receive(client)
    error = json.loads(body)["error"]
    assert (told, error.get("type") or error["status"], "allow" in headers) == (status, kind, status == 405)


def test_no_cors_headers(client):
    client.sendall(get("/v1/models", "origin: http://elsewhere", method="OPTIONS"))
    status, headers, _ = receive(client)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert not [name for name in headers if name.startswith("access-control")]


def test_the_official_sdk_reads_the_answer_to_seven_megabytes(shared_server, gateway):
    sdk = openai.OpenAI(base_url=f"http://127.0.0.1:{shared_server[1].port}/v1", api_key="sk-local", max_retries=0)
    with pytest.raises(openai.APIStatusError) as raised:
        sdk.chat.completions.create(model="demo/echo", messages=[{"role": "user", "content": "x" * 7 * 2**20}])
    assert (raised.value.status_code, raised.value.code) == (413, "request_too_large")


def test_the_official_sdk_escapes_model_names(shared_server, gateway):
    sdk = openai.OpenAI(base_url=f"http://127.0.0.1:{shared_server[1].port}/v1", api_key="sk-local", max_retries=0)
    assert sdk.models.retrieve("openai/gpt-4o").path == {"id": "openai/gpt-4o"}


def test_a_slow_head_has_an_end(client, monkeypatch):
    monkeypatch.setattr(request_reader, "HEAD_TIMEOUT_S", 0.05)
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert receive_error(client) == (408, "timeout")


def test_a_gateway_that_fails_costs_one_request(client, gateway, capfd):
    def fail(_operation, _request):
        raise ValueError("sk-secret")

    gateway.answer = fail
    client.sendall(post(b"{}"))
    status, _, body = receive(client)
    assert (status, json.loads(body)["error"]["type"]) == (500, "server_error")
    assert "sk-secret" not in capfd.readouterr().err + body.decode()
    gateway.answer = Gateway.echo
    client.sendall(get())
    assert receive(client)[0] == 200


def test_headers_of_the_gateway_cannot_split_the_answer_or_frame_it(client, gateway):
    headers = {
        "X-Model": "a\r\nset-cookie: b\r\n\r\nbody",
        "Content-Length": "99",
        "transfer-encoding": "chunked",
        "X-Request-Id": "mine",
    }
    gateway.answer = lambda _operation, _request: Response(200, headers, b"{}")
    client.sendall(get())
    status, seen, body = receive(client)
    assert (status, body, seen["content-type"]) == (200, b"{}", "application/json")
    assert seen["x-model"] == "a  set-cookie: b    body"
    assert "set-cookie" not in seen
    assert seen["x-request-id"] != "mine"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([get(), post(b"{}"), b"\r\n", b"HTTP/1.1", b"content-length: 3\r\n", b"0\r\n\r\n"])
        | st.binary(max_size=40),
        max_size=8,
    )
)
def test_garbage_never_kills_the_server(shared_server, gateway, pieces):
    with connect(shared_server[1]) as connection, contextlib.suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    with connect(shared_server[1]) as connection:
        connection.sendall(get())
        assert receive(connection)[0] == 200
