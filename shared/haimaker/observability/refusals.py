"""Counts refused requests by key and reason, so that an administrator can see who is limited, and since when.

A refusal leaves no record and must not cost a write: a process counts in memory, and writes its sums of the day now and then.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from haimaker.http.values import JSON
from haimaker.observability.summed_document import SummedDocument
from haimaker.store.documents import Documents
from haimaker.store.totals import DAY_S, to_day

KIND = "refusals "
"""The kind of its documents, followed by the UTC day."""
MAX_COUNTED = 1_000
"""How many pairs of key and reason a process counts in a day; later ones are counted under no key."""
NOBODY = ""
"""Stands for any key that is none of this gateway's."""


class Refused(NamedTuple):
    """How often a key was refused for a reason, and when first and last, in seconds of the epoch."""

    account_id: str
    code: str
    times: int
    first_s: float
    last_s: float


class RefusalCounter:
    """Every method may be called from any thread."""

    def __init__(self, documents: Documents) -> None:
        self._sums = SummedDocument(documents, lambda day: KIND + to_day(day * DAY_S), lambda day: self._to_body())
        self._counts: dict[tuple[str, str], tuple[int, float, float]] = {}

    def add(self, account_id: str, code: str, now_s: float) -> None:
        """Counts a refusal, and writes the sums if it is time. If the store fails, a later refusal tries again."""
        day = int(now_s // DAY_S)
        if day != self._sums.period:
            self.write(now_s)
        with self._sums.lock:
            if self._sums.begin(day):
                self._counts = {}
            pair = (account_id, code)
            if pair not in self._counts and len(self._counts) >= MAX_COUNTED:
                pair = (NOBODY, code)
            count, first_s, _ = self._counts.get(pair, (0, now_s, now_s))
            self._counts[pair] = (count + 1, first_s, now_s)
            self._sums.changed = True
        if account_id != NOBODY and self._sums.is_due(now_s):  # junk brings about no write
            self.write(now_s)

    def write(self, now_s: float | None = None) -> None:
        """Writes the sums if any has changed."""
        self._sums.write(now_s)

    def _to_body(self) -> JSON:
        body: JSON = {}
        for (account_id, code), counted in self._counts.items():
            body.setdefault(account_id, {})[code] = list(counted)
        return body


def merge(documents: Documents, days: Sequence[str]) -> list[Refused]:
    """The sums of all processes on these days, the latest refusal first."""
    found: dict[tuple[str, str], Refused] = {}
    for each in _read_counts(documents, days):
        before = found.get((each.account_id, each.code), each._replace(times=0))
        found[each.account_id, each.code] = Refused(
            each.account_id,
            each.code,
            before.times + each.times,
            min(before.first_s, each.first_s),
            max(before.last_s, each.last_s),
        )
    return sorted(found.values(), key=lambda refused: -refused.last_s)


def _read_counts(documents: Documents, days: Sequence[str]) -> Iterator[Refused]:
    for day in days:
        for document in documents.all(KIND + day):
            body: Mapping[str, Mapping[str, list[float]]] = document.body
            for account_id, codes in body.items():
                yield from (Refused(account_id, code, int(count), first, last) for code, (count, first, last) in codes.items())
