"""One call at one target: translated, sent, its answer translated back, and what goes wrong said as an APIError."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from haimaker import adapters
from haimaker.accounts.keys import owner_of
from haimaker.adapters import Adapter
from haimaker.adapters.first_chunk import has_content, read_error_body
from haimaker.adapters.openai_types import EVENT_SHAPES, SHAPES, conform
from haimaker.billing.settlement import AttemptLog
from haimaker.credentials.headers import auth_headers
from haimaker.http import errors, sse
from haimaker.http.client import MAX_WHOLE_BYTES, CancelToken, Timeouts, TransportError, read_whole
from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.json import read_or_none
from haimaker.http.values import AttemptTimeouts, Event, ProviderAnswer, StreamEvent, UpstreamResponse
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream, EventStream, OperationRequest, Result, UpstreamBody, trusted_usage
from haimaker.pricing.usage import Usage, sum_usages
from haimaker.providers.provider import Dialect
from haimaker.upstream.batch_answers import BATCH_TIER, response_of
from haimaker.upstream.call_errors import CallErrors
from haimaker.upstream.clients import ProviderClients

if TYPE_CHECKING:
    from haimaker.upstream.image_delivery import Delivered
    from haimaker.upstream.image_fetcher import FetchBounds, HeldBytes

CONNECT_S = 10.0
MAX_TURNS = 5
"""The most turns of an answer that its provider pauses."""
BETAS = "anthropic-beta"
ERROR_BYTES = 1_000_000
AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"
STREAMS = ("text/event-stream", "application/x-ndjson")

T = TypeVar("T")


@dataclass(slots=True)
class UpstreamCall:
    """Makes the calls of one request."""

    clients: ProviderClients
    request: OperationRequest
    headers: Mapping[str, str] = field(repr=False)
    deadline_s: float
    """Monotonic."""
    cancel: CancelToken
    end_s: float = 0.0
    """Of a stream that has begun, monotonic; its client waits for each byte anew."""
    can_go_on: Callable[[Attempt, Usage], bool] = lambda attempt, used: True
    """Whether another turn of an answer that was paused is reserved, beside what its turns have used so far."""
    answer: ProviderAnswer | None = None
    """Of a request that its provider has answered already, in a batch: it is read as if it came now, and nothing is sent."""
    _inlined: OperationRequest | None = None
    _held: "HeldBytes | None" = None
    _answers: dict[str, dict[int, Result]] = field(default_factory=dict)
    """Of the parts of a request that takes several calls, by target and number: what has been answered is not asked for again."""

    def open(self, attempt_log: AttemptLog) -> Result | EventStream | ByteStream:
        """A whole answer, or the events or bytes of one; returns when it is complete, or when the first of them has come.

        At a target that takes few inputs, or gives few results, at once it is made of the answers of several calls.
        Raises APIError, also while a stream is read.
        """
        request, attempt = self.request, attempt_log.attempt
        if self.answer:
            attempt_log.service_tier = BATCH_TIER
        elif request.inlines_images(attempt):
            request = self._inlined = self._inlined or self.clients.images.inline_images(request, self.fetch_bounds())
        adapter = adapters.find(request, attempt)
        from_bytes, parts = getattr(adapter, "from_bytes", None), _split(request, attempt, adapter)
        if request.response != "events" and not from_bytes:
            if len(parts) == 1:
                return self._read(attempt_log, parts[0], adapter, self._send(attempt_log, parts[0], adapter))
            return self._merged(attempt_log, parts, adapter)
        if len(parts) > 1:
            if not request.is_text:
                return self._as_events(self._merged(attempt_log, parts, adapter))
            streams = (self._events(attempt_log, part, adapter, self._send(attempt_log, part, adapter)) for part in parts)
            return EventStream(_begun(request.merge_streams(parts, streams)))
        response = self._send(attempt_log, request := parts[0], adapter)
        if from_bytes:
            stream: ByteStream = from_bytes(response, request, attempt)
            pieces = _begun(self._pieces(attempt_log, request, response, stream.pieces))
            if request.response == "events":
                return EventStream(request.events_from_bytes(pieces))
            return ByteStream(stream.content_type, pieces)
        kind = response.headers.get("content-type", "")
        if not request.is_text and not (hasattr(adapter, "from_stream") and kind.startswith(STREAMS)):
            return self._as_events(self._read(attempt_log, request, adapter, response))
        of_one_call = adapters.paused_turn(request, attempt) is None
        events = self._events(attempt_log, request, adapter, response)
        goes_on = request.original and request.original.background and attempt.provider.limits.runs_in_background
        if goes_on:  # its id is to be known, long before it says anything
            return EventStream(events, of_one_call)
        return EventStream(_begun(events), of_one_call)

    def is_all_of(self, attempt: Attempt) -> bool:
        """Whether an attempt is one call of a provider and nothing else."""
        provider, access = attempt.provider, self.clients.access.get(attempt.provider.name)
        has_key = access is not None and bool(access.api_key or not (access.tokens or access.credentials))
        return has_key and not provider.offline and not provider.limits.inlines_images and len(self.request.split(attempt)) == 1

    def unanswered_parts(self, attempt: Attempt) -> Sequence[OperationRequest]:
        """What another try of a target would ask for: the request, or those of its parts that have no answer yet."""
        if not (answers := self._answers.get(attempt.target)):
            return [self.request]
        parts = _split(self.request, attempt, adapters.find(self.request, attempt))
        return [part for number, part in enumerate(parts) if number not in answers]

    def deliver(self, result: Result) -> "Delivered":
        """The images of a result as the client wants them, by link or as bytes."""
        from haimaker.upstream.image_delivery import FETCH_S, Delivery  # only images need it

        delivery = Delivery(self.clients.files(self.headers), self.clients.images, self.fetch_bounds(FETCH_S))
        return delivery.deliver(result, getattr(self.request, "response_format", None))

    def fetch_bounds(self, seconds: float | None = None) -> "FetchBounds":
        """The bounds of fetching images that are links."""
        from haimaker.upstream.image_fetcher import FetchBounds, HeldBytes

        if self._held is None:
            self._held = HeldBytes(owner_of(self.headers))
        return FetchBounds.for_request(self.deadline_s, self._held, self.cancel, seconds)

    def release(self) -> None:
        """Once it is answered: what was fetched for it counts no more."""
        if self._held:
            self._held.give_back()

    def _merged(self, attempt_log: AttemptLog, parts: Sequence[OperationRequest], adapter: Adapter) -> Result:
        from haimaker.upstream.parallel import call_in_parallel  # few requests need it

        def call(own: AttemptLog, part: OperationRequest) -> Result:
            return self._read(own, part, adapter, self._send(own, part, adapter))

        answers = self._answers.setdefault(attempt_log.attempt.target, {})
        return self.request.merge(call_in_parallel(attempt_log, parts, answers, call))

    def _as_events(self, result: Result) -> EventStream:
        return EventStream(self.request.as_events(self.deliver(result).result if self.request.delivers else result))

    def _send(self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, turn: Any = None) -> UpstreamResponse:
        """A 2xx answer whose body is still to be read, or what follows a turn of one. Raises APIError for any other."""
        attempt, provider = attempt_log.attempt, attempt_log.attempt.provider
        if provider.auth.signs_as:
            attempt = replace(attempt, region=self.clients.access[provider.name].region)
        request = adapter.to_upstream(part, attempt)
        request = turn.resume_request(request) if turn else request
        attempt_log.dropped = request.dropped
        if part.original and not adapters.is_native(part, attempt):
            attempt_log.dropped = (*part.original.dropped, *request.dropped)
        with self._errors(attempt_log, part, answered=False):
            if self.answer:
                response = response_of(self.answer)
            elif provider.offline:
                from haimaker import demo

                response = demo.send(request, attempt.request_id, attempt.created_s)
            else:
                left_s = self.deadline_s - time.monotonic()
                if left_s <= 0 or self.cancel.requested:
                    raise TransportError("There was no time left to ask the provider.", sent=False, timed_out=True)
                access = self.clients.access[provider.name].for_operation(part.operation, provider.endpoint.base_url)
                access = access.with_version(request.version)
                place = provider.endpoint.path_for(streamed=self.request.streams)
                request = replace(request, path=access.path_of(request.path, attempt.model, place))
                headers, lost = forwarded_headers(provider.dialect, request.headers, self.headers)
                attempt_log.dropped = (*attempt_log.dropped, *lost)
                headers |= auth_headers(provider, access, request, time.time())
                timeouts = self._timeouts(attempt.timeouts, left_s)
                response = self.clients.http_client.send(request, access.base_url, headers, timeouts, self.cancel)
            attempt_log.first_byte_ms = round((time.time() - attempt_log.started_s) * 1000)
            if 200 <= response.status < 300:
                return response
            said = adapter.read_error(read_error_body(read_beginning(response.pieces)))
            raise errors.from_upstream(response.status, said, response.headers, time.time())

    def _timeouts(self, limits: AttemptTimeouts, left_s: float) -> Timeouts:
        """The least of what the request has left and what its target may take."""
        now_s = time.monotonic()
        first_s = min(left_s, limits.first_byte_s, limits.total_s)
        between_s = min(max(left_s, self.end_s - now_s), limits.between_s, limits.total_s)
        return Timeouts(min(CONNECT_S, first_s), first_s, between_s, now_s + limits.total_s)

    def _read(self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, response: UpstreamResponse) -> Result:
        """The whole of an answer in the operation's shape, and in `trial` what it used."""
        body, turn = self._body(attempt_log, part, response), adapters.paused_turn(part, attempt_log.attempt)
        if not turn:
            return self._result(attempt_log, part, adapter, body)
        body = UpstreamBody(body.headers, turn.read_whole(body.raw))
        with suppress(APIError):  # what came before is an answer all the same
            for _ in range(MAX_TURNS - 1):
                if resumed := self._resumed(attempt_log, part, adapter, turn):
                    body = UpstreamBody(body.headers, turn.read_whole(self._body(attempt_log, part, resumed).raw))
        lost = attempt_log.tokens  # a turn that was asked for and has no end
        result = self._result(attempt_log, part, adapter, body)
        if lost and attempt_log.tokens:
            attempt_log.set_usage(sum_usages([attempt_log.tokens, turn.with_whole_prompt(lost)]), estimated=True)
        if self.cancel.requested:
            raise BadGatewayError("The request was given up.", code="cancelled")
        return result

    def _resumed(self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, turn: Any) -> UpstreamResponse | None:
        """What follows a turn that was paused; None where nothing does, or can't be paid for, so that the answer ends there."""
        if not turn.is_paused or self.answer or not self.can_go_on(attempt_log.attempt, turn.tokens):
            return None
        with suppress(APIError):
            return self._send(attempt_log, part, adapter, turn)
        return None

    def _turns(
        self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, response: UpstreamResponse
    ) -> Iterator[Event]:
        """The events of an answer, also of the turns that follow when it is paused."""
        turn = adapters.paused_turn(part, attempt_log.attempt)
        if not turn:
            yield from decode(response)
            return
        attempt_log.counted = turn.counted
        yield from turn.read(decode(response))
        for _ in range(MAX_TURNS - 1):
            if resumed := self._resumed(attempt_log, part, adapter, turn):
                try:
                    yield from turn.read(decode(resumed))
                finally:
                    _close(resumed)

    def _body(self, attempt_log: AttemptLog, part: OperationRequest, response: UpstreamResponse) -> UpstreamBody:
        came = CountedPieces(response.pieces)
        try:
            with self._errors(attempt_log, part, answered=True):
                return UpstreamBody(response.headers, read_whole(came))
        except APIError:
            attempt_log.set_usage(part.estimate_usage(attempt_log.attempt, came.meant), estimated=True)
            raise

    def _result(self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, body: UpstreamBody) -> Result:
        """What is of no use, but says what it used or has begun to be an answer, has been paid for."""
        attempt = attempt_log.attempt
        try:
            with self._errors(attempt_log, part, answered=True):
                result = adapter.from_upstream(body, part, attempt)
                if isinstance(result.body, dict) and (shape := SHAPES.get(part.operation)):
                    result = result._replace(body=conform(result.body, shape))
        except APIError as error:
            if not error.usage:
                _set_usage_of(body.raw, attempt_log, part)
            raise
        used = trusted_usage(result.usage, attempt) if result.usage else part.read_usage(result.body, attempt)
        attempt_log.set_usage(used or part.estimate_usage(attempt, part.measure(result)), estimated=used is None)
        return result

    def _events(
        self, attempt_log: AttemptLog, part: OperationRequest, adapter: Adapter, response: UpstreamResponse
    ) -> Generator[StreamEvent, None, None]:
        """The events of an answer that is a stream, a list of what its events would hold, or whole."""
        try:
            if response.headers.get("content-type", "").startswith("application/json"):
                body = self._body(attempt_log, part, response)
                said = read_or_none(body.raw)
                if not (isinstance(said, list) and said and all(isinstance(each, dict) for each in said)):
                    yield from part.as_events(self._result(attempt_log, part, adapter, body))
                    return
                events: Iterator[Event] = (Event(sse.dumps(each)) for each in said)
            else:
                events = self._turns(attempt_log, part, adapter, response)
            shape = EVENT_SHAPES.get(part.operation)
            with self._errors(attempt_log, part, answered=True):
                conforms: object = None  # the template of chunks whose shape was right
                for event in adapter.from_stream(events, part, attempt_log.attempt):
                    if shape is None or (event.template is not None and event.template is conforms):
                        yield event
                        continue
                    shown = conform(event.body, shape)
                    if shown is event.body:
                        conforms = event.template or conforms
                        yield event
                    else:
                        yield event._replace(body=shown, raw=None, template=None)
        finally:
            _close(response)

    def _pieces(
        self, attempt_log: AttemptLog, part: OperationRequest, response: UpstreamResponse, pieces: Iterator[bytes | Usage]
    ) -> Generator[bytes, None, None]:
        try:
            with self._errors(attempt_log, part, answered=True):
                for piece in pieces:
                    if isinstance(piece, Usage):
                        attempt_log.set_usage(piece, estimated=False)
                    elif piece:
                        yield piece
        finally:
            _close(response)

    def _errors(self, attempt_log: AttemptLog, part: OperationRequest, *, answered: bool) -> CallErrors:
        return CallErrors(self.clients, self.cancel, attempt_log, part, answered)


