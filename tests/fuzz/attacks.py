"""Attacks on a gateway in a process of its own, and how soon another client's `GET /health` is answered meanwhile."""

import gzip
import http.client
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import NamedTuple

from bench.servers import Server
from tests.fuzz import requests, values
from tests.fuzz.network import World
from tests.support.fake_upstream import Reply

SIZE = 5_900_000
Attack = Callable[[World], object]


def post(
    at: World, path: str, raw: bytes, content_type: str = "application/json", key: str | None = None, encoding: str = "identity"
) -> int:
    """The status, 0 if there was none."""
    connection = at.connect()
    headers = {"authorization": f"Bearer {key or at.keys[1]}", "content-type": content_type, "content-encoding": encoding}
    try:
        connection.request("POST", path, raw, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def posts(path: str, raw: bytes, content_type: str = "application/json", key: int = 1) -> Attack:
    return lambda at: post(at, path, raw, content_type, at.keys[key])


def large_puts(at: World) -> None:
    connection = at.connect()
    with suppress(OSError, http.client.HTTPException):
        connection.request("PUT", "/nowhere", bytes(20_000_000))
        connection.getresponse().read()
    connection.close()


def unknown_keys(at: World) -> None:
    post(at, "/v1/chat/completions", b"{}", key="sk-hm-nobody")


def spend_report(at: World) -> None:
    connection = at.connect()
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/spend/report?group_by=day,tag", headers={"authorization": f"Bearer {at.keys[0]}"})
        connection.getresponse().read()
    connection.close()


def random_requests(at: World) -> None:
    client = at.client(threading.get_ident() + time.monotonic_ns())
    for _ in range(20):
        client.ask()
    client.close()


def image_links(at: World) -> None:
    """A link to each kind of a hostile host, from clients that leave before they are answered."""
    for link in at.images.links():
        connection = at.connect()
        body = values.dumps(requests.with_link(requests.CHAT, link))
        with suppress(OSError, http.client.HTTPException):
            connection.request("POST", CHAT, body, {"authorization": f"Bearer {at.keys[0]}"})
            if select.select([connection.sock], [], [], 0.4)[0]:
                connection.getresponse().read()
        connection.close()


def endless_events(at: World) -> None:
    with suppress(OSError, http.client.HTTPException):
        connection = at.connect()
        body = b'{"model":"openai/gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {at.keys[0]}"})
        answer = connection.getresponse()
        for _ in range(50):
            answer.read(65_536)
        connection.close()


def zipped(at: World) -> None:
    post(at, CHAT, ZIPPED, key=at.keys[0], encoding="gzip")


def small_chunks(at: World) -> None:
    """A body of which each byte is a chunk."""
    host, port = at.server.url.split("/")[2].split(":")
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {at.keys[0]}\r\ntransfer-encoding: chunked\r\n\r\n"
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"1\r\na\r\n" * 500_000 + b"0\r\n\r\n")
        connection.recv(65_536)


