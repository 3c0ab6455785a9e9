"""How a client asks and is answered: one value for each format, made in `api/formats/`. Pure."""

from collections.abc import Callable, Iterator

from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.operation import OperationRequest, Result


@dataclass(frozen=True, slots=True)
class ClientFormat:
    """Functions between a client's format and a request of an operation, whose answers are in OpenAI's shape."""

    parse: Callable[[Request], OperationRequest]
    """Raises BadRequestError."""
    render: Callable[[OperationRequest, Result, str], tuple[str, bytes]]
    """Content type and bytes of a whole answer to the request with this id; the answer has its cost in it."""
    events: Callable[[OperationRequest, Iterator[StreamEvent], str], Iterator[bytes]]
    """What is written of a stream, whose last event has the usage, if it is to be told, with its cost. Each piece is one event."""
    render_error: Callable[[APIError, str], JSON]
    """The body of an answer that is an error, of the request with this id."""
    error_event: Callable[[APIError, str, int], bytes]
    """What ends a stream that breaks off after so many events."""
    keep_alive: bytes
    """What is written into a silent stream, between two events."""
    resumes: bool = False
    """Whether a request may go on from an earlier answer that its provider keeps."""
    done: bytes = b""
    """What follows the last event of a stream that is complete."""
    stream_type: str = "text/event-stream; charset=utf-8"
    """The content type of a stream."""
    choose: "Callable[[Request], ClientFormat] | None" = None
    """Which of several a request asks for, where that is not said by its path."""