def _split(request: OperationRequest, attempt: Attempt, adapter: Adapter) -> Sequence[OperationRequest]:
    most_at_once = getattr(adapter, "most_at_once", None)
    return request.split(attempt, most_at_once(attempt) if most_at_once else None)


def _set_usage_of(raw: bytes, attempt_log: AttemptLog, part: OperationRequest) -> None:
    """What a body of no use has used, by its own count or by its size."""
    said, attempt = read_or_none(raw), attempt_log.attempt
    if isinstance(said, dict):
        if used := part.read_usage(said, attempt):
            attempt_log.set_usage(used, estimated=False)
        elif isinstance(said.get("usage"), dict) and said["usage"]:
            attempt_log.set_usage(part.estimate_usage(attempt, part.measure(Result(said))), estimated=True)
    elif part.is_text and raw.lstrip().startswith((b"{", b"data:")):
        attempt_log.set_usage(part.estimate_usage(attempt, len(raw)), estimated=True)


def decode(response: UpstreamResponse) -> Iterator[Event]:
    if response.headers.get("content-type", "").startswith(AWS_EVENT_STREAM):
        from haimaker.http import eventstream  # few providers speak it

        return eventstream.decode(response.pieces)
    return sse.decode(response.pieces)


def _begun(items: Iterator[T]) -> Iterator[T]:
    """The items, once the first has come that says something. Raises BadGatewayError if none does."""
    first: list[T] = []
    for item in items:
        first.append(item)
        if not isinstance(item, StreamEvent) or has_content(item.body):
            break
    if not first:
        raise BadGatewayError("The provider's answer holds nothing.", code="invalid_provider_response")
    return chain(first, items)


