"""One call at one target: translated, sent, its answer translated back, and what goes wrong said as an APIError."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from haimaker import adapters, demo
from haimaker.accounts.keys import owner_of
from haimaker.adapters import Adapter, splitting
from haimaker.adapters import openai_types as types
from haimaker.adapters.openai_types import conform
from haimaker.billing.estimates import estimate_prompt_tokens, estimate_usage
from haimaker.billing.settlement import AttemptLog
from haimaker.credentials import headers as credential_headers
from haimaker.credentials.access import ProviderConnection
from haimaker.http import errors, sse
from haimaker.http.client import MAX_WHOLE_BYTES, AnswerTooLarge, CancelToken, HTTPClient, Timeouts, TransportError, read_whole
from haimaker.http.errors import APIError, APITimeoutError, BadGatewayError
from haimaker.http.values import JSON, AttemptTimeouts, Event, StreamEvent, UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import Accepted, Asked, ChatRequest
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.routing.health import Health
from haimaker.upstream.stream_usage import text_bytes

if TYPE_CHECKING:
    from haimaker.files import FileStore
    from haimaker.settings.settings import Settings
    from haimaker.upstream.image_fetcher import FetchBounds, ImageFetcher

CONNECT_S = 10.0
ERROR_BYTES = 1_000_000
AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class Upstreams:
    """What reaching providers takes, shared by all requests."""

    http_client: HTTPClient
    access: Mapping[str, ProviderConnection]
    health: Health
    settings: "Settings | None" = None

    def files(self, headers: Mapping[str, str]) -> "FileStore | None":
        """The place for files, as a request with these headers reaches it; None where there is none."""
        from haimaker.files import file_store_for  # few operations need it

        return file_store_for(self.settings, headers) if self.settings else None

    @cached_property
    def images(self) -> "ImageFetcher":
        from haimaker.upstream.image_fetcher import ImageFetcher  # few providers need it

        return ImageFetcher()


@dataclass(slots=True)
class Caller:
    """Makes the calls of one request for text; `operation_call.py` has those of other operations."""

    upstreams: Upstreams
    request: Accepted
    headers: Mapping[str, str] = field(repr=False)
    deadline_s: float
    """Monotonic."""
    cancel: CancelToken
    end_s: float = 0.0
    """Of a stream that has begun, monotonic; its client waits for each byte anew."""
    _inlined: ChatRequest | None = None
    _sent: Accepted | None = None
    """The request of the last call: all of the client's, or its part for one prompt."""

    def whole(self, attempt_log: AttemptLog) -> JSON:
        """The answer in OpenAI's format; from a provider that gives one choice, as many calls as there are to be."""
        requests = self._requests(attempt_log.attempt)
        if len(requests) == 1:
            return self._whole(attempt_log, requests[0])
        from haimaker.upstream.parallel import side_by_side  # few requests need it

        return splitting.joined(side_by_side(attempt_log, requests, lambda own, request: replace(self)._charged(own, request)))

    def stream(self, attempt_log: AttemptLog) -> Iterator[StreamEvent]:
        """Its chunks; returns when the first one has come."""
        requests = self._requests(attempt_log.attempt)
        streams = (self._chunks(self._open(attempt_log, request), attempt_log) for request in requests)
        if len(requests) == 1:
            chunks = next(streams)
        else:
            prompts = [estimate_prompt_tokens(request) for request in requests]
            chunks = splitting.one_after_another(streams, prompts, requests[0].fields.n or 1)
        first = next(chunks, None)
        if first is None:
            raise BadGatewayError("The provider's stream holds nothing.", code="invalid_provider_response")
        return chain((first,), chunks)

    def _requests(self, attempt: Attempt) -> list[Asked]:
        """What to ask of a target; images are fetched for the first that takes no links."""
        request = self.request
        if attempt.provider.limits.inlines_images and isinstance(request, ChatRequest):
            request = self._inlined = self._inlined or self.upstreams.images.inlined(request, self.fetch_bounds())
        assert isinstance(request, Asked)
        return splitting.split(request, attempt)

    def fetch_bounds(self, seconds: float | None = None) -> "FetchBounds":
        """For images that are fetched from where they are."""
        from haimaker.upstream.image_fetcher import FetchBounds

        return FetchBounds.within(self.deadline_s, owner_of(self.headers), self.cancel, seconds)

    @property
    def _shape(self) -> types.Shape:
        return types.CHAT if isinstance(self.request, ChatRequest) else types.COMPLETION

    def _adapter(self, attempt_log: AttemptLog) -> Adapter:
        adapter: Adapter = adapters.find(self.request, attempt_log.attempt)
        return adapter

    def _whole(self, attempt_log: AttemptLog, request: Asked) -> JSON:
        response = self._open(attempt_log, request)
        came = Counted(response.pieces)
        try:
            with self._explaining(attempt_log, answered=True):
                raw = read_whole(came)
        except APIError:
            self._estimate(attempt_log, came.meant)
            raise
        body = _json(raw)
        if not isinstance(body, dict):
            if raw.lstrip().startswith((b"{", b"data:")):
                self._estimate(attempt_log, len(raw))
            raise BadGatewayError("The provider's answer is not a JSON object.", code="invalid_provider_response")
        return self._translated(body, attempt_log)

    def _translated(self, body: JSON, attempt_log: AttemptLog) -> JSON:
        """A 2xx body in OpenAI's format; one that is of no use but says what was used has been paid for."""
        try:
            with self._explaining(attempt_log, answered=True):
                return conform(self._adapter(attempt_log).from_upstream(body, attempt_log.attempt), self._shape)
        except APIError:
            if isinstance(body.get("usage"), dict) and body["usage"]:
                self._charge(attempt_log, body)
            raise

    def _charged(self, attempt_log: AttemptLog, request: Asked) -> JSON:
        """One of several: what it used is to be paid for even if another one fails."""
        body = self._whole(attempt_log, request)
        self._charge(attempt_log, body)
        return body

    def _charge(self, attempt_log: AttemptLog, body: JSON) -> None:
        tokens = _used(self._sent or self.request, attempt_log.attempt, body)
        reports = attempt_log.attempt.provider.catalog.reports_cost
        attempt_log.set_usage(
            tokens if reports else replace(tokens, reported_units=None), estimated=not usage.is_plausible(body.get("usage"))
        )

    def _chunks(self, response: UpstreamResponse, attempt_log: AttemptLog) -> Iterator[StreamEvent]:
        adapter = self._adapter(attempt_log)
        try:
            with self._explaining(attempt_log, answered=True):
                if response.headers.get("content-type", "").startswith("application/json"):
                    chunks = self._of_json(response, attempt_log)
                else:
                    chunks = adapter.from_stream(decode(response), attempt_log.attempt)
                for chunk in chunks:
                    body = conform(chunk.body, self._shape)
                    yield chunk if body is chunk.body else StreamEvent(body)
        finally:
            if isinstance(response.pieces, Generator):
                response.pieces.close()

    def _of_json(self, response: UpstreamResponse, attempt_log: AttemptLog) -> Iterator[StreamEvent]:
        """The chunks of an answer that is no stream: a list of what its events would hold, or whole."""
        body = _json(read_whole(response.pieces))
        if isinstance(body, list) and body and all(isinstance(each, dict) for each in body):
            return self._adapter(attempt_log).from_stream((Event(sse.dumps(each)) for each in body), attempt_log.attempt)
        if not isinstance(body, dict):
            raise BadGatewayError("The provider's answer is not a JSON object.", code="invalid_provider_response")
        from haimaker.adapters.as_chunks import as_chunks  # few providers need it

        return as_chunks(self._translated(body, attempt_log))

    def _open(self, attempt_log: AttemptLog, request: Accepted) -> UpstreamResponse:
        """A 2xx answer whose body is still to be read. Raises APIError for any other."""
        attempt = attempt_log.attempt
        self._sent = request
        adapter = adapters.find(request, attempt)
        upstream_request = adapter.to_upstream(request, self._sited(attempt))
        attempt_log.dropped = upstream_request.dropped
        with self._explaining(attempt_log, answered=False):
            response = self._send(upstream_request, attempt)
            attempt_log.first_byte_ms = round((time.time() - attempt_log.started_s) * 1000)
            if 200 <= response.status < 300:
                return response
            said = adapter.read_error(_json(beginning(response.pieces)))
            raise errors.from_upstream(response.status, said, response.headers, time.time())

    def _sited(self, attempt: Attempt) -> Attempt:
        """With the region where it is sent to."""
        if not attempt.provider.auth.signs_as:
            return attempt
        return replace(attempt, region=self.upstreams.access[attempt.provider.name].region)

    def _send(self, request: UpstreamRequest, attempt: Attempt) -> UpstreamResponse:
        if attempt.provider.offline:
            return demo.send(request, attempt.request_id, attempt.created_s)
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0 or self.cancel.requested:
            raise TransportError("There was no time left to ask the provider.", sent=False, timed_out=True)
        access = self.upstreams.access[attempt.provider.name].for_operation(
            self.request.endpoint, attempt.provider.endpoint.base_url
        )
        access = access.with_version(request.version)
        place = attempt.provider.endpoint.path_for(streamed=self.request.streams)
        request = replace(request, path=access.path_of(request.path, attempt.model, place))
        forwarded = {name: self.headers[name] for name in attempt.provider.dialect.forwards if _is_plain(self.headers.get(name))}
        headers = {name: _both(request.headers.get(name), value) for name, value in forwarded.items()}
        headers |= credential_headers.auth_headers(attempt.provider, access, request, time.time())
        timeouts = self._timeouts(attempt.timeouts, left_s)
        return self.upstreams.http_client.send(request, access.base_url, headers, timeouts, self.cancel)

    def _timeouts(self, timeouts: AttemptTimeouts, left_s: float) -> Timeouts:
        """The least of what the request has left and what its target may take."""
        now_s = time.monotonic()
        first_s = min(left_s, timeouts.first_byte_s, timeouts.total_s)
        between_s = min(max(left_s, self.end_s - now_s), timeouts.between_s, timeouts.total_s)
        return Timeouts(min(CONNECT_S, first_s), first_s, between_s, now_s + timeouts.total_s)

    @contextmanager
    def _explaining(self, attempt_log: AttemptLog, *, answered: bool) -> Iterator[None]:
        """Transport errors as API errors. A request that was probably served, though its answer is lost, is charged."""
        try:
            yield
        except APIError as error:
            error.message = self._without_secret(error.message, attempt_log.attempt)
            raise
        except AnswerTooLarge as error:
            raise BadGatewayError(str(error), code="invalid_provider_response") from error
        except TransportError as error:
            if error.sent and (answered or error.timed_out or self.cancel.requested):
                self._estimate(attempt_log, 0)
            if self.cancel.requested:
                raise BadGatewayError("The request was given up.", code="cancelled") from error
            if not error.timed_out:
                code = "provider_connection_lost" if error.sent else "provider_unreachable"
                raise BadGatewayError(str(error), code=code) from error
            raise APITimeoutError(str(error), code="provider_timeout", headers={"x-should-retry": "false"}) from error

    def _estimate(self, attempt_log: AttemptLog, text_bytes: int) -> None:
        attempt_log.set_usage(estimate_usage(self._sent or self.request, attempt_log.attempt, text_bytes), estimated=True)

    def _without_secret(self, message: str, attempt: Attempt) -> str:
        """A provider's words with its key and its address left out."""
        access = self.upstreams.access.get(attempt.provider.name)
        for secret in (access.api_key, urlsplit(access.base_url).netloc) if access else ():
            message = message.replace(secret, "***") if secret else message
        return message


