"""Several calls of one request at one target, some at the same time, each with a trial of its own that tells what it used."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from haimaker.billing.settlement import Trial
from haimaker.pricing import usage

Part = TypeVar("Part")
Answer = TypeVar("Answer")

AT_ONCE = 8


def side_by_side(trial: Trial, parts: Sequence[Part], call: Callable[[Trial, Part], Answer]) -> list[Answer]:
    """The answers in the order of the parts. Raises what the first that fails raises; `trial` has used what all have together."""
    trials = [Trial(trial.attempt, trial.started_s) for _ in parts]
    try:
        return _answers(trials, parts, call)
    finally:
        trial.dropped, trial.first_byte_ms = trials[0].dropped, trials[0].first_byte_ms
        if used := [each.tokens for each in trials if each.tokens]:
            trial.use(usage.total(used), estimated=any(each.estimated for each in trials))


def _answers(trials: Sequence[Trial], parts: Sequence[Part], call: Callable[[Trial, Part], Answer]) -> list[Answer]:
    """A failure stops the calls that have not begun."""
    with ThreadPoolExecutor(min(AT_ONCE, len(parts))) as threads:
        calls: list[Future[Answer]] = [threads.submit(call, trial, part) for trial, part in zip(trials, parts, strict=True)]
        for waiting in wait(calls, return_when=FIRST_EXCEPTION).not_done:
            waiting.cancel()
    failures = (made.exception() for made in calls if not made.cancelled())
    for failure in filter(None, failures):
        raise failure
    return [made.result() for made in calls]
