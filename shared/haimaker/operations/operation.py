"""One type for the requests of all operations, and the values that calls of them give. Pure.

Each operation is a module here with the fields it reads, the most that a request may use, and how an answer is told. Adapters say
how a provider does it, `upstream/call.py` makes the calls, `upstream/exchange.py` brings the answer to the client.
"""

import base64
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import CommonFields
from haimaker.pricing import costs, usage
from haimaker.pricing.usage import Usage

if TYPE_CHECKING:
    from haimaker.operations.stream_usage import StreamUsage

TELEMETRY_NAMES: Mapping[str, str] = {"audio_speech": "speech", "chat_completions": "chat", "completions": "text_completion"}
"""What records and metrics call an operation, where that is not its name: as OpenTelemetry does.
https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/#gen-ai-operation-name"""

ResponseKind = Literal["json", "events", "bytes"]
"""Of an answer: a JSON body, server-sent events, or bytes and text that nothing may be put between."""


@dataclass(frozen=True, slots=True)
class UpstreamBody:
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
        try:
            body = json.loads(self.raw)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise BadGatewayError("The provider's answer is not a JSON object.", code="invalid_provider_response")
        return body


class Result(NamedTuple):
    """A whole answer: a body in OpenAI's shape, or a text or bytes where it has none, and what was used if that is not in it."""

    body: Any
    """JSON, str or bytes."""
    usage: Usage | None = None
    native: JSON | None = None
    """The answer in the client's own format, as the provider gave it; `body` is then what the gateway reads of it."""


def sum_said_usage(results: Sequence[Result]) -> Usage | None:
    """What the parts of a request used together; None where one of them does not say it."""
    used = [result.usage for result in results if result.usage]
    return usage.sum_usages(used) if len(used) == len(results) else None


OUR_SIGNATURE = "haimaker"
"""How the signature of thinking begins that the gateway shows in place of a vendor's."""


def unpack_summary(item: object) -> str | None:
    """The summary that an item of compaction carries, if the gateway made it."""
    held = item.get("encrypted_content") if isinstance(item, dict) and item.get("type") == "compaction" else None
    if not isinstance(held, str) or not held.startswith(f"{OUR_SIGNATURE}:"):
        return None
    try:
        return base64.urlsafe_b64decode(held.partition(":")[2]).decode("utf-8", "replace")
    except ValueError:
        return None


def pack_summary(summary: str) -> str:
    return f"{OUR_SIGNATURE}:{base64.urlsafe_b64encode(summary.encode('utf-8', 'surrogatepass')).decode()}"


STORED = "stored"
"""The field of a native answer's body, or of its last chunk's, with what the record says of what the provider keeps."""
RESPONSE_PREFIX = "resp_"
"""The beginning of a response's id; what follows is the request's."""


class Original(NamedTuple):
    """What a client sent in another format than OpenAI's, beside its translation."""

    format: str
    """The operation by which the format is known, such as `messages`."""
    body: JSON
    spoken_by: Collection[str]
    """The adapters of those that speak the format: for their targets nothing is translated."""
    dropped: tuple[str, ...] = ()
    """Its parameters that the translation leaves out."""
    refusal: APIError | None = None
    """Why it can't be translated, so that only a target that speaks the format can serve it."""
    compacts: bool = False
    """Whether it asks for a shorter form of a conversation instead of an answer to it."""
    previous: str | None = None
    """The response from which it goes on, as the client names it; the body has the provider's name, or the conversation itself."""
    keep: Callable[[JSON], bool] | None = None
    """Stores a whole answer whose provider does not, where that is wanted and allowed; returns whether it could."""
    background: bool = False
    """Whether the answer is made while nobody waits for it, to be asked for later."""
    betas: tuple[str, ...] = ()
    """The features that are not finished yet of which the client makes use, where it says so in a header."""


class EventStream(NamedTuple):
    """An answer whose events are passed on as they come."""

    events: Iterator[StreamEvent]
    of_one_call: bool = False
    """Whether they wait for nothing but the bytes of a call that has been answered."""


