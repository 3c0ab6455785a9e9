"""The front door against those who fill it: connections, bodies, mistakes without end, and pages of others."""

import gzip
import threading
import time
from ipaddress import ip_network

import pytest

from haimaker.http.errors import AuthenticationError, BadRequestError
from haimaker.http.responses import error_response
from haimaker.http.values import Response
from haimaker.upstream.shares import Shares
from local.mistakes import CHEAP_BYTES, CONTAINERS, Mistakes, address_of, weight_of
from local.request_reader import FREE_CHUNKS
from local.server import Server  # noqa: F401 - what is tested
from tests.unit.local.door import Gateway, connect, get, post, receive, receive_error, serving

KEY = "authorization: Bearer sk-hm-valid"
OTHER = "authorization: Bearer sk-hm-other"


class Keyed(Gateway):
    """Knows two keys."""

    def handle(self, operation, request):
        error = self.refuse_unread(operation, request)
        if error:
            return error_response(error)
        if request.body == b"{":
            return error_response(BadRequestError("no JSON"))
        return self.answer(operation, request)

    def refuse_unread(self, operation, request):
        known = request.headers.get("authorization") in (KEY[15:], OTHER[15:])
        return None if known or operation == "health" else AuthenticationError("unknown")


class Slow(Gateway):
    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def handle(self, operation, request):
        if operation != "health":
            self.go.wait(10)
        return self.answer(operation, request)


def ask(server, data):
    with connect(server) as connection:
        connection.sendall(data)
        status, headers, _ = receive(connection)
        return status, headers


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP", post(b"{}")[:-1]], ids=["nothing", "part of a head", "part of a body"])
def test_those_who_wait_make_room_for_others(sent):
    with serving(Gateway(), most_connections=3) as server:
        waiting = [connect(server) for _ in range(6)]
        for connection in waiting:
            connection.sendall(sent)
            time.sleep(0.02)
        assert ask(server, get())[0] == 200
        assert waiting[0].recv(1) == b""
        for connection in waiting:
            connection.close()


def test_past_the_bound_health_is_told_and_the_rest_refused_in_words():
    gateway = Slow()
    with serving(gateway, most_connections=2) as server:
        busy = [connect(server) for _ in range(2)]
        for connection in busy:
            connection.sendall(post(b"{}"))
        time.sleep(0.2)
        assert ask(server, get())[0] == 200
        status, headers = ask(server, post(b"{}"))
        assert (status, headers["retry-after"]) == (503, "1")
        gateway.go.set()
        for connection in busy:
            assert receive(connection)[0] == 200
            connection.close()


def test_few_huge_requests_are_held_at_once():
    """Their bytes are there until they are answered."""
    gateway, huge = Slow(), post(b"a" * 1_100_000)
    with serving(gateway, huge=Shares("requests are huge", total=1, each=1)) as server:
        first = connect(server)
        first.sendall(huge)
        time.sleep(0.2)
        status, headers = ask(server, huge)
        assert (status, headers["retry-after"]) == (429, "1")
        gateway.go.set()
        assert receive(first)[0] == 200
        first.close()
        assert ask(server, post(b"{}"))[0] == 200
        time.sleep(0.05)
        assert ask(server, huge)[0] == 200


def test_places_are_given_back():
    with serving(Gateway(), most_connections=2) as server:
        for _ in range(50):
            assert ask(server, get())[0] == 200
        time.sleep(0.1)
        assert len(server._connections) == 0


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nowhere", "PUT", 404),
        ("/v1/embeddings", "PUT", 405),
        ("/nowhere", "POST", 404),
        ("/v1/embeddings", "POST", 401),
    ],
)
@pytest.mark.parametrize("framing", ["content-length: 99000000", "transfer-encoding: chunked"])
def test_what_leads_nowhere_or_has_no_key_is_refused_before_its_body_comes(path, method, status, framing):
    with serving(Keyed()) as server, connect(server) as connection:
        connection.sendall(get(path, framing, method=method))
        assert receive_error(connection)[0] == status


