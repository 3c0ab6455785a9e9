"""What the operations besides text generation have in common: embeddings, images, audio, moderations, rerank. Pure.

Each is a module here with the fields it reads, the most that a request may use, and how an answer is told. Adapters say how
a provider does it. `upstream/operation_call.py` makes the calls, `upstream/operation_exchange.py` brings the answer to the client.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from haimaker.http.errors import BadGatewayError
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.chat import Accepted
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's 2xx answer with all of its body."""

    headers: Mapping[str, str]
    raw: bytes = field(repr=False)

    def json(self) -> Any:
        """Raises BadGatewayError for what is no JSON."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            raise BadGatewayError("The provider's answer is not JSON.", code="invalid_provider_response") from None

    def object(self) -> JSON:
        """Raises BadGatewayError for what is no JSON object."""
        body = self.json()
        if not isinstance(body, dict):
            raise BadGatewayError("The provider's answer is not a JSON object.", code="invalid_provider_response")
        return body


class Made(NamedTuple):
    """What came of a call: a body in OpenAI's shape, or a text or bytes where it has none, and what was used if that is known."""

    body: JSON | str | bytes
    tokens: Usage | None = None


class Sound(NamedTuple):
    """An answer that is passed on as it comes: what it is, its bytes, and somewhere among them what was used, if that is known."""

    content_type: str
    pieces: Iterator[bytes | Usage]


class Pieces(NamedTuple):
    """The same for the client."""

    content_type: str
    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Task(Accepted):
    """An accepted request of such an operation. `body` is all that the client sent, but for files."""

    files: tuple[tuple[str, UploadedFile], ...] = ()

    def tokens(self, used: JSON) -> Usage:
        """The counts of a usage object in OpenAI's shape."""
        return usage.from_openai(used)

    def inlined(self, data_url: Callable[[str, str], str]) -> "Task":
        """With images that are links as data URLs, for a target that takes no links; `data_url` takes the place of one as well."""
        return self

    def parts(self, most: int) -> "Sequence[Task]":
        """As several requests, for a target that takes at most so many inputs, or gives so many results, at once."""
        return [self]

    def joined(self, mades: Sequence[Made]) -> Made:
        """The answers of the parts as one, in their order."""
        return mades[0]

    def rendered(self, made: Made) -> tuple[str, bytes]:
        """Content type and bytes of a whole answer."""
        if isinstance(made.body, dict):
            return "application/json", dumps(made.body)
        if isinstance(made.body, str):
            return "text/plain; charset=utf-8", made.body.encode("utf-8", "surrogatepass")
        return "application/octet-stream", made.body

    def usage(self, tokens: Usage) -> JSON:
        """A usage object in OpenAI's shape for this operation, where the provider has none."""
        return {
            "input_tokens": tokens.prompt,
            "output_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
        }

    @property
    def delivers(self) -> bool:
        """Whether what was made may have to be kept or fetched before it reaches the client."""
        return False

    @property
    def in_pieces(self) -> bool:
        """Whether the answer is bytes that are passed on as they come."""
        return False

    def as_events(self, made: Made) -> Iterator[StreamEvent]:
        """A whole answer as the events of a stream, for a client that asked for one where the provider has none."""
        raise NotImplementedError

    def from_pieces(self, pieces: Iterator[bytes]) -> Iterator[StreamEvent]:
        """Bytes as the events of a stream, for a client that asked for events where the provider sends bytes."""
        raise NotImplementedError


def is_last(event: JSON) -> bool:
    """Whether an event of OpenAI's ends the answer, or one of several results, and tells what was used."""
    return str(event.get("type")).endswith((".done", ".completed"))
