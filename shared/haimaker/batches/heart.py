"""Signs of life of a function that sees to a message: from one to the next the message stays hidden, and what the function has
is its own. When it dies, the queue gives the message to another after HIDDEN_S, and nobody has the batch, or the part, any more.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType

from haimaker.aws.client import AWSError
from haimaker.batches import Batch, BatchDirectory
from haimaker.store import StoreUnavailable

BEAT_S = 20.0
LEASE_S = 60.0
"""For how long a batch, or a part, is a function's after a sign of life."""
HIDDEN_S = 90
"""And for how long its message is hidden: longer than the lease of what it wrote until the next sign."""


class Heart:
    """While it is entered. An error that is raised in it gives up the batch, a death does not."""

    def __init__(self, hide: Callable[[int], None], directory: BatchDirectory) -> None:
        """`hide` hides the message for so many seconds, and raises AWSError."""
        self._hide, self._directory = hide, directory
        self._name, self._stopped = secrets.token_hex(8), Event()
        self._batch: Batch | None = None

    def __enter__(self) -> "Heart":
        self._beat()
        Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        if kind and issubclass(kind, Exception):
            with suppress(StoreUnavailable):
                self._renew(0.0)

    def take(self, batch: Batch, **fields: object) -> Batch | None:
        """The batch as that of this function until it says otherwise, by a `taken_until` of 0; None if it is another's, or was
        changed. Raises StoreUnavailable."""
        if batch.body.get("taken_until", 0) > time.time():
            return None
        self._batch = self._directory.put(batch.with_fields(taken_until=time.time() + LEASE_S, taken_by=self._name, **fields))
        return self._batch

    def _run(self) -> None:
        while not self._stopped.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        with suppress(AWSError):
            self._hide(HIDDEN_S)
        with suppress(StoreUnavailable):
            self._renew(time.time() + LEASE_S)

    def _renew(self, until_s: float) -> None:
        now = self._directory.get(self._batch.owner, self._batch.id) if self._batch else None
        if now and not now.has_ended and now.body["taken_by"] == self._name and now.body["taken_until"]:
            self._directory.put(now.with_fields(taken_until=until_s))
