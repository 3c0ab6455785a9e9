"""What a scripted provider answers, as a list of steps: bytes to send and waits in between. Never touches a network.

A stream is sent in HTTP chunks, one per piece, so a client meets exactly the pieces that the script holds
(https://www.rfc-editor.org/rfc/rfc9112#name-chunked-transfer-coding).
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import responses
from itertools import pairwise
from typing import Any, Literal

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait of a fixed time."""

    seconds: float


class Gate:
    """A wait that ends, for everyone at once, when `open()` is called. Made by `FakeUpstream.gate()`, which closes it.

    It is the end of a pipe, so that one `poll` can wait for it and for the client to leave.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._lock = threading.Lock()
        self._is_open = False

    def fileno(self) -> int:
        return self._reader

    def open(self) -> None:
        with self._lock:
            if not self._is_open:
                self._is_open = True
                os.close(self._writer)

    def close(self) -> None:
        """Opens the gate and gives the pipe back; nobody may wait for it any more."""
        self.open()
        os.close(self._reader)


Wait = Pause | Gate
Step = bytes | Wait


@dataclass(frozen=True)
class Reply:
    """One answer. Made by `json`, `raw`, `html`, `sse` or `hangup`; the methods return a worse-behaved copy."""

    head: bytes
    """Status line and headers; empty for a provider that hangs up without a word."""
    body: tuple[Step, ...] = ()
    before: tuple[Wait, ...] = ()
    """Waits before the head."""
    chunked: bool = False
    end: Literal["keep", "close", "reset"] = "keep"
    """What happens to the connection afterwards."""

    @classmethod
    def json(cls, status: int, body: object, headers: Mapping[str, str] | None = None) -> "Reply":
        return cls.raw(status, dumps(body), {"content-type": "application/json", **(headers or {})})

    @classmethod
    def html(cls, status: int, text: str = "<html><body><h1>Bad gateway</h1></body></html>") -> "Reply":
        return cls.raw(status, text.encode(), {"content-type": "text/html; charset=utf-8"})

    @classmethod
    def raw(cls, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> "Reply":
        return cls(_head(status, {"content-length": str(len(body)), **(headers or {})}), (body,))

    @classmethod
    def sse(
        cls,
        events: Iterable[JSON | Step],
        *,
        pace_s: float = 0.0,
        done: bool = True,
        line_end: str = "\n",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> "Reply":
        """A stream: a dict is an event, bytes are sent as they are, a Pause or a Gate is silence; `done` adds `[DONE]`."""
        blank = line_end.encode() * 2
        steps = [b"data: %b%b" % (dumps(event), blank) if isinstance(event, dict) else event for event in events]
        if done:
            steps.append(b"data: [DONE]" + blank)
        head = _head(status, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **(headers or {})})
        return cls(head, tuple(_paced(steps, pace_s)), chunked=True)

    @classmethod
    def hangup(cls, *, reset: bool = False) -> "Reply":
        """Reads the request, then closes the connection without a byte."""
        return cls(b"", end=_ending(reset))

    def after(self, *waits: Wait) -> "Reply":
        """Silent before the headers."""
        return replace(self, before=(*self.before, *waits))

    def framed_by_close(self) -> "Reply":
        """The body's length is not said: it ends where the connection does, as HTTP/1.0 has it."""
        lines = [line for line in self.head.split(b"\r\n") if not line.startswith((b"content-length:", b"transfer-encoding:"))]
        return replace(self, head=b"\r\n".join(lines), chunked=False, end="close")

    def split(self, size: int | None = None, *, at: Sequence[int] = ()) -> "Reply":
        """The same bytes in other pieces: of `size` bytes, or cut at these positions of the body."""
        total = sum(len(step) for step in self.body if isinstance(step, bytes))
        positions = sorted({*at, *(range(size, total, size) if size else ())})
        return replace(self, body=tuple(_split(self.body, positions)))

    def trickled(self, delay_s: float) -> "Reply":
        """One byte at a time."""
        return replace(self, body=tuple(_paced(self.split(1).body, delay_s)))

    def cut(self, *, after_bytes: int | None = None, after_events: int | None = None, reset: bool = False) -> "Reply":
        """Ends the connection in the middle of the body, which still declares its whole length or more chunks."""
        body = self.body if after_bytes is None else tuple(_split(self.body, [after_bytes]))
        kept: list[Step] = []
        bytes_left, events_left = (float("inf") if limit is None else limit for limit in (after_bytes, after_events))
        for step in body:
            if isinstance(step, bytes):
                bytes_left, events_left = bytes_left - len(step), events_left - 1
            if bytes_left < 0 or events_left < 0:
                break
            kept.append(step)
        return replace(self, body=tuple(kept), end=_ending(reset))

    def steps(self) -> Iterator[Step]:
        """Everything in the order it happens, framed for HTTP."""
        yield from self.before
        yield self.head
        yield from map(_chunk, self.body) if self.chunked else self.body
        if self.chunked and self.end == "keep":
            yield b"0\r\n\r\n"


def dumps(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunk(step: Step) -> Step:
    """A piece in the framing of HTTP; an empty one is left out, since it would end the body."""
    return b"%x\r\n%b\r\n" % (len(step), step) if isinstance(step, bytes) and step else step


def _ending(reset: bool) -> Literal["close", "reset"]:
    return "reset" if reset else "close"


def _paced(steps: Sequence[Step], pace_s: float) -> Iterator[Step]:
    for number, step in enumerate(steps):
        if number and pace_s:
            yield Pause(pace_s)
        yield step


def _split(steps: Iterable[Step], positions: Iterable[int]) -> Iterator[Step]:
    """The steps with bytes joined between waits, then cut at these positions, counted over all bytes."""
    start = 0
    for step in _joined(steps):
        if not isinstance(step, bytes):
            yield step
            continue
        inside = [position - start for position in positions if start < position < start + len(step)]
        yield from (step[begin:end] for begin, end in pairwise([0, *inside, len(step)]))
        start += len(step)


def _joined(steps: Iterable[Step]) -> Iterator[Step]:
    joined = b""
    for step in steps:
        if isinstance(step, bytes):
            joined += step
            continue
        if joined:
            yield joined
        yield step
        joined = b""
    if joined:
        yield joined
