"""Bodies and bytes that nobody would send, from a random source that a seed begins."""

import json
from random import Random
from typing import Any

from tests.contract.random_bodies import places, put

TEXTS = ["", "a", "\x00", "\ud800", "é" * 40, "a" * 5_000, "file:///etc/passwd", "data:;base64,", "${x}", "'\"<>", "-1", "null"]
NUMBERS = [0, -1, 1, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308, 5.0]
WORDS = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"\xff", b"\x00", b"[[[[", b"{", b"}", b'"', b",", b"\\u12"]
WORDS += [b"\n\n", b"\r", b"data: "]


def tree(random: Random, depth: int = 3) -> Any:
    kind = random.randrange(10 if depth else 6)
    if kind < 3:
        return random.choice([None, True, False])
    if kind < 6:
        return random.choice(NUMBERS) if kind < 4 else random.choice(TEXTS)
    if kind < 8:
        return [tree(random, depth - 1) for _ in range(random.randrange(4))]
    return {random.choice(("type", "a", "text", "url", "")): tree(random, depth - 1) for _ in range(random.randrange(4))}


def mutated(random: Random, body: Any) -> Any:
    """A copy with something else in a place or two."""
    for _ in range(random.choice((1, 1, 1, 2))):
        body = put(body, random.choice(places(body)), tree(random))
    return body


def damaged(random: Random, raw: bytes) -> bytes:
    """Bytes of it replaced, taken out or repeated."""
    for _ in range(random.choice((1, 1, 2))):
        at, length = random.randrange(len(raw) + 1), random.choice((0, 0, 1, 5, 200))
        middle = random.choice((random.choice(WORDS), b"", raw[at : at + length] * 2, random.randbytes(random.randrange(6))))
        raw = raw[:at] + middle + raw[at + length :]
    return raw


def dumps(body: Any) -> bytes:
    return json.dumps(body).encode()


def raw_of(random: Random, body: Any) -> bytes:
    """A body as it might come: mostly good JSON with something wrong in it, at times no JSON."""
    if random.random() < 0.2:
        return damaged(random, dumps(body))
    return dumps(mutated(random, body) if random.random() < 0.9 else tree(random))
