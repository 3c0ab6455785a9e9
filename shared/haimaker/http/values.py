"""Frozen values that pass between pure code and I/O: requests, responses and events, with no behaviour of their own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from haimaker.lean_dataclasses import dataclass, field

JSON = dict[str, Any]
ANTHROPIC = "anthropic-version"
"""The header by which Anthropic's clients are known."""


class ProviderAnswer(NamedTuple):
    """What a provider's own batch answered to one request of it."""

    target: str
    """`provider/model` that was asked."""
    batch_id: str
    """The provider's."""
    status: int
    """0 where nothing is known of the answer, which may be billed all the same."""
    body: bytes
    told_s: float
    """When the batch was seen to have ended: the same however often its answers are read."""


class BatchLine(NamedTuple):
    """Which line of a batch a request is."""

    batch_id: str
    number: int
    custom_id: str
    asked_before: tuple[str, ...] = ()
    """The requests as which the same line was asked before: of a process that died, or that failed."""
    answer: ProviderAnswer | None = None
    """Of a line that its provider has answered in a batch of its own: nobody is asked any more."""

    def to_record(self) -> JSON:
        again = {"asked_before": list(self.asked_before)} if self.asked_before else {}
        natively = {"provider_batch": self.answer.batch_id} if self.answer else {}
        return {"batch": self.batch_id, "batch_line": self.number + 1, "custom_id": self.custom_id, **again, **natively}


def _no_upload(upload_id: str) -> bytes:
    raise LookupError(upload_id)


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request. `headers` have lower-case names, `query` and `path` hold decoded values."""

    id: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    seconds_left: Callable[[], float] = lambda: float("inf")
    """Seconds until the platform ends this invocation."""
    client_left: Callable[[], bool] = lambda: False
    """Whether the client is known to have closed the connection; a door that can't know says False."""
    send_now: Callable[[bytes], None] | None = field(default=None, repr=False)
    """Writes a piece of an answer whose body the door is asking for the next one, in the same thread: what came may then leave
    before more is waited for. None where a door can't. Raises OSError."""
    begin_now: "Callable[[Response], None] | None" = field(default=None, repr=False)
    """Writes the head of an answer before the door has it, from any thread; pieces may then leave by `send_now`, and of what is
    returned only the body does. None where a door can't. Raises OSError."""
    pieces: Iterator[bytes] | None = field(default=None, repr=False)
    """The body as it comes, in place of `body`, where the operation and the server take it so."""
    batch: BatchLine | None = None
    """The line of a batch that it is, where nobody waits for it."""
    allowed_ids: Collection[str] = ()
    """Ids of what is kept in the account at a provider, which every client may name."""
    upload: Callable[[str], bytes] = _no_upload
    """Reads a file that the client uploaded before, by its id. Raises APIError; LookupError where there are no uploads."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer when `body` is bytes, a streamed one when it is an iterator."""

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterator[bytes]


class AttemptTimeouts(NamedTuple):
    """How long one attempt may take, in seconds; infinite where only the request's own end counts."""

    total_s: float = float("inf")
    first_byte_s: float = float("inf")
    between_s: float = float("inf")
    """The longest wait from one piece of an answer to the next."""

    def capped_by(self, outer: "AttemptTimeouts") -> "AttemptTimeouts":
        """The shorter of each two timeouts."""
        return AttemptTimeouts(
            min(self.total_s, outer.total_s), min(self.first_byte_s, outer.first_byte_s), min(self.between_s, outer.between_s)
        )


NO_TIMEOUTS = AttemptTimeouts()


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A call to a provider, without its address or secrets: `path` follows the provider's base URL."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    dropped: tuple[str, ...] = ()
    """Parameters of the client that the provider does not take."""
    version: str = ""
    """The version of the API, such as `v1`, where it is not the one that ends the provider's base URL."""
    host: str = ""
    """Where it goes to another host of the provider's, such as its storage: by the name that the provider's batches have for it."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A provider's answer; `pieces` are the bytes of its body as they arrive and can be read once."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


class Event(NamedTuple):
    """One server-sent event: its data, lines joined by a newline, and its name, empty when it had none."""

    data: bytes
    name: str = ""


class StreamEvent(NamedTuple):
    """One chunk of a streamed answer. `raw` is its JSON as the provider sent it, None once the body was edited."""

    body: JSON
    raw: bytes | None = None
    native: tuple[Event, ...] = ()
    """Of a provider that speaks the client's own format: its events, of which `body` is what the gateway reads."""
    template: object | None = None
    """The same object in chunks that differ in their text only, so that a check of one holds for the others."""
    text_bytes: int = 0
    """The bytes of the text of a chunk that has a template."""
    so_far: JSON | None = None
    """Of a provider that counts a prompt at the begin: OpenAI's `usage` as it was told then, for a stream that is cut."""


class ErrorFields(NamedTuple):
    """What a provider says of a failure, in OpenAI's vocabulary; empty or None where it does not say."""

    message: str = ""
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    """Seconds to wait, of a provider that says so in the body instead of a header."""