CHAT, RERANK, AUDIO = "/v1/chat/completions", "/v1/rerank", "/v1/audio/transcriptions"
RESPONSES, MESSAGES_PATH, GOOGLE = "/v1/responses", "/v1/messages", "/v1beta/models/gemini-2.5-flash:generateContent"
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\ncontent-disposition: form-data; name="%b"\r\ncontent-type: %b\r\n\r\n%b\r\n'
MESSAGES = b'{"model":"demo/echo","messages":['
DIGITS = b'{"model":"demo/echo","seed":[' + (b"1" * 639 + b",") * 9_000 + b"1]}"
NAMES = b'{"model":"demo/echo","metadata":{' + b",".join(b'"%x":1' % number for number in range(99_000)) + b"}}"
TEXT = MESSAGES + b'{"role":"user","content":"' + b"a" * (SIZE - 200) + b'"}]}'
SECRETS = MESSAGES + b'{"role":"user","content":"' + b"-----BEGIN PRIVATE KEY-----" * 200_000 + b'"}]}'
DOCUMENTS = b'{"model":"demo/rerank","query":"q","documents":[' + b"1," * 900_000 + b"1]}"
SOUND = bytes.fromhex("1a45dfa380") + bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7 + b"\xec\x80" * 2_800_000
OWN_TOOLS = b'{"model":"openai/gpt-5.4","input":"a","tools":[' + b'{"type":"web_search"},' * 40_000 + b'{"type":"mcp"}]}'
PROMPTS = b'{"model":"openai/gpt-4o-mini","n":1,"prompt":[' + b'"a",' * 2_000 + b'"a"]}'
CONTENTS = b'{"contents":[' + b'{"parts":[%b]},' % b",".join([b'{"text":"a"}'] * 20) * 2_300 + b'{"parts":[{"text":"a"}]}]}'
ZIPPED = gzip.compress(MESSAGES + b'{"role":"user","content":"' + b"a" * (SIZE - 200) + b'"}]}')
CHARSET = PART % (b"model", b"text/plain; charset=punycode", b"a" * 2_000_000 + b"-" + b"b" * 2_000_000)
WEBM = PART % (b'file"; filename="a.webm', b"audio/webm", SOUND) + PART % (b"model", b"text/plain", b"demo/transcriptions")
ATTACKS: dict[str, tuple[Attack, int]] = {
    "empty messages": (posts(CHAT, MESSAGES + b"{}," * (SIZE // 3) + b"{}]}"), 2),
    "fewer messages": (posts(CHAT, MESSAGES + b"{}," * 45_000 + b"{}]}"), 2),
    "documents": (posts(RERANK, DOCUMENTS), 2),
    "documents without a budget": (posts(RERANK, DOCUMENTS, key=3), 2),
    "numbers of many digits": (posts(CHAT, DIGITS), 2),
    "many names": (posts(CHAT, NAMES), 2),
    "a large text": (posts(CHAT, TEXT, key=0), 2),
    "a text like secrets": (posts(CHAT, SECRETS, key=0), 2),
    "a provider's own tools": (posts(RESPONSES, OWN_TOOLS), 2),
    "many prompts": (posts("/v1/completions", PROMPTS), 2),
    "many parts": (posts(GOOGLE, CONTENTS), 2),
    "counting tokens": (posts(f"{MESSAGES_PATH}/count_tokens", TEXT, key=0), 2),
    "a compressed text": (zipped, 2),
    "small chunks": (small_chunks, 2),
    "image links": (image_links, 24),
    "a form in punycode": (posts(AUDIO, CHARSET + b"--x--\r\n", FORM), 2),
    "a webm of void elements": (posts(AUDIO, WEBM + b"--x--\r\n", FORM), 2),
    "large puts": (large_puts, 2),
    "unknown keys": (unknown_keys, 4),
    "spend reports": (spend_report, 2),
    "random requests": (random_requests, 3),
    "streams of large events": (endless_events, 2),
}
"""What is done again and again, and by how many at once."""
LARGE_EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"a" * 500)


def waiting_connections(at: World) -> ExitStack:
    """1,500 that send a part of a head and then nothing."""
    opened = ExitStack()
    host, port = at.server.url.split("/")[2].split(":")
    for _ in range(1_500):
        with suppress(OSError):
            connection = opened.enter_context(socket.create_connection((host, int(port)), timeout=5))
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nx-a: ")
    return opened


class Felt(NamedTuple):
    """What another client's requests for `/health` took during an attack, in seconds."""

    attack: str
    p99_s: float
    most_s: float
    idle_p99_s: float
    """Of a server beside it that nobody attacks: what the machine itself makes of it."""
    times: int


def measure(at: World, seconds: float, wanted: Collection[str] = ()) -> Iterator[Felt]:
    """Each attack in turn, or those that are wanted, and none at all first."""
    with Server("tests.fuzz.idle", {}) as idle:

        def felt(name: str) -> Felt:
            gateway_s, idle_s = _ask_for_health(seconds, at.server.url, idle.url)
            return Felt(name, _p99(gateway_s), max(gateway_s), _p99(idle_s), len(gateway_s))

        yield felt("none")
        at.upstream.answers(Reply.sse([LARGE_EVENT] * 5_000, done=False))
        for name, (attack, threads) in ATTACKS.items():
            if wanted and name not in wanted:
                continue
            stop = threading.Event()
            workers = [threading.Thread(target=_again, args=(attack, at, stop)) for _ in range(threads)]
            for worker in workers:
                worker.start()
            yield felt(name)
            stop.set()
            for worker in workers:
                worker.join()
            at.upstream.forget()
        if not wanted or "waiting connections" in wanted:
            with waiting_connections(at):
                yield felt("waiting connections")


def _again(attack: Attack, at: World, stop: threading.Event) -> None:
    while not stop.is_set():
        attack(at)


def _ask_for_health(seconds: float, *urls: str) -> list[list[float]]:
    """From another process, so that what the attackers do here is not measured."""
    command = [sys.executable, "-m", "tests.fuzz.health", str(seconds), *urls]
    took_s: list[list[float]] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return took_s


def _p99(took_s: Sequence[float]) -> float:
    return sorted(took_s)[int(len(took_s) * 0.99)]
