"""How fast the lines of a batch may be asked: half of what its key, and its key's team, may ask is left to those who wait."""

import time
from collections.abc import Iterable, Sequence

from haimaker.http.values import Response
from haimaker.store import Account, minute_of

AT_ONCE = 32
"""Lines of one batch that one process asks at a time, at most."""


class Pace:
    def __init__(self, at_once: int = AT_ONCE, workers: int = 1) -> None:
        """The pace of one of `workers` that work on the same batch."""
        self._at_once, self._workers = at_once, workers
        self._pause_until_s = 0.0
        self._asked, self._minute = 0, 0
        """How many lines were asked in the last minute in which any was, and which it was."""

    def at_once(self, accounts: Sequence[Account]) -> int:
        """How many lines at a time."""
        return max(1, min([self._at_once, *(half // self._workers for half in halves(each.parallel_limit for each in accounts))]))

    def pause_s(self, accounts: Sequence[Account], now_s: float) -> float:
        """How long nothing may be asked: to the next minute where half of an account's requests of this one were asked."""
        allowed = [max(1, half // self._workers) for half in halves(each.rpm_limit for each in accounts)]
        if self._minute == minute_of(now_s) and self._asked >= min(allowed, default=self._asked + 1):
            return 60 - now_s % 60
        return self._pause_until_s - now_s

    def note_asked(self, now_s: float) -> None:
        minute = minute_of(now_s)
        self._asked, self._minute = self._asked * (self._minute == minute) + 1, minute

    def leave_room(self, response: Response) -> None:
        """Waits for the next minute where less than half of a minute's requests or tokens is left: others ask too."""
        for name in ("requests", "tokens"):
            limit = response.headers.get(f"x-ratelimit-limit-{name}")
            left = response.headers.get(f"x-ratelimit-remaining-{name}")
            if limit and left and 2 * int(left) < int(limit):
                now_s = time.time()
                self._pause_until_s = now_s + 60 - now_s % 60


def halves(limits: Iterable[int | None]) -> list[int]:
    """What a batch may have of limits: the other half is for those who wait."""
    return [max(1, limit // 2) for limit in limits if limit is not None]