def _close(response: UpstreamResponse) -> None:
    if isinstance(response.pieces, Generator):
        response.pieces.close()


def read_beginning(pieces: Iterator[bytes]) -> bytes:
    """The beginning of an error's body, as much as can matter."""
    raw = bytearray()
    for piece in pieces:
        raw += piece
        if len(raw) > ERROR_BYTES:
            break
    if isinstance(pieces, Generator):
        pieces.close()
    return bytes(raw)


@dataclass(slots=True)
class CountedPieces(Iterator[bytes]):
    """Pieces, and how many bytes have come."""

    pieces: Iterator[bytes]
    size: int = 0

    @property
    def meant(self) -> int:
        """The bytes of an answer, none of one that is larger than any."""
        return self.size if self.size <= MAX_WHOLE_BYTES else 0

    def __next__(self) -> bytes:
        piece = next(self.pieces)
        self.size += len(piece)
        return piece


def forwarded_headers(dialect: Dialect, own: Mapping[str, str], sent: Mapping[str, str]) -> tuple[dict[str, str], Sequence[str]]:
    """The headers of those that a client `sent` and its provider is told, each behind what a call has of it on its `own`; and the
    names of what is left out of them."""
    told, lost = {name: value for name in dialect.forwards if _is_plain(value := sent.get(name, ""))}, list[str]()
    if dialect.betas is not None and BETAS in told:
        told[BETAS], lost = _known_betas(told[BETAS], dialect.betas)
    return {name: ",".join(filter(None, (own.get(name), value))) for name, value in told.items()}, lost


def _known_betas(value: str, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """The header for a provider that has these, and the names of what is left out."""
    names = [name.strip() for name in value.split(",")]
    kept = dict.fromkeys(known[name] for name in names if name in known)
    return ",".join(kept), [f"{BETAS}.{name}" for name in names if name and name not in known]


def _is_plain(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable()
