"""Batches of providers' own, as values: what all wire formats of them have in common, and where each is. Pure.

An item is the body of a call as the adapter of its operation made it, and what comes back for it is what the call would have been
answered, for the same adapter to read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Literal, NamedTuple, Protocol, cast

from haimaker.http.json import as_object, read_or_none
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.providers.provider import BatchAccount, NativeBatches

FORMATS: Mapping[str, str] = {
    "anthropic": "haimaker.adapters.anthropic.batches",
    "bedrock": "haimaker.adapters.bedrock.batches",
    "fireworks": "haimaker.adapters.fireworks.batches",
    "gemini": "haimaker.adapters.gemini.batches",
    "mistral": "haimaker.adapters.mistral.batches",
    "openai": "haimaker.adapters.openai.batches",
    "vertex": "haimaker.adapters.vertex.batches",
}
LISTED = 100
"""Batches that are looked through for one whose id was never learnt: it is among the newest."""

LINK = "link"
"""The host of a call whose path is a whole address, such as a provider hands out for a while: no credentials go there."""

State = Literal["running", "ended", "failed"]
RUNNING: State = "running"
ENDED: State = "ended"
FAILED: State = "failed"


class BatchItem(NamedTuple):
    custom_id: str
    body: bytes


class BatchCall(NamedTuple):
    """What all calls about one batch have in common."""

    name: str
    """Ours, of letters and digits; every custom id begins with it."""
    path: str
    """Of the calls that it stands for, such as `/chat/completions`."""
    model: str
    rules: NativeBatches
    size: int
    """How many requests are in it."""
    begun_s: float
    """When it was first about to be asked for."""
    own: BatchAccount = BatchAccount()
    """What the deployer named for it."""


class BatchStatus(NamedTuple):
    """How far a batch is. One that has failed did nothing, and costs nothing."""

    id: str
    state: State
    results: tuple[str, ...] = ()
    """What its answers are in, in the provider's words."""
    completed: int = 0
    failed: int = 0
    error: str = ""


class BatchAnswer(NamedTuple):
    custom_id: str
    status: int | None
    """None where the request was not made: the batch ended before."""
    body: bytes = b""


class BatchFormat(Protocol):
    """What a module has. Some have more, where it takes more steps:

    to_preparation(call)            the call before the upload; 409 says that it was made before
    to_readiness(file_id)           the call that asks whether what was uploaded can be used, where that takes time
    read_readiness(body)            its answer: ENDED if it can be, FAILED if it never will
    from_listing(body, status)      where the calls of `to_results` only tell where answers are: the calls that fetch them
    after_deletion(id, completed)   what has become of a batch that was cancelled, and is not there any more
    """

    def to_upload(self, items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest | None:
        """The call that uploads the items; None where they come with the one that begins the batch."""

    def read_upload(self, body: JSON, call: BatchCall) -> str:
        """The id of what was uploaded. Raises KeyError where there is none."""

    def to_batch(self, items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
        """The call that begins it."""

    def read_batch(self, body: JSON) -> BatchStatus:
        """The state that the answer tells, of the call that begins a batch or of one that asks how far it is. Raises KeyError."""

    def to_status(self, batch_id: str) -> UpstreamRequest: ...

    def to_cancel(self, batch_id: str) -> UpstreamRequest: ...

    def to_list(self, call: BatchCall) -> UpstreamRequest:
        """The call that lists the newest batches, or asks for the one by the name that was given to it."""

    def find(self, body: JSON, file_id: str, call: BatchCall) -> str | None:
        """The id of a batch in that list which was begun, but whose id was never learnt."""

    def to_results(self, status: BatchStatus) -> Sequence[UpstreamRequest]:
        """The calls that fetch its answers."""

    def from_results(self, pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
        """The answers in the body of one of those calls. `custom_ids` are of all items, as they were sent; what names another one
        is no answer."""


def find(name: str) -> BatchFormat:
    return cast(BatchFormat, import_module(FORMATS[name]))


def to_row(line: bytes) -> JSON:
    """The object in a line; an empty one where there is none."""
    return as_object(read_or_none(line))


def to_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a body that comes in pieces, without those that are blank."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if b"\n" in piece:
            *lines, last = rest.split(b"\n")
            rest = bytearray(last)
            yield from (bytes(line) for line in lines if line.strip())
    if rest.strip():
        yield bytes(rest)
