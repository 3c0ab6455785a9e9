"""Calls of providers, counted by target and hour: a provider that fails now and then is seen although retries hide it.

A process counts in memory, and writes its sums of the hour now and then. For a process that lasts; a stack has its metrics in
CloudWatch.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.summed_document import SummedDocument
from haimaker.store import Record, StoreUnavailable
from haimaker.store.documents import Document, Documents
from haimaker.store.totals import DAY_S, day_to_s, to_day

KIND = "calls "
"""The kind of its documents, before the UTC day."""
HOUR_S = 3_600
MAX_TARGETS = 500
"""Of a process and hour, since a client can name any model; what comes later is counted under OTHER of its provider."""
OTHER = "*"
KEPT_DAYS = 31
BOUNDS_MS = tuple(round(10 * 1.35**step) for step in range(40))
"""Upper bounds of the buckets in which durations are counted: 10 ms to 20 minutes, each a third above the one before."""


@dataclass(slots=True)
class Calls:
    """What came of the calls of one target in one hour."""

    attempts: int = 0
    failures: int = 0
    duration_ms: dict[int, int] = field(default_factory=dict)
    """Of those that were answered: how many, by the bucket."""
    first_byte_ms: dict[int, int] = field(default_factory=dict)
    last_error: tuple[str, int, float] | None = None
    """Code, status, and when."""

    def add(self, attempt: Mapping[str, Any], now_s: float) -> None:
        """One attempt as a record has it. What the client itself asked wrongly is no failure of its provider."""
        self.attempts += 1
        status = attempt["status"]
        if status == 200:
            _count(self.duration_ms, attempt["duration_ms"])
            _count(self.first_byte_ms, attempt["first_byte_ms"])
        elif status is not None and (status >= 500 or status in (401, 402, 403, 404, 408, 410, 429)):
            self.failures += 1
            self.last_error = (str(attempt["code"] or "error"), status, now_s)

    def plus(self, other: "Calls") -> "Calls":
        latest = max(self.last_error, other.last_error, key=lambda error: error[2] if error else 0.0)
        return Calls(
            self.attempts + other.attempts,
            self.failures + other.failures,
            _sum(self.duration_ms, other.duration_ms),
            _sum(self.first_byte_ms, other.first_byte_ms),
            latest,
        )

    def to_json(self) -> list[Any]:
        return [self.attempts, self.failures, self.duration_ms, self.first_byte_ms, self.last_error]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> "Calls":
        attempts, failures, duration, first, error = kept
        duration, first = ({int(bucket): count for bucket, count in counts.items()} for counts in (duration, first))
        return cls(attempts, failures, duration, first, tuple(error) if error else None)


class ProviderCalls:
    """Every method may be called from any thread."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._sums = SummedDocument(documents, lambda hour: KIND + to_day(hour * HOUR_S), self._to_body, time.time())
        self._calls: dict[str, Calls] = {}

    def add(self, record: Record, now_s: float) -> None:
        """Counts the attempts of a request, and writes what was counted if it is time."""
        hour = int(now_s // HOUR_S)
        if hour != self._sums.period:
            self.write(now_s)
        with self._sums.lock:
            is_new_day = self._begin(hour)
            for attempt in record.detail.get("attempts") or ():
                target = attempt["target"]
                if target not in self._calls and len(self._calls) >= MAX_TARGETS:
                    target = f"{target.partition('/')[0]}/{OTHER}"
                self._calls.setdefault(target, Calls()).add(attempt, now_s)
                self._sums.changed = True
        if self._sums.is_due(now_s):
            self.write(now_s)
        if is_new_day:
            self._forget(hour * HOUR_S)

    def write(self, now_s: float | None = None) -> None:
        """Writes what was counted since the last time."""
        self._sums.write(now_s)

    def _to_body(self, hour: int) -> JSON:
        return {"hour": hour, "targets": {target: calls.to_json() for target, calls in self._calls.items()}}

    def _begin(self, hour: int) -> bool:
        """Returns whether a new day begins."""
        before = self._sums.period
        if not self._sums.begin(hour):
            return False
        self._calls = {}
        return to_day(hour * HOUR_S) != to_day(before * HOUR_S)

    def _forget(self, now_s: float) -> None:
        """Deletes what is older than anybody may ask for."""
        try:
            for age in range(KEPT_DAYS, KEPT_DAYS + 3):
                kind = KIND + to_day(now_s - age * DAY_S)
                for document in self._documents.all(kind):
                    self._documents.delete(kind, document.name)
        except StoreUnavailable:
            return


def read(documents: Documents, since_s: float, until_s: float) -> dict[str, dict[int, Calls]]:
    """What all processes counted in the hours of a span: by target and by the hour's beginning, in seconds."""
    found: dict[str, dict[int, Calls]] = {}
    for document in _all(documents, since_s, until_s):
        at_s = document.body["hour"] * HOUR_S
        if at_s > since_s - HOUR_S and at_s < until_s:
            for target, kept in document.body["targets"].items():
                hours = found.setdefault(target, {})
                hours[at_s] = hours.get(at_s, Calls()).plus(Calls.from_json(kept))
    return found


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The duration, in milliseconds, below which a share of the calls stayed; None of none. Right to a sixth or so."""
    wanted = sum(counts.values()) * share
    for bucket in sorted(counts):
        wanted -= counts[bucket]
        if wanted <= 0:
            upper = BOUNDS_MS[min(bucket, len(BOUNDS_MS) - 1)]
            lower = BOUNDS_MS[bucket - 1] if bucket else 0
            return round(upper + (upper - lower) * wanted / counts[bucket])
    return None


def _all(documents: Documents, since_s: float, until_s: float) -> Iterator[Document]:
    moment_s = day_to_s(to_day(since_s))
    while moment_s < until_s:
        yield from documents.all(KIND + to_day(moment_s))
        moment_s += DAY_S


def _count(counts: dict[int, int], duration_ms: int | None) -> None:
    if duration_ms is not None:
        bucket = bisect_left(BOUNDS_MS, duration_ms)
        counts[bucket] = counts.get(bucket, 0) + 1


def _sum(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {bucket: one.get(bucket, 0) + other.get(bucket, 0) for bucket in {**one, **other}}
