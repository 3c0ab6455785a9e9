"""The one loop that tries targets, for whole and streamed answers alike: which is next, after how long, and when to give up."""

import random
import time
from collections.abc import Callable, Iterator
from itertools import dropwhile
from typing import TypeVar

from haimaker.billing.settlement import AttemptLog
from haimaker.http import errors
from haimaker.http.client import CancelToken
from haimaker.http.errors import APIError, APITimeoutError, ContentPolicyViolationError, ContextWindowExceededError
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import Accepted
from haimaker.routing.health import Health
from haimaker.routing.plan import Plan
from haimaker.upstream.call import Caller

T = TypeVar("T")


@dataclass(slots=True)
class Sender:
    """Sends one request along its plan. `trials` grows by one for each attempt when it begins."""

    caller: Caller
    plan: Plan
    health: Health
    attempt_logs: list[AttemptLog]
    covers: Callable[[Attempt], bool] = lambda attempt: True
    """Whether what an attempt may cost is reserved, after others that cost something and failed."""
    hurried: bool = False
    """Whether the client leaves targets less time than the deployer does: that one is too slow for it says nothing to others."""

    @property
    def request(self) -> Accepted:
        return self.caller.request

    @property
    def cancel(self) -> CancelToken:
        return self.caller.cancel

    def whole(self) -> JSON:
        """The first answer that is one, in OpenAI's format. Raises the last APIError, with all attempts in it."""
        return self.first_good(self.caller.whole)

    def stream(self) -> Iterator[StreamEvent]:
        """The first stream that has a first chunk. Raises APIError likewise, and while it is read if it breaks off."""
        return self.first_good(self.caller.stream)

    def first_good(self, read: Callable[[AttemptLog], T]) -> T:
        """What `read` makes of the first target that gives it. Raises as `whole` does."""
        waiting = list(self.plan.attempts)
        again = self.plan.retries
        while True:
            attempt_log = AttemptLog(waiting.pop(0), time.time())
            self.attempt_logs.append(attempt_log)
            try:
                result = read(attempt_log)
            except APIError as error:
                self._note(attempt_log, error)
                waiting = self._special(error) or waiting if errors.allows_fallback(error) else self._special(error)
                if not waiting:
                    again -= 1
                    waiting = self._same_again(attempt_log.attempt, error, again)
                waiting = list(dropwhile(lambda attempt: not self.covers(attempt), waiting))
                if not waiting:
                    raise self._last(error) from None
            else:
                self._note(attempt_log)
                return result

    def _special(self, error: APIError) -> list[Attempt]:
        """Targets for a prompt that was too long or refused, without those that have been tried."""
        special: tuple[Attempt, ...] = ()
        if isinstance(error, ContextWindowExceededError):
            special = self.plan.context_window
        elif isinstance(error, ContentPolicyViolationError):
            special = self.plan.content_policy
        tried = {attempt_log.attempt.target for attempt_log in self.attempt_logs}
        return [attempt for attempt in special if attempt.target not in tried]

    def _same_again(self, attempt: Attempt, error: APIError, again: int) -> list[Attempt]:
        """The last target once more, after a wait; raises the error when that makes no sense."""
        back_off = self.plan.back_off
        asked_s = float(error.headers.get("retry-after", 0))
        wait_s = max(asked_s, min(back_off.first_s * 2 ** (self.plan.retries - again - 1), back_off.longest_s))
        wait_s *= random.uniform(1.0, 1.0 + back_off.jitter)  # noqa: S311 - spreads retries, guards nothing
        hopeless = again < 0 or not errors.allows_retry(error) or asked_s > back_off.longest_s
        if hopeless or self.cancel.requested or time.monotonic() + wait_s >= self.caller.deadline_s:
            raise self._last(error)
        self.cancel.sleep(wait_s)
        return [attempt]

    def _last(self, error: APIError) -> APIError:
        """With all attempts in it. The SDKs would repeat them all, which is for them only where one is to wait."""
        info, day = self.attempt_logs[-1].attempt.model_info, time.strftime("%Y-%m-%d", time.gmtime())
        if error.status in (404, 410) and info.is_retired(day):
            error.message = f"{error.message} The model was retired on {info.deprecation_date}."
        error.attempts = [attempt_log.to_record() for attempt_log in self.attempt_logs]
        if len(self.attempt_logs) > 1 and error.status != 429:
            error.headers = {**error.headers, "x-should-retry": "false"}
        return error

    def _note(self, attempt_log: AttemptLog, error: APIError | None = None) -> None:
        attempt_log.duration_ms = round((time.time() - attempt_log.started_s) * 1000)
        attempt_log.status, attempt_log.code = (error.status, error.code) if error else (200, None)
        now_s, target = time.time(), attempt_log.attempt.target
        if error is not None and errors.allows_fallback(error):
            if not (self.cancel.requested or (self.hurried and isinstance(error, APITimeoutError))):
                wait_s = float(error.headers.get("retry-after", 0))
                self.health.record_failure(target, now_s, wait_s, share=len(self.plan.attempts) > 1)
            return
        if error is None:
            self.health.record_latency(target, now_s, took_ms=attempt_log.duration_ms, streams=self.request.streams)
        self.health.record_success(target, now_s)  # also a refusal of what was asked is an answer
