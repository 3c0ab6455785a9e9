"""Several calls of one request at one target, some at the same time, each with a trial of its own that tells what it used."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from haimaker.billing.settlement import AttemptLog
from haimaker.pricing import usage

Part = TypeVar("Part")
Answer = TypeVar("Answer")

AT_ONCE = 8


def side_by_side(attempt_log: AttemptLog, parts: Sequence[Part], call: Callable[[AttemptLog, Part], Answer]) -> list[Answer]:
    """The answers in the order of the parts. Raises what the first that fails raises; `trial` has used what all have together."""
    attempt_logs = [AttemptLog(attempt_log.attempt, attempt_log.started_s) for _ in parts]
    try:
        return _answers(attempt_logs, parts, call)
    finally:
        attempt_log.dropped, attempt_log.first_byte_ms = attempt_logs[0].dropped, attempt_logs[0].first_byte_ms
        if used := [each.tokens for each in attempt_logs if each.tokens]:
            attempt_log.set_usage(usage.sum_usages(used), estimated=any(each.estimated for each in attempt_logs))


def _answers(attempt_logs: Sequence[AttemptLog], parts: Sequence[Part], call: Callable[[AttemptLog, Part], Answer]) -> list[Answer]:
    """A failure stops the calls that have not begun."""
    with ThreadPoolExecutor(min(AT_ONCE, len(parts))) as threads:
        calls: list[Future[Answer]] = [
            threads.submit(call, attempt_log, part) for attempt_log, part in zip(attempt_logs, parts, strict=True)
        ]
        for waiting in wait(calls, return_when=FIRST_EXCEPTION).not_done:
            waiting.cancel()
    failures = (made.exception() for made in calls if not made.cancelled())
    for failure in filter(None, failures):
        raise failure
    return [made.result() for made in calls]
