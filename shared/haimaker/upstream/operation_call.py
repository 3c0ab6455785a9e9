"""One call, or several that belong together, at one target, for the other operations; `call.py` has what calls share."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast

from haimaker import adapters
from haimaker.billing.settlement import AttemptLog
from haimaker.http.client import read_whole
from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.values import StreamEvent, UpstreamResponse
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.operation import Answer, Made, Pieces, Sound, Task, is_last
from haimaker.pricing import costs, usage
from haimaker.pricing.usage import Usage
from haimaker.upstream.call import Caller, Counted, decode
from haimaker.upstream.parallel import side_by_side

if TYPE_CHECKING:
    from haimaker.upstream.image_delivery import Delivered

T = TypeVar("T")


@dataclass(slots=True)
class TaskCaller(Caller):
    """Makes the calls of one such request."""

    _task_inlined: Task | None = None

    @property
    def task(self) -> Task:
        return cast(Task, self.request)

    def made(self, attempt_log: AttemptLog) -> Made:
        """The whole answer; of a target that takes few inputs at once, made of the answers of several calls."""
        parts = self._parts(attempt_log)
        if len(parts) == 1:
            return self._made(attempt_log, parts[0])
        return self.task.joined(side_by_side(attempt_log, parts, lambda own, part: replace(self)._made(own, part)))

    def events(self, attempt_log: AttemptLog) -> Iterator[StreamEvent]:
        """The events of a stream; returns when the first one has come. Made of a whole answer where the target has no streams."""
        if not hasattr(self._task_adapter(attempt_log), "from_stream") or len(self._parts(attempt_log)) > 1:
            return self._as_events(self.made(attempt_log))
        response = self._open(attempt_log, self.task)
        if not response.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson")):
            return self._as_events(self._read(attempt_log, self.task, response))
        return _begun(self._events(attempt_log, response))

    def delivered(self, made: Made) -> "Delivered":
        """What was made as the client wants it, by link or as bytes."""
        from haimaker.operations.images import ImageRequest
        from haimaker.upstream.image_delivery import FETCH_S, Delivery  # only images need it

        assert isinstance(self.task, ImageRequest)
        return Delivery(self.upstreams.files(self.headers), self.upstreams.images, self.fetch_bounds(FETCH_S)).of(
            made, self.task.wanted
        )

    def pieces(self, attempt_log: AttemptLog) -> Pieces:
        """The bytes of an answer as they come; returns when the first have."""
        response = self._open(attempt_log, self.task)
        adapter: adapters.PiecesAdapter = self._task_adapter(attempt_log)
        sound = adapter.from_pieces(response, self.task, attempt_log.attempt)
        return Pieces(sound.content_type, _begun(self._pieces(attempt_log, response, sound)))

    def _as_events(self, made: Made) -> Iterator[StreamEvent]:
        return self.task.as_events(self.delivered(made).made if self.task.delivers else made)

    def _task_adapter(self, attempt_log: AttemptLog) -> Any:
        return adapters.find(self.request, attempt_log.attempt)

    def _parts(self, attempt_log: AttemptLog) -> Sequence[Task]:
        task = self.task
        if attempt_log.attempt.provider.limits.inlines_images:
            fetcher, bounds = self.upstreams.images, self.fetch_bounds()
            task = self._task_inlined = self._task_inlined or task.inlined(partial(fetcher.data_url, bounds=bounds))
        adapter: adapters.TaskAdapter | adapters.BatchAdapter = self._task_adapter(attempt_log)
        return task.parts(adapter.most_at_once(attempt_log.attempt)) if hasattr(adapter, "most_at_once") else [task]

    def _made(self, attempt_log: AttemptLog, part: Task) -> Made:
        return self._read(attempt_log, part, self._open(attempt_log, part))

    def _read(self, attempt_log: AttemptLog, part: Task, response: UpstreamResponse) -> Made:
        came = Counted(response.pieces)
        try:
            with self._explaining(attempt_log, answered=True):
                raw = read_whole(came)
        except APIError:
            attempt_log.set_usage(part.estimate(attempt_log.attempt, came.meant), estimated=True)
            raise
        answer = Answer(response.headers, raw)
        try:
            with self._explaining(attempt_log, answered=True):
                adapter: adapters.TaskAdapter = self._task_adapter(attempt_log)
                made = adapter.from_upstream(answer, part, attempt_log.attempt)
        except APIError:
            self._charge_unusable(attempt_log, part, answer)
            raise
        self._note(attempt_log, part, made)
        return made

    def _charge_unusable(self, attempt_log: AttemptLog, part: Task, answer: Answer) -> None:
        """An answer that is of no use but says what was used has been paid for."""
        try:
            said = answer.object().get("usage")
        except APIError:
            return
        if tokens := counted(attempt_log, part, said):
            attempt_log.set_usage(tokens, estimated=False)

    def _note(self, attempt_log: AttemptLog, part: Task, made: Made) -> None:
        said = made.body.get("usage") if isinstance(made.body, dict) else None
        tokens = _credible(attempt_log, made.tokens) if made.tokens else counted(attempt_log, part, said)
        attempt_log.set_usage(tokens or part.estimate(attempt_log.attempt), estimated=tokens is None)

    def _events(self, attempt_log: AttemptLog, response: UpstreamResponse) -> Iterator[StreamEvent]:
        ended = False
        try:
            with self._explaining(attempt_log, answered=True):
                adapter: adapters.EventsAdapter = self._task_adapter(attempt_log)
                for chunk in adapter.from_stream(decode(response), self.task, attempt_log.attempt):
                    ended = ended or is_last(chunk.body)
                    yield chunk
        finally:
            _close(response)
        if not ended:
            raise BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")

    def _pieces(self, attempt_log: AttemptLog, response: UpstreamResponse, sound: Sound) -> Iterator[bytes]:
        try:
            with self._explaining(attempt_log, answered=True):
                for piece in sound.pieces:
                    if isinstance(piece, Usage):
                        attempt_log.set_usage(piece, estimated=False)
                    elif piece:
                        yield piece
        finally:
            _close(response)


def counted(attempt_log: AttemptLog, task: Task, said: Any) -> Usage | None:
    """What a usage object counts; None where that can't be so, or is nothing."""
    if not usage.is_plausible(said):
        return None
    tokens = _credible(attempt_log, task.tokens(said))
    counts = tokens.prompt or tokens.completion or costs.other_units(tokens) or tokens.reported_units is not None
    return tokens if counts else None


def _credible(attempt_log: AttemptLog, tokens: Usage) -> Usage:
    """The cost that an answer reports counts only from a provider that is known to report it."""
    return tokens if attempt_log.attempt.provider.catalog.reports_cost else replace(tokens, reported_units=None)


def _begun(items: Iterator[T]) -> Iterator[T]:
    first = next(items, None)
    if first is None:
        raise BadGatewayError("The provider's answer holds nothing.", code="invalid_provider_response")
    return chain((first,), items)


def _close(response: UpstreamResponse) -> None:
    if isinstance(response.pieces, Generator):
        response.pieces.close()
