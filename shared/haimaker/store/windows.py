"""Windows of budgets: seconds, or calendar months, after which what was spent begins at zero. Pure.

A window is a pair of which one is set, `(seconds, months)`; `(None, None)` lasts for ever.
"""

import math
from datetime import UTC, datetime
from typing import NamedTuple

from haimaker.store import NEVER_S

LAST_YEAR = 3_000

Window = tuple[int | None, int | None]


class Repair(NamedTuple):
    """A budget window that ended: what returns to the budget, and when the window that follows ends."""

    returned: int
    window_end_s: int


def window_end(window: Window, start_s: float) -> int:
    """When a window that starts at `start_s` ends."""
    length_s, months = window
    if months:
        return months_later(start_s, months)
    return NEVER_S if length_s is None else int(start_s) + length_s


def window_start(window: Window, end_s: int) -> float:
    """When a window that ends at `end_s` began, or could have begun."""
    length_s, months = window
    if months:
        return months_later(end_s, -months)
    return end_s - length_s if length_s else -math.inf


def next_window_end(window: Window, end_s: int, now_s: float) -> int | None:
    """The end of the window that holds `now_s`, by whole windows after one that ended at `end_s`; None for one that lasts for
    ever."""
    length_s, months = window
    if months:
        while end_s <= now_s:
            end_s = months_later(end_s, months)
        return end_s
    return end_s + (int((now_s - end_s) // length_s) + 1) * length_s if length_s else None


def months_later(start_s: float, months: int) -> int:
    """The first of a month, so many after the one that holds `start_s`, or before it."""
    start = datetime.fromtimestamp(start_s, UTC)
    years, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return int(datetime(years, month + 1, 1, tzinfo=UTC).timestamp()) if years <= LAST_YEAR else NEVER_S
