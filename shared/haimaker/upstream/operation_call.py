"""One call, or several that belong together, at one target, for the other operations; `call.py` has what calls share."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast

from haimaker import adapters
from haimaker.billing.settlement import Trial
from haimaker.http.errors import APIError, BadGatewayError
from haimaker.http.values import Chunk, UpstreamResponse
from haimaker.operations.operation import Answer, Made, Pieces, Sound, Task, is_last
from haimaker.pricing import costs, usage
from haimaker.pricing.usage import Tokens
from haimaker.upstream.call import Caller, decode
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

    def made(self, trial: Trial) -> Made:
        """The whole answer; of a target that takes few inputs at once, made of the answers of several calls."""
        parts = self._parts(trial)
        if len(parts) == 1:
            return self._made(trial, parts[0])
        return self.task.joined(side_by_side(trial, parts, lambda own, part: replace(self)._made(own, part)))

    def events(self, trial: Trial) -> Iterator[Chunk]:
        """The events of a stream; returns when the first one has come. Made of a whole answer where the target has no streams."""
        if not hasattr(self._task_adapter(trial), "from_stream") or len(self._parts(trial)) > 1:
            return self._as_events(self.made(trial))
        response = self._open(trial, self.task)
        if not response.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson")):
            return self._as_events(self._read(trial, self.task, response))
        return _begun(self._events(trial, response))

    def delivered(self, made: Made) -> "Delivered":
        """What was made as the client wants it, by link or as bytes."""
        from haimaker.operations.images import ImageRequest
        from haimaker.upstream.image_delivery import FETCH_S, Delivery  # only images need it

        assert isinstance(self.task, ImageRequest)
        return Delivery(self.upstreams.files(self.headers), self.upstreams.images, self.fetch_bounds(FETCH_S)).of(
            made, self.task.wanted
        )

    def pieces(self, trial: Trial) -> Pieces:
        """The bytes of an answer as they come; returns when the first have."""
        response = self._open(trial, self.task)
        adapter: adapters.PiecesAdapter = self._task_adapter(trial)
        sound = adapter.from_pieces(response, self.task, trial.attempt)
        return Pieces(sound.content_type, _begun(self._pieces(trial, response, sound)))

    def _as_events(self, made: Made) -> Iterator[Chunk]:
        return self.task.as_events(self.delivered(made).made if self.task.delivers else made)

    def _task_adapter(self, trial: Trial) -> Any:
        return adapters.find(self.request, trial.attempt)

    def _parts(self, trial: Trial) -> Sequence[Task]:
        task = self.task
        if trial.attempt.provider.limits.inlines_images:
            fetcher, bounds = self.upstreams.images, self.fetch_bounds()
            task = self._task_inlined = self._task_inlined or task.inlined(partial(fetcher.data_url, bounds=bounds))
        adapter: adapters.TaskAdapter | adapters.BatchAdapter = self._task_adapter(trial)
        return task.parts(adapter.most_at_once(trial.attempt)) if hasattr(adapter, "most_at_once") else [task]

    def _made(self, trial: Trial, part: Task) -> Made:
        return self._read(trial, part, self._open(trial, part))

    def _read(self, trial: Trial, part: Task, response: UpstreamResponse) -> Made:
        raw = bytearray()
        try:
            with self._explaining(trial, answered=True):
                for piece in response.pieces:
                    raw += piece
        except APIError:
            trial.use(part.estimate(trial.attempt, len(raw)), estimated=True)
            raise
        answer = Answer(response.headers, bytes(raw))
        try:
            with self._explaining(trial, answered=True):
                adapter: adapters.TaskAdapter = self._task_adapter(trial)
                made = adapter.from_upstream(answer, part, trial.attempt)
        except APIError:
            self._charge_unusable(trial, part, answer)
            raise
        self._note(trial, part, made)
        return made

    def _charge_unusable(self, trial: Trial, part: Task, answer: Answer) -> None:
        """An answer that is of no use but says what was used has been paid for."""
        try:
            said = answer.object().get("usage")
        except APIError:
            return
        if tokens := counted(trial, part, said):
            trial.use(tokens, estimated=False)

    def _note(self, trial: Trial, part: Task, made: Made) -> None:
        said = made.body.get("usage") if isinstance(made.body, dict) else None
        tokens = _credible(trial, made.tokens) if made.tokens else counted(trial, part, said)
        trial.use(tokens or part.estimate(trial.attempt), estimated=tokens is None)

    def _events(self, trial: Trial, response: UpstreamResponse) -> Iterator[Chunk]:
        ended = False
        try:
            with self._explaining(trial, answered=True):
                adapter: adapters.EventsAdapter = self._task_adapter(trial)
                for chunk in adapter.from_stream(decode(response), self.task, trial.attempt):
                    ended = ended or is_last(chunk.body)
                    yield chunk
        finally:
            _close(response)
        if not ended:
            raise BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")

    def _pieces(self, trial: Trial, response: UpstreamResponse, sound: Sound) -> Iterator[bytes]:
        try:
            with self._explaining(trial, answered=True):
                for piece in sound.pieces:
                    if isinstance(piece, Tokens):
                        trial.use(piece, estimated=False)
                    elif piece:
                        yield piece
        finally:
            _close(response)


def counted(trial: Trial, task: Task, said: Any) -> Tokens | None:
    """What a usage object counts; None where that can't be so, or is nothing."""
    if not usage.is_plausible(said):
        return None
    tokens = _credible(trial, task.tokens(said))
    counts = tokens.prompt or tokens.completion or costs.quantities(tokens) or tokens.reported_units is not None
    return tokens if counts else None


def _credible(trial: Trial, tokens: Tokens) -> Tokens:
    """The cost that an answer reports counts only from a provider that is known to report it."""
    return tokens if trial.attempt.provider.catalog.reports_cost else replace(tokens, reported_units=None)


def _begun(items: Iterator[T]) -> Iterator[T]:
    first = next(items, None)
    if first is None:
        raise BadGatewayError("The provider's answer holds nothing.", code="invalid_provider_response")
    return chain((first,), items)


def _close(response: UpstreamResponse) -> None:
    if isinstance(response.pieces, Generator):
        response.pieces.close()
