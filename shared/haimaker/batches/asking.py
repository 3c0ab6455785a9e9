"""Asks one line of a batch until it has an answer that stays, as an ordinary request of its key.

Whoever works on a batch, a thread of a process or a function, says as which request a line is asked and until when.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from haimaker.batches.journal import ERROR, OUTPUT, Outcome
from haimaker.batches.lines import ENDPOINTS, answer_row, read_line, usage_of
from haimaker.batches.place import LineWorker
from haimaker.http.values import BatchLine, Request, Response
from haimaker.store import Account, Store, StoreUnavailable

UNAUTHORIZED = 401
RETRIED = (429, 500, 502, 503, 504, 529)
LIMITED = 429
MOST_RETRIES, LONGEST_WAIT_S = 4, 60.0


class Asked(NamedTuple):
    """What came of a line: its outcome and its row, or neither, where the work was over before it had an answer that stays."""

    cost_nanousd: int
    """The cost of all its requests."""
    outcome: Outcome | None = None
    row: bytes = b""
    late: tuple[str, ...] = ()
    """The request that was answered, where it has no record yet, since the store failed: it is in no sum."""


class Work(Protocol):
    """The batch, or the part of one, that a line belongs to."""

    @abstractmethod
    def begin_line(self, number: int, tries: int) -> str:
        """The id of the request as which a line is asked now, after so many that were admitted, or may have been."""

    @abstractmethod
    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Waits, unless the work ends."""

    @abstractmethod
    def leave_room(self, response: Response) -> None:
        """Sees by the headers of a response how much is left of the key's limits."""

    @abstractmethod
    def refuse(self) -> None:
        """The key may do nothing any more."""


class Asking(NamedTuple):
    worker: LineWorker
    store: Store
    batch_id: str
    endpoint: str
    account: Account
    work: Work
    headers: Mapping[str, str]
    """Of its requests."""
    seconds_left: Callable[[], float] = lambda: float("inf")
    most_uncertain: float = float("inf")
    """Requests of a line of which is not known whether the store had admitted them, after which it is taken to fail."""

    def ask(self, number: int, raw: bytes, asked_before: tuple[str, ...]) -> Asked:
        """`asked_before` are the requests as which the line was asked by others, or may have been. Raises StoreUnavailable."""
        line, tries, uncertain = read_line(raw, self.endpoint), 0, 0
        spent = [self.spent(request_id) for request_id in asked_before]
        while True:
            request_id = self.work.begin_line(number, tries + uncertain)
            about = BatchLine(self.batch_id, number, line.custom_id, asked_before)
            request = Request(request_id, self.headers, line.body, seconds_left=self.seconds_left, batch=about)
            response = self.worker.handle(ENDPOINTS[self.endpoint], request, self.account)
            body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
            if response.status == UNAUTHORIZED:  # a provider's is another status
                self.work.refuse()
                return Asked(sum(each[0] for each in spent if each))
            spent.append(self.spent(request_id))
            self.work.leave_room(response)
            wait_s = None if response.status == 200 else _retry_wait_s(response, tries, is_admitted=spent[-1] is not None)
            if wait_s is None:
                break
            self.work.wait(wait_s)
            if self.work.is_over():
                return Asked(sum(each[0] for each in spent if each))
            if spent[-1]:
                asked_before, tries = (*asked_before, request_id), tries + 1
            elif response.status != LIMITED:  # the store may have admitted it all the same
                uncertain += 1
                if uncertain > self.most_uncertain:
                    raise StoreUnavailable("it was not told whether requests were admitted")
        counts = [each[1] for each in spent if each]
        tokens = (sum(each[0] for each in counts), sum(each[1] for each in counts), *(sum(e[i] for e in counts) for i in (2, 3)))
        outcome = Outcome(
            OUTPUT if response.status == 200 else ERROR,
            sum(each[0] for each in spent if each),
            (tokens[0], tokens[1], tokens[2], tokens[3]),
        )
        late = (request_id,) if response.status == 200 and spent[-1] is None else ()
        return Asked(outcome.cost_nanousd, outcome, answer_row(line.custom_id, request_id, response.status, body), late)

    def spent(self, request_id: str) -> tuple[int, tuple[int, int, int, int]] | None:
        """What a request cost, and its tokens; None of one that was not admitted, or has no record yet."""
        record = self.store.record(request_id)
        return (record.cost_nanousd, usage_of(record.detail)) if record else None


def _retry_wait_s(response: Response, tries: int, *, is_admitted: bool) -> float | None:
    """How long to wait before a line is asked again; None where its answer stays. A limit of the key's own is waited for as long as
    the batch lasts."""
    if response.status not in RETRIED or response.headers.get("x-should-retry") == "false":
        return None
    if is_admitted and tries >= MOST_RETRIES:
        return None
    told = response.headers.get("retry-after", "")
    return min(LONGEST_WAIT_S, float(told) if told.isdigit() else 2.0**tries)