class ByteStream(NamedTuple):
    """An answer whose bytes are passed on as they come, and somewhere among them what was used, if that is known."""

    content_type: str
    pieces: Iterator[bytes | Usage]


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """A checked request: `fields` are what the gateway reads, `body` is all that the client sent but for files, `size` in bytes.

    Abstract for type checkers alone: `ABCMeta` would make every isinstance slower.
    """

    fields: CommonFields
    body: JSON
    size: int
    files: tuple[tuple[str, UploadedFile], ...] = ()
    original: Original | None = None
    """The request in the client's format, where that is another one."""

    @property
    @abstractmethod
    def operation(self) -> str:
        """Its name, by which adapters, providers and functions know it."""

    @property
    def client_operation(self) -> str:
        """The operation that the client asked for: its own, or that of the format of which it is a translation."""
        return self.original.format if self.original and self.is_text else self.operation

    @property
    def model(self) -> str:
        return self.fields.model

    @property
    def streams(self) -> bool:
        return bool(self.fields.stream)

    @property
    def response(self) -> ResponseKind:
        return "events" if self.streams else "json"

    @property
    def is_text(self) -> bool:
        """Whether a model writes the answer, so that its length can be limited."""
        return False

    @property
    def max_output_tokens(self) -> int | None:
        """The client's own limit for one answer, if it set one."""
        return None

    def tool_calls(self, attempt: Attempt) -> int:
        """How many calls of the provider's own tools may follow one another, where it takes a limit of them; else 0."""
        return 0

    @property
    def choices(self) -> int:
        """How many answers are made, and paid for."""
        return 1

    @property
    def delivers(self) -> bool:
        """Whether what was made may have to be kept or fetched before it reaches the client."""
        return False

    def without(self, names: Collection[str]) -> Self:
        """The request without fields that are for the gateway itself."""
        body = {name: value for name, value in self.body.items() if name not in names}
        if self.original is None:
            return replace(self, body=body)
        sent = {name: value for name, value in self.original.body.items() if name not in names}
        return replace(self, body=body, original=self.original._replace(body=sent))

    def alike_parts(self, attempt: Attempt) -> Sequence[tuple[Self, int]]:
        """The calls that it takes, and of those that use as much as each other one and how many they are."""
        parts = self.split(attempt)
        numbers = Counter(map(id, parts))
        return [(part, numbers[each]) for each, part in {id(part): part for part in parts}.items()]

    @abstractmethod
    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        """No less than a target may bill for it, whatever it counts.

        `default_output_tokens` is reckoned with where neither the client nor the model has a limit.
        """

    def output_limit(self, attempt: Attempt, default: int, affordable: int | None) -> int:
        """What to limit an answer to, where the client does not and there is a budget to keep; of a text."""
        raise NotImplementedError

    @abstractmethod
    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        """About what a target bills, where it does not say; `sent_bytes` of its answer came."""

    def estimate_prompt(self, attempt: Attempt) -> int:
        """The tokens of the prompt in `estimate_usage`."""
        return self.estimate_usage(attempt).prompt

    def estimate_rate_tokens(self, attempt: Attempt, default_output_tokens: int) -> int:
        """What counts against a limit of tokens per minute until it is known."""
        estimate = self.estimate_usage(attempt)
        return estimate.prompt + estimate.completion

    def estimate_prompt_tokens(self) -> int:
        """About how many tokens a prompt has, where its provider does not say; 0 of what has no prompt."""
        return 0

    def is_priced(self, attempt: Attempt) -> bool:
        """Whether it is known what it costs at a target, which a key with a budget needs."""
        return costs.is_priced(self.max_usage(attempt), attempt.model_info)

    def usage_from(self, used: JSON) -> Usage:
        """The counts of a usage object in OpenAI's shape."""
        return usage.from_openai(used)

    def read_usage(self, body: Any, attempt: Attempt) -> Usage | None:
        """What a body says was used; None where it does not say, that can't be so, or it is nothing."""
        said = body.get("usage") if isinstance(body, dict) else None
        if not isinstance(said, dict) or not usage.is_plausible(said):
            return None
        tokens = trusted_usage(self.usage_from(said), attempt)
        counts = tokens.prompt or tokens.completion or costs.other_units(tokens) or tokens.reported_units is not None
        return tokens if counts else None

    def sum_usage(self, results: Sequence[Result]) -> Usage:
        """What the parts used together, by what each says of itself or else in its body."""
        return usage.sum_usages([result.usage or self.usage_from(result.body.get("usage") or {}) for result in results])

    def measure(self, result: Result) -> int:
        """Bytes of what a model wrote, for an estimate."""
        return 0

    def usage_object(self, tokens: Usage) -> JSON:
        """A usage object in OpenAI's shape for this operation, where the provider has none."""
        return {
            "input_tokens": tokens.prompt,
            "output_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
        }

    def inlines_images(self, attempt: Attempt) -> bool:
        """Whether the gateway fetches the images that are links, for a target that takes images inside the request only."""
        return attempt.provider.limits.inlines_images

    def with_inline_images(self, data_url: Callable[[str, str], str]) -> Self:
        """The request with data URLs for images that are links, for a target that takes no links. `data_url` makes one of a link
        and its place."""
        return self

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        """Splits the request for a target that takes at most `at_once` inputs, or gives so many results, in one call."""
        return [self]

    def merge(self, results: Sequence[Result]) -> Result:
        """The answers of the parts as one, in their order."""
        return results[0]

    def merge_streams(self, parts: Sequence["OperationRequest"], streams: Iterable[Iterator[StreamEvent]]) -> Iterator[StreamEvent]:
        """The streams of the parts of a text as one, in their order."""
        raise NotImplementedError

    def stream_usage(self) -> "StreamUsage":
        """What finds the usage in the events of one answer, and keeps back the one that will carry the cost."""
        from haimaker.operations.stream_usage import ResultUsage

        return ResultUsage(self)

    def render(self, result: Result) -> tuple[str, bytes]:
        """Content type and bytes of a whole answer."""
        if isinstance(result.body, dict):
            return "application/json", dumps(result.body)
        if isinstance(result.body, str):
            return "text/plain; charset=utf-8", result.body.encode("utf-8", "surrogatepass")
        return "application/octet-stream", result.body

    def as_events(self, result: Result) -> Iterator[StreamEvent]:
        """A whole answer as the events of a stream, for a client that asked for one where the provider has none."""
        raise NotImplementedError

    def events_from_bytes(self, pieces: Iterator[bytes]) -> Iterator[StreamEvent]:
        """Bytes as the events of a stream, for a client that asked for events where the provider sends bytes."""
        raise NotImplementedError


def trusted_usage(tokens: Usage, attempt: Attempt) -> Usage:
    """The cost that an answer reports counts only from a provider that is known to report it."""
    if tokens.reported_units is None or attempt.provider.catalog.reports_cost:
        return tokens
    return replace(tokens, reported_units=None)
