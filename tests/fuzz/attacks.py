"""Attacks on a gateway in a process of its own, and how soon another client's `GET /health` is answered meanwhile."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from tests.fuzz.network import World, ask
from tests.support.fake_upstream import Reply

SIZE = 5_900_000
Attack = Callable[[World], object]


def post(at: World, path: str, raw: bytes, content_type: str = "application/json", key: str | None = None) -> None:
    connection = at.connect()
    with suppress(OSError, http.client.HTTPException):
        connection.request("POST", path, raw, {"authorization": f"Bearer {key or at.keys[1]}", "content-type": content_type})
        connection.getresponse().read()
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
    ask(at)


def endless_events(at: World) -> None:
    with suppress(OSError, http.client.HTTPException):
        connection = at.connect()
        body = b'{"model":"openai/gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {at.keys[0]}"})
        answer = connection.getresponse()
        for _ in range(50):
            answer.read(65_536)
        connection.close()


CHAT, RERANK, AUDIO = "/v1/chat/completions", "/v1/rerank", "/v1/audio/transcriptions"
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\ncontent-disposition: form-data; name="%b"\r\ncontent-type: %b\r\n\r\n%b\r\n'
MESSAGES = b'{"model":"demo/chat","messages":['
DOCUMENTS = b'{"model":"demo/rerank","query":"q","documents":[' + b"1," * 900_000 + b"1]}"
SOUND = bytes.fromhex("1a45dfa380") + bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7 + b"\xec\x80" * 2_800_000
CHARSET = PART % (b"model", b"text/plain; charset=punycode", b"a" * 2_000_000 + b"-" + b"b" * 2_000_000)
WEBM = PART % (b'file"; filename="a.webm', b"audio/webm", SOUND) + PART % (b"model", b"text/plain", b"demo/transcriptions")
ATTACKS: dict[str, tuple[Attack, int]] = {
    "empty messages": (posts(CHAT, MESSAGES + b"{}," * (SIZE // 3) + b"{}]}"), 2),
    "fewer messages": (posts(CHAT, MESSAGES + b"{}," * 90_000 + b"{}]}"), 2),
    "documents": (posts(RERANK, DOCUMENTS), 2),
    "documents without a budget": (posts(RERANK, DOCUMENTS, key=3), 2),
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


def measure(at: World, seconds: float) -> Iterator[tuple[str, float, float, int]]:
    """Of each attack its name, the 99th percentile and the most of what /health took, in seconds, and how often it was asked."""
    yield ("none", *_health(at, seconds))
    at.upstream.answers(
        Reply.sse([b'data: {"choices":[{"index":0,"delta":{"content":"' + b"a" * 500 + b'"}}]}\n\n'] * 5_000, done=False)
    )
    for name, (attack, threads) in ATTACKS.items():
        stop = threading.Event()
        workers = [threading.Thread(target=_again, args=(attack, at, stop)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        yield (name, *_health(at, seconds))
        stop.set()
        for worker in workers:
            worker.join()
    with waiting_connections(at):
        yield ("waiting connections", *_health(at, seconds))


def _again(attack: Attack, at: World, stop: threading.Event) -> None:
    while not stop.is_set():
        attack(at)


def _health(at: World, seconds: float) -> tuple[float, float, int]:
    """Asked for from another process, so that what the attackers do here is not measured."""
    command = [sys.executable, "-m", "tests.fuzz.health", at.server.url, str(seconds)]
    took_s = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return sorted(took_s)[int(len(took_s) * 0.99)], max(took_s), len(took_s)