def test_an_upload_is_handed_on_as_it_comes():
    pieces = []
    seen = threading.Event()

    def take(operation, request):
        for piece in request.pieces:
            pieces.append(len(piece))
            seen.set()
        return Response(200, {}, b"")

    gateway = Gateway()
    gateway.answer = take
    with serving(gateway) as server, connect(server) as connection:
        connection.sendall(get("/links/x", "content-length: 1000000", method="PUT") + bytes(10))
        assert seen.wait(5)
        connection.sendall(bytes(999_990))
        assert receive(connection)[0] == 200
        assert sum(pieces) == 1_000_000
        gateway.answer = Gateway.echo
        connection.sendall(get())
        assert receive(connection)[0] == 200


def test_an_upload_that_nobody_takes_ends_its_connection():
    gateway = Gateway()
    gateway.answer = lambda operation, request: error_response(BadRequestError("no such place"))
    with serving(gateway) as server, connect(server) as connection:
        connection.sendall(get("/links/x", "content-length: 90000000", method="PUT") + bytes(10))
        assert receive_error(connection)[0] == 400
        assert connection.recv(1) == b""


MALFORMED = b"GET /health HTTP/1.1\r\nno header\r\n\r\n"


@pytest.mark.parametrize(
    "mistake",
    [MALFORMED, post(b"{}"), get("/nowhere"), get("/v1/models", "authorization: Bearer x"), get(method="PUT")],
    ids=["malformed", "no key", "no such path", "an unknown key", "a wrong method"],
)
def test_an_address_of_many_mistakes_is_told_to_wait_and_valid_keys_are_not(mistake):
    with serving(Keyed(), mistakes=Mistakes(3)) as server:
        answers = [ask(server, mistake) for _ in range(6)]
        assert [status for status, _ in answers][:3].count(429) == 0
        status, headers = answers[-1]
        assert (status, 1 <= int(headers["retry-after"]) <= 60) == (429, True)
        began_s = time.monotonic()
        assert ask(server, mistake)[0] == 429
        assert time.monotonic() - began_s < 1
        assert ask(server, post(b"{}", KEY))[0] == 200
        assert ask(server, get())[0] == 200


def test_the_mistakes_of_a_valid_key_are_its_own():
    with serving(Keyed(), mistakes=Mistakes(1)) as server:
        statuses = [ask(server, post(b"{", KEY))[0] for _ in range(20)]
        assert statuses == [400] * 11 + [429] * 9
        assert ask(server, post(b"{}", KEY))[0] == 429
        assert ask(server, post(b"{}", OTHER))[0] == 200


def test_mistakes_leak_away_and_large_ones_weigh_more():
    now = [0.0]
    mistakes = Mistakes(60, lambda: now[0])
    for _ in range(60):
        mistakes.note("a")
    assert mistakes.wait_s("a") == 0
    mistakes.note("a")
    assert mistakes.wait_s("a") == 2
    now[0] = 2.0
    assert mistakes.wait_s("a") == 0
    mistakes.note("b", weight_of(b"{}," * 2_000_000))
    assert mistakes.wait_s("b") > 0
    assert mistakes.wait_s("c") == 0
    for number in range(20_000):
        mistakes.note(str(number))
    assert len(mistakes._senders) <= 10_000
    assert Mistakes(0).wait_s("a") == 0


LARGE = b'{"messages":[' + b"{}," * (CONTAINERS * 13) + b"{}]}"


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "counts"),
    [
        ("/v1/chat/completions", 402, {}, LARGE, True),
        ("/v1/chat/completions", 429, {}, LARGE, True),
        ("/v1/messages", 403, {}, LARGE, True),
        ("/v1/messages/count_tokens", 200, {}, LARGE, True),
        ("/v1/spend/calculate", 200, {}, LARGE, True),
        ("/v1/route/simulate", 200, {}, LARGE, True),
        ("/v1/chat/completions", 503, {}, LARGE, True),
        ("/v1/chat/completions", 200, {}, LARGE, False),
        ("/v1/chat/completions", 429, {"x-haimaker-provider": "openai"}, LARGE, False),
        ("/v1/chat/completions", 402, {}, b"{" * CHEAP_BYTES, False),
    ],
)
def test_what_is_read_for_nothing_counts_against_its_key(path, status, headers, body, counts):
    """Thirteen mistakes' worth, of which a key has ten a minute here."""
    gateway = Keyed()
    gateway.answer = lambda operation, request: Response(status, headers, b"{}")
    with serving(gateway, mistakes=Mistakes(1)) as server:
        assert ask(server, post(body, KEY, path=path))[0] == status
        told, headers = ask(server, post(b"{}", KEY, path=path))
        assert told == (429 if counts else status)
        assert not counts or 0 < int(headers["retry-after"]) <= 60
        assert ask(server, post(b"{}", OTHER, path=path))[0] == status