def _used(request: Accepted, attempt: Attempt, body: JSON) -> Usage:
    """What an answer says it used, else an estimate."""
    if usage.is_plausible(body.get("usage")):
        return usage.from_openai(body["usage"], body.get("service_tier"))
    return estimate_usage(request, attempt, text_bytes(body, "message"))


def decode(response: UpstreamResponse) -> Iterator[Event]:
    if response.headers.get("content-type", "").startswith(AWS_EVENT_STREAM):
        from haimaker.http import eventstream  # few providers speak it

        return eventstream.decode(response.pieces)
    return sse.decode(response.pieces)


def _json(raw: bytes | bytearray) -> object:
    """What a body says if it is JSON, else nothing."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def beginning(pieces: Iterator[bytes]) -> bytes:
    """As much of an error's body as can matter."""
    raw = bytearray()
    for piece in pieces:
        raw += piece
        if len(raw) > ERROR_BYTES:
            break
    if isinstance(pieces, Generator):
        pieces.close()
    return bytes(raw)


@dataclass(slots=True)
class Counted(Iterator[bytes]):
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


def _both(ours: str | None, clients: str) -> str:
    """A header that is a list, where the adapter has something for it as well."""
    return f"{ours},{clients}" if ours else clients


def _is_plain(value: str | None) -> bool:
    return bool(value) and str(value).isascii() and str(value).isprintable()
