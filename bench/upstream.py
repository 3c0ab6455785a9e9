"""The provider of the benchmark: raw sockets, answers made beforehand, so that what is measured is not this.

The prompt says what to answer: nothing special a whole answer, `chunks=20000` a stream, `pace=2000` so many chunks a
second, `wait=20` an answer after so many milliseconds, `withhold` waits for a `POST /release`. `GET /waiting` tells how many
wait. It never looks at a key.
"""

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

CHUNKS = re.compile(rb"chunks=(\d+)")
PACE = re.compile(rb"pace=(\d+)")
DELAY = re.compile(rb"wait=(\d+)")
FIELDS = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "created": 1_741_569_952, "model": "gpt-4o-mini-2024-07-18"}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def usage(completion_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 12, "completion_tokens": completion_tokens, "total_tokens": 12 + completion_tokens}


def whole(body: object) -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)


def event(data: object) -> bytes:
    """One event in one HTTP chunk, as providers send them."""
    line = b"data: %b\n\n" % (data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode())
    return b"%x\r\n%b\r\n" % (len(line), line)


def chunk(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event(FIELDS | {"object": "chat.completion.chunk", "choices": [choice]})


ANSWER = whole(
    FIELDS
    | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello! " * 20}, "finish_reason": "stop"}],
        "usage": usage(40),
    }
)
CHUNK = chunk({"content": "~token"}, None)
FINISH = chunk({}, "stop")
END = event(b"[DONE]") + b"0\r\n\r\n"


class Upstream:
    """A thread for each connection."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._changed = threading.Condition()
        self._waiting = 0
        self._released = 0

    def serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                while request := read_request(reader):
                    for piece in self._answer(*request):
                        connection.sendall(piece)
        except OSError:
            pass  # The client has left.

    def _answer(self, line: bytes, body: bytes) -> Iterator[bytes]:
        if b"/chat/completions" not in line and not any(path in line for path in FORMATS):
            yield whole(self._control(line))
            return
        if b"withhold" in body:
            self._wait()
        if match := CHUNKS.search(body):
            pace = PACE.search(body)
            if native := next((events for path, events in FORMATS.items() if path in line), None):
                yield from native(int(match[1]))
                return
            yield from stream(int(match[1]), int(pace[1]) if pace else None, with_usage=b"include_usage" in body)
        else:
            if delay := DELAY.search(body):
                time.sleep(int(delay[1]) / 1000)
            yield ANSWER

    def _control(self, line: bytes) -> dict[str, int]:
        with self._changed:
            if b"/release" in line:
                self._released += 1
                self._changed.notify_all()
            return {"waiting": self._waiting}

    def _wait(self) -> None:
        with self._changed:
            before = self._released
            self._waiting += 1
            self._changed.wait_for(lambda: self._released > before)
            self._waiting -= 1


def stream(count: int, pace_per_s: int | None, *, with_usage: bool) -> Iterator[bytes]:
    """A stream of `count` chunks with text, each as soon as it is due, and the chunks that end it."""
    yield STREAM_HEAD
    start = time.perf_counter()
    for number in range(count):
        if pace_per_s and (early_s := start + number / pace_per_s - time.perf_counter()) > 0:
            time.sleep(early_s)
        yield CHUNK
    yield FINISH
    if with_usage:
        yield event(FIELDS | {"object": "chat.completion.chunk", "choices": [], "usage": usage(count)})
    yield END


def messages(count: int) -> Iterator[bytes]:
    """https://platform.claude.com/docs/en/build-with-claude/streaming"""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    yield STREAM_HEAD
    yield event({"type": "message_start", "message": {**start, "usage": {"input_tokens": 12, "output_tokens": 1}}})
    yield event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    delta = event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "~token"}})
    for _ in range(count):
        yield delta
    yield event({"type": "content_block_stop", "index": 0})
    yield event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": count}})
    yield event({"type": "message_stop"}) + b"0\r\n\r\n"


def contents(count: int) -> Iterator[bytes]:
    """https://ai.google.dev/api/generate-content"""
    yield STREAM_HEAD
    candidate = {"content": {"parts": [{"text": "~token"}], "role": "model"}, "index": 0}
    used = {"promptTokenCount": 12, "candidatesTokenCount": count, "totalTokenCount": 12 + count}
    part = event({"candidates": [candidate], "usageMetadata": used, "modelVersion": "m", "responseId": "r"})
    for _ in range(count):
        yield part
    yield event({"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": used}) + b"0\r\n\r\n"


def responses(count: int) -> Iterator[bytes]:
    """https://platform.openai.com/docs/api-reference/responses-streaming"""
    yield STREAM_HEAD
    response = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "m", "output": []}
    yield event({"type": "response.created", "response": response, "sequence_number": 0})
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 1}
    delta = event({"type": "response.output_text.delta", **place, "delta": "~token"})
    for _ in range(count):
        yield delta
    used = {"input_tokens": 12, "output_tokens": count, "total_tokens": 12 + count}
    end = {**response, "status": "completed", "usage": used}
    yield event({"type": "response.completed", "response": end, "sequence_number": 2}) + b"0\r\n\r\n"


FORMATS = {b"/messages": messages, b":streamGenerateContent": contents, b"/responses": responses}
"""By a part of the path, the streams of other formats than chat."""


def read_request(reader: BinaryIO) -> tuple[bytes, bytes] | None:
    """Request line and body, None once the client has closed the connection."""
    line = reader.readline()
    length = 0
    while (header := reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return (line, reader.read(length)) if line else None


if __name__ == "__main__":
    Upstream(int(os.environ["PORT"])).serve()
