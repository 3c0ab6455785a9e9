"""The lines of a batch: how one is read and what is wrong with it, and how its answer is written. Pure.

https://platform.openai.com/docs/guides/batch, https://platform.openai.com/docs/api-reference/batch/request-input
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from haimaker.http.errors import BadRequestError
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON

ENDPOINTS = {
    "/v1/chat/completions": "chat_completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/moderations": "moderations",
}
"""What the lines of a batch may ask for, and the operation that it is."""
ENDS = {
    "cancelled": ("batch_cancelled", "This request was not made: the batch was cancelled."),
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
}
"""By how a batch ended, the code and the message of the lines that were not answered."""
MAX_LINE_BYTES = 6 * 1024 * 1024
"""The most bytes of a line, as of a request."""
LONGEST_CUSTOM_ID = 512
SHOWN = 64
KNOWN = ("custom_id", "method", "url", "body")


class Line(NamedTuple):
    custom_id: str
    body: bytes
    model: object


class LineError(Exception):
    """Why a batch can't begin, as it is told in its `errors`."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.param = code, param

    def to_json(self, line: int | None = None) -> JSON:
        """`line` is its number in the file, from 1: https://platform.openai.com/docs/api-reference/batch/object"""
        return {"code": self.code, "message": str(self), "param": self.param, "line": line}


class RawLine(NamedTuple):
    number: int
    """The number of the line in the file, from 1; blank lines are counted."""
    start: int
    """Where it begins in the file."""
    data: bytes


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file as it comes, without those that are blank. One that is too long ends at MAX_LINE_BYTES + 1."""
    return (line.data for line in split_at(pieces))


def split_at(pieces: Iterable[bytes]) -> Iterator[RawLine]:
    """The same, each with where it is in the file."""
    rest, number, start, length = bytearray(), 1, 0, 0
    for piece in pieces:
        *ended, last = piece.split(b"\n")
        for end in ended:
            rest += end
            if rest.strip():
                yield RawLine(number, start, bytes(rest[: MAX_LINE_BYTES + 1]))
            number += 1
            start += length + len(end) + 1
            length = 0
            rest.clear()
        rest += last
        length += len(last)
        if length > MAX_LINE_BYTES:
            del rest[MAX_LINE_BYTES + 1 :]
    if rest.strip():
        yield RawLine(number, start, bytes(rest))


def read_line(raw: bytes, endpoint: str) -> Line:
    """Raises LineError."""
    if len(raw) > MAX_LINE_BYTES:
        raise LineError("line_too_long", f"A line may have {MAX_LINE_BYTES} bytes, as a request may.")
    try:
        line = parse_json(raw)
    except BadRequestError:
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.") from None
    custom_id = line.get("custom_id")
    for name in KNOWN:
        if line.get(name) is None:
            raise LineError("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_CUSTOM_ID:
        message = f"'custom_id' has to be a text of 1 to {LONGEST_CUSTOM_ID} characters."
        raise LineError("invalid_value", message, "custom_id")
    if line["method"] != "POST":
        raise LineError("invalid_method", "'method' has to be 'POST'.", "method")
    if line["url"] != endpoint:
        message = f"The URL {str(line['url'])[:SHOWN]!r} is not the batch's endpoint, {endpoint!r}."
        raise LineError("url_mismatch", message, "url")
    body = line["body"]
    if not isinstance(body, dict):
        raise LineError("invalid_value", "'body' has to be an object.", "body")
    if body.get("stream"):
        raise LineError("invalid_value", "A batch has no streams: leave 'stream' out.", "body.stream")
    return Line(custom_id, dumps(body), body.get("model"))


def custom_id_of(raw: bytes) -> str | None:
    """The custom id of a line that may be no valid request. None if it has none."""
    try:
        custom_id = parse_json(raw).get("custom_id")
    except BadRequestError:
        return None
    return custom_id if isinstance(custom_id, str) and custom_id else None


def answer_row(custom_id: str, request_id: str, status: int, body: bytes) -> bytes:
    """A line of the output, or of the error file, with an answer as it came."""
    if b"\n" in body:
        body = dumps(json.loads(body))
    head = dumps({"id": f"batch_req_{request_id}", "custom_id": custom_id})
    response = b'{"status_code":%d,"request_id":%s,"body":%s}' % (status, dumps(request_id), body)  # type: ignore[arg-type]
    return head[:-1] + b',"response":' + response + b',"error":null}'


def unanswered_row(custom_id: str, row_id: str, code: str, message: str) -> bytes:
    """A line of the error file for a request that was not made."""
    error = {"code": code, "message": message}
    return dumps({"id": f"batch_req_{row_id}", "custom_id": custom_id, "response": None, "error": error})


def usage_of(detail: JSON) -> tuple[int, int, int, int]:
    """Input, cached, output and reasoning tokens by the record of a request."""
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    found: list[Any] = [detail.get(name) or 0 for name in names]
    return found[0], found[1], found[2], found[3]