def test_a_large_body_that_breaks_the_rules_counts_against_its_key():
    chunks = get("/v1/chat/completions", "transfer-encoding: chunked", KEY, method="POST") + b"1\r\na\r\n" * (FREE_CHUNKS + 9)
    with serving(Keyed(), mistakes=Mistakes(1)) as server:
        assert [ask(server, chunks)[0] for _ in range(12)] == [400] * 11 + [429]
        assert ask(server, post(b"{}", KEY))[0] == 429
        assert ask(server, post(b"{}", OTHER))[0] == 200


GZIP = "content-encoding: gzip"


def test_a_compressed_body_counts_as_what_it_becomes():
    """By its key alone, and as one of few large ones; what of it comes to nothing weighs as much as without its compression."""
    gateway = Keyed()
    gateway.answer = lambda operation, request: Response(402, {}, b"%d" % len(request.body))
    small = gzip.compress(LARGE)
    assert len(small) < CHEAP_BYTES < len(LARGE)
    with serving(gateway, mistakes=Mistakes(1)) as server:
        with connect(server) as connection:
            connection.sendall(post(small, KEY, GZIP))
            assert receive(connection)[2] == b"%d" % len(LARGE)
        assert ask(server, post(b"{}", KEY))[0] == 429
        assert ask(server, post(small, OTHER, GZIP))[0] == 402
        assert ask(server, post(b"no gzip", "authorization: Bearer x", GZIP))[0] == 401
    with serving(gateway, huge=Shares("requests are huge", total=0, each=0)) as server:
        assert ask(server, post(LARGE, KEY))[0] == 402
        assert ask(server, post(small, KEY, GZIP))[0] == 429
    with serving(gateway) as server:
        assert ask(server, post(gzip.compress(bytes(7_000_000)), KEY, GZIP))[0] == 413
        assert ask(server, post(small, KEY, "content-encoding: br"))[0] == 415


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1, 2.2.2.2", "2.2.2.2"),
        ("10.0.0.1", "1.1.1.1, 2.2.2.2, 10.0.0.9", "2.2.2.2"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "x" * 5_000, "x" * 64),
    ],
)
def test_whose_address_it_is(peer, forwarded, address):
    assert address_of(peer, {"x-forwarded-for": forwarded}, (ip_network("10.0.0.0/8"),)) == address


def test_a_header_of_the_clients_own_gets_it_no_other_address():
    with serving(Keyed(), mistakes=Mistakes(2)) as server:
        statuses = [ask(server, get("/v1/models", f"x-forwarded-for: 1.1.1.{number}"))[0] for number in range(6)]
        assert statuses[-1] == 429


ORIGIN = "origin: https://page.example"


OURS, THEIRS = "https://page.example", "https://other.example"


@pytest.mark.parametrize(("origins", "allowed"), [((), False), ((THEIRS,), False), ((OURS, THEIRS), True), (("*",), True)])
def test_pages_read_answers_where_the_deployer_says_so(origins, allowed):
    told = "https://page.example" if allowed else None
    with serving(Keyed(), origins=origins) as server:
        asked = "access-control-request-headers: authorization, x-stainless-os"
        preflight = get("/v1/chat/completions", ORIGIN, asked, method="OPTIONS")
        for data in (preflight, get("/health", ORIGIN), post(b"{}", ORIGIN), post(b"{}", ORIGIN, KEY), get("/nowhere", ORIGIN)):
            status, headers = ask(server, data)
            assert headers.get("access-control-allow-origin") == told
            if data is preflight:
                assert status == (200 if allowed else 405)
                assert headers.get("access-control-allow-headers") == ("authorization, x-stainless-os" if allowed else None)
        assert "access-control-allow-origin" not in ask(server, get())[1]
