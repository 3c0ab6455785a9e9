"""Several calls of one request at one target, some at the same time, each with a log of its own that tells what it used."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from haimaker.billing.settlement import AttemptLog
from haimaker.pricing import usage

Part = TypeVar("Part")
Answer = TypeVar("Answer")

AT_ONCE = 8


def call_in_parallel(
    attempt_log: AttemptLog, parts: Sequence[Part], answers: dict[int, Answer], call: Callable[[AttemptLog, Part], Answer]
) -> list[Answer]:
    """The answers in the order of the parts. `answers` has those of an earlier try, by the number of their part: they are not asked
    for again. It gets those that come. Raises what the first that fails raises; `attempt_log` has used what all calls have.
    """
    if len(answers) == len(parts):
        answers.clear()  # all of them came before, and were of no use together
    missing = [number for number in range(len(parts)) if number not in answers]
    attempt_logs = [AttemptLog(attempt_log.attempt, attempt_log.started_s) for _ in missing]
    try:
        with ThreadPoolExecutor(min(AT_ONCE, len(missing))) as threads:
            calls: dict[int, Future[Answer]] = {
                number: threads.submit(call, own, parts[number]) for number, own in zip(missing, attempt_logs, strict=True)
            }
            for waiting in wait(calls.values(), return_when=FIRST_EXCEPTION).not_done:
                waiting.cancel()  # those that have begun are waited for
    finally:
        attempt_log.dropped, attempt_log.first_byte_ms = attempt_logs[0].dropped, attempt_logs[0].first_byte_ms
        if used := [each.tokens for each in attempt_logs if each.tokens]:
            attempt_log.set_usage(usage.sum_usages(used), estimated=any(each.estimated for each in attempt_logs))
    ended = {number: made for number, made in calls.items() if not made.cancelled()}
    answers |= {number: made.result() for number, made in ended.items() if not made.exception()}
    for failure in filter(None, (made.exception() for made in ended.values())):
        raise failure
    return [answers[number] for number in range(len(parts))]
