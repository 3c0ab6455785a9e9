"""The one loop that tries targets, for whole and streamed answers alike: which is next, after how long, and when to give up."""

import json
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from haimaker import adapters, authorize, demo, errors, sse, usage
from haimaker.config import Access
from haimaker.errors import APIError, APITimeoutError, BadGatewayError, ContentPolicyViolationError, ContextWindowExceededError
from haimaker.health import Health
from haimaker.limits import prompt_estimate
from haimaker.remote_images import ImageFetcher
from haimaker.routing import Plan
from haimaker.schema import ChatRequest
from haimaker.settlement import Trial
from haimaker.transport import Cancel, Timeouts, Transport, TransportError
from haimaker.usage import Tokens
from haimaker.wire import JSON, Attempt, Chunk, UpstreamRequest, UpstreamResponse

T = TypeVar("T")

CONNECT_S = 10.0
BACK_OFF_S = 0.25
LONGEST_WAIT_S = 10.0
"""A provider that asks for a longer wait is not waited for; the client is told how long it is."""
ERROR_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Upstreams:
    """What reaching providers takes, shared by all requests."""

    transport: Transport
    access: Mapping[str, Access]
    health: Health
    images: ImageFetcher = field(default_factory=ImageFetcher)


@dataclass(slots=True)
class Sender:
    """Sends one request along its plan. `trials` grows by one for each attempt when it begins."""

    upstreams: Upstreams
    request: ChatRequest
    headers: Mapping[str, str]
    plan: Plan
    deadline_s: float
    """Monotonic."""
    cancel: Cancel
    trials: list[Trial]
    _inlined: ChatRequest | None = None

    def whole(self) -> JSON:
        """The first answer that is one, in OpenAI's format. Raises the last APIError, with all attempts in it."""
        return self._first_good(self._whole)

    def stream(self) -> Iterator[Chunk]:
        """The first stream that has a first chunk. Raises APIError likewise, and while it is read if it breaks off."""
        return self._first_good(self._stream)

    def _first_good(self, read: Callable[[Trial], T]) -> T:
        waiting = list(self.plan.attempts)
        again = self.plan.retries
        while True:
            trial = Trial(waiting.pop(0), time.time())
            self.trials.append(trial)
            try:
                result = read(trial)
            except APIError as error:
                self._note(trial, error)
                waiting = self._special(error) or waiting if errors.tries_next(error) else self._special(error)
                if not waiting:
                    again -= 1
                    waiting = self._same_again(trial.attempt, error, again)
            else:
                self._note(trial)
                return result

    def _special(self, error: APIError) -> list[Attempt]:
        """Targets for a prompt that was too long or refused, without those that have been tried."""
        special: tuple[Attempt, ...] = ()
        if isinstance(error, ContextWindowExceededError):
            special = self.plan.context_window
        elif isinstance(error, ContentPolicyViolationError):
            special = self.plan.content_policy
        tried = {trial.attempt.target for trial in self.trials}
        return [attempt for attempt in special if attempt.target not in tried]

    def _same_again(self, attempt: Attempt, error: APIError, again: int) -> list[Attempt]:
        """The last target once more, after a wait; raises the error when that makes no sense."""
        wait_s = max(float(error.headers.get("retry-after", 0)), BACK_OFF_S * 2 ** (self.plan.retries - again - 1))
        wait_s *= random.uniform(1.0, 1.25)  # noqa: S311 - spreads retries, guards nothing
        hopeless = again < 0 or not errors.tries_again(error) or wait_s > LONGEST_WAIT_S * 1.25
        if hopeless or self.cancel.requested or time.monotonic() + wait_s >= self.deadline_s:
            error.attempts = [trial.told() for trial in self.trials]
            raise error
        self.cancel.sleep(wait_s)
        return [attempt]

    def _note(self, trial: Trial, error: APIError | None = None) -> None:
        trial.duration_ms = round((time.time() - trial.started_s) * 1000)
        trial.status, trial.code = (error.status, error.code) if error else (200, None)
        if error is None:
            self.upstreams.health.succeeded(trial.attempt.target)
        elif errors.tries_next(error) and not self.cancel.requested:
            self.upstreams.health.failed(trial.attempt.target, time.time())

    def _whole(self, trial: Trial) -> JSON:
        adapter = adapters.chat(trial.attempt.provider.adapter)
        response = self._open(trial)
        with self._explaining(trial, answered=True):
            raw = b"".join(response.pieces)
        body = _json(raw)
        if not isinstance(body, dict):
            if raw.lstrip().startswith(b"{"):
                self._estimate(trial, len(raw))
            raise BadGatewayError("The provider's answer is not a JSON object.", code="invalid_provider_response")
        return adapter.from_upstream(body, trial.attempt)

    def _stream(self, trial: Trial) -> Iterator[Chunk]:
        chunks = self._chunks(self._open(trial), trial)
        first = next(chunks, None)
        if first is None:
            raise BadGatewayError("The provider's stream holds nothing.", code="invalid_provider_response")
        return chain((first,), chunks)

    def _chunks(self, response: UpstreamResponse, trial: Trial) -> Iterator[Chunk]:
        adapter = adapters.chat(trial.attempt.provider.adapter)
        try:
            if response.headers.get("content-type", "").startswith("application/json"):
                self._refuse_whole(response, trial)
            with self._explaining(trial, answered=True):
                yield from adapter.from_stream(sse.decode(response.pieces), trial.attempt)
        finally:
            if isinstance(response.pieces, Generator):
                response.pieces.close()

    def _refuse_whole(self, response: UpstreamResponse, trial: Trial) -> None:
        """A stream was asked for; JSON instead of events is an error object, or of no use."""
        body = _json(_bounded(response.pieces))
        if isinstance(body, dict):
            adapters.chat(trial.attempt.provider.adapter).from_upstream(body, trial.attempt)
        raise BadGatewayError("The provider did not stream its answer.", code="invalid_provider_response")

    def _open(self, trial: Trial) -> UpstreamResponse:
        """A 2xx answer whose body is still to be read. Raises APIError for any other."""
        attempt = trial.attempt
        adapter = adapters.chat(attempt.provider.adapter)
        upstream_request = adapter.to_upstream(self._request_for(attempt), attempt)
        trial.dropped = upstream_request.dropped
        with self._explaining(trial, answered=False):
            response = self._send(upstream_request, attempt)
            if 200 <= response.status < 300:
                return response
            raw = _bounded(response.pieces)
        said = adapter.read_error(_json(raw))
        said = said._replace(message=self._without_secret(said.message, attempt))
        raise errors.from_upstream(response.status, said, response.headers, time.time())

    def _request_for(self, attempt: Attempt) -> ChatRequest:
        """The request as the provider can take it; images are fetched for the first that needs them."""
        if not attempt.provider.inlines_images:
            return self.request
        self._inlined = self._inlined or self.upstreams.images.inlined(self.request)
        return self._inlined

    def _send(self, request: UpstreamRequest, attempt: Attempt) -> UpstreamResponse:
        if attempt.provider.offline:
            return demo.send(request, attempt.request_id, attempt.created_s)
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0 or self.cancel.requested:
            raise TransportError("There was no time left to ask the provider.", sent=False, timed_out=True)
        access = self.upstreams.access[attempt.provider.name]
        headers = {name: self.headers[name] for name in attempt.provider.forwards if _is_plain(self.headers.get(name))}
        headers |= authorize.headers_for(attempt.provider, access, request, time.time())
        timeouts = Timeouts(min(CONNECT_S, left_s), left_s, left_s)
        return self.upstreams.transport.send(request, access.base_url, headers, timeouts, self.cancel)

    @contextmanager
    def _explaining(self, trial: Trial, *, answered: bool) -> Iterator[None]:
        """Transport errors as API errors. A request that was probably served, though its answer is lost, is charged."""
        try:
            yield
        except TransportError as error:
            if error.sent and (answered or error.timed_out or self.cancel.requested):
                self._estimate(trial, 0)
            if self.cancel.requested:
                raise BadGatewayError("The request was given up.", code="cancelled") from error
            if not error.timed_out:
                code = "provider_connection_lost" if error.sent else "provider_unreachable"
                raise BadGatewayError(str(error), code=code) from error
            raise APITimeoutError(str(error), code="provider_timeout", headers={"x-should-retry": "false"}) from error

    def _estimate(self, trial: Trial, text_bytes: int) -> None:
        estimate = Tokens(input=prompt_estimate(self.request), output=usage.estimate_tokens(text_bytes))
        trial.use(estimate, estimated=True)

    def _without_secret(self, message: str, attempt: Attempt) -> str:
        access = self.upstreams.access.get(attempt.provider.name)
        return message.replace(access.api_key, "***") if access and access.api_key else message


def _json(raw: bytes) -> object:
    """What a body says if it is JSON, else nothing."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _bounded(pieces: Iterator[bytes]) -> bytes:
    """As much of an error's body as can matter."""
    raw = b""
    for piece in pieces:
        raw += piece
        if len(raw) > ERROR_BYTES:
            break
    return raw


def _is_plain(value: str | None) -> bool:
    return bool(value) and str(value).isascii() and str(value).isprintable()
