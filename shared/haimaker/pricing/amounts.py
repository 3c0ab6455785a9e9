"""Money and spans of time as people write them. Pure."""

import re
from decimal import ROUND_FLOOR, Decimal

from haimaker.lean_dataclasses import dataclass

NANOUSD_PER_USD = 10**9
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DURATION = r"[1-9]([0-9]{0,8}s|[0-9]{0,6}m|[0-9]{0,5}h|[0-9]{0,4}d|[0-9]{0,3}w)"
MONTHS = r"[1-9][0-9]?mo"
"""In seconds, minutes, hours, days or weeks; the longest are of some centuries."""
FOREVER = "-1"


@dataclass(frozen=True, slots=True)
class UserBudget:
    """The budget of an end user who has no account yet."""

    budget_nanousd: int
    window_s: int | None = None
    months: int | None = None


def to_nanousd(usd: float | str) -> int:
    """Whole nano-dollars, rounded down."""
    return int((Decimal(usd if isinstance(usd, str) else repr(usd)) * NANOUSD_PER_USD).to_integral_value(ROUND_FLOOR))


def duration_to_s(duration: str | None) -> int | None:
    """The seconds of `30s`, `30m`, `30h`, `30d` or `4w`; None for `-1` and null."""
    return None if duration in (None, FOREVER) else int(duration[:-1]) * SECONDS[duration[-1]]


def budget_window(duration: str | None) -> tuple[int | None, int | None]:
    """Seconds, or calendar months, of what also `1mo` may stand for; neither for null."""
    if duration and duration.endswith("mo"):
        return None, int(duration[:-2])
    return duration_to_s(duration), None


def window_to_duration(window: tuple[int | None, int | None]) -> str | None:
    """The inverse."""
    seconds, months = window
    return f"{months}mo" if months else None if seconds is None else to_duration(seconds)


def to_duration(seconds: int) -> str:
    """The duration of a number of seconds, in the largest unit up to days that fits."""
    unit = next(unit for unit in "dhms" if seconds % SECONDS[unit] == 0)
    return f"{seconds // SECONDS[unit]}{unit}"


def is_budget_window(text: str) -> bool:
    return re.fullmatch(f"{DURATION}|{MONTHS}", text, re.ASCII) is not None


def to_usd(nanousd: int | None) -> float | None:
    """USD for JSON: at most 9 decimals, and exact below four million dollars."""
    return None if nanousd is None else nanousd / NANOUSD_PER_USD
