"""Streamed answers, and clients that leave, over real sockets."""

import http.client
import threading

import pytest

from haimaker.http.values import Response
from tests.unit.local.door import WAIT_S, Gateway, closing, get, post, receive, streamed


def test_a_stream_arrives_item_by_item(client, gateway):
    received = threading.Semaphore(0)

    def items():
        for number in range(3):
            yield b"data: %d\n\n" % number
            assert received.acquire(timeout=WAIT_S)

    gateway.answer = streamed(items())
    client.sendall(post(b"{}"))
    answer = http.client.HTTPResponse(client)
    answer.begin()
    assert answer.headers["transfer-encoding"] == "chunked"
    for number in range(3):
        assert answer.read1() == b"data: %d\n\n" % number
        received.release()
    assert answer.read() == b""
    gateway.answer = Gateway.echo
    client.sendall(get())
    assert receive(client)[0] == 200


def test_an_empty_item_does_not_end_the_stream(client, gateway):
    gateway.answer = streamed(iter([b"a", b"", b"b"]))
    client.sendall(post(b"{}"))
    assert receive(client)[2] == b"ab"


def test_an_old_client_gets_a_stream_that_ends_with_the_connection(client, gateway):
    gateway.answer = streamed(iter([b"a", b"b"]))
    client.sendall(get(version="1.0"))
    status, headers, body = receive(client)
    assert (status, headers["connection"], body) == (200, "close", b"ab")
    assert "transfer-encoding" not in headers


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_answer_may_begin_before_it_is_there(client, gateway, version):
    """Whatever the answer is then, its status and headers are those that it began with."""

    def answer(operation, request):
        request.begin_now(Response(200, {"x-begin": "early"}, b""))
        request.send_now(b"  ")
        return Response(503, {"x-begin": "late"}, b"{}")

    gateway.answer = answer
    client.sendall(get("/v1/models", "origin: https://page.example", version=version))
    status, headers, body = receive(client)
    assert (status, headers["x-begin"], body) == (200, "early", b"  {}")
    assert headers["x-request-id"]
    if version == "1.1":
        gateway.answer = Gateway.echo
        client.sendall(get())
        assert receive(client)[0] == 200


def test_a_client_that_leaves_closes_the_iterator(client, gateway):
    closed = threading.Event()
    gateway.answer = streamed(closing(iter(lambda: b"x" * 1000, None), closed))
    client.sendall(post(b"{}"))
    assert client.recv(100)
    client.close()
    assert closed.wait(WAIT_S)


def test_an_iterator_that_nobody_may_read_is_closed(client, gateway):
    class Items:
        closed = threading.Event()

        def __iter__(self):
            return self

        def __next__(self):
            raise AssertionError("read for HEAD")

        def close(self):
            self.closed.set()

    gateway.answer = streamed(Items())
    client.sendall(get(method="HEAD"))
    receive(client, method="HEAD")
    assert Items.closed.wait(WAIT_S)


def test_a_stream_that_fails_is_cut_not_ended(client, gateway, capfd):
    def items():
        yield b"a"
        raise ValueError("sk-secret")

    gateway.answer = streamed(items())
    client.sendall(post(b"{}"))
    with pytest.raises(http.client.IncompleteRead):
        receive(client)
    assert "ValueError" in (said := capfd.readouterr().err)
    assert "sk-secret" not in said


@pytest.mark.parametrize("sent_ahead", [b"", get()])
def test_the_gateway_can_see_whether_the_client_left(client, gateway, sent_ahead):
    looks = []
    looked, closed = threading.Event(), threading.Event()

    def look(_operation, request):
        looks.append(request.client_left())
        looked.set()
        closed.wait(WAIT_S)
        looks.append(request.client_left())
        looked.set()
        return Response(200, {}, b"{}")

    gateway.answer = look
    client.sendall(post(b"{}") + sent_ahead)
    assert looked.wait(WAIT_S)
    gateway.answer = Gateway.echo
    looked.clear()
    client.close()
    closed.set()
    assert looked.wait(WAIT_S)
    assert looks[0] is False
    assert looks[1] is True
