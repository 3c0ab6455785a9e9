"""Batches: files of requests that are answered while nobody waits. https://platform.openai.com/docs/api-reference/batch

A batch is a document of its owner, the team of the key that made it, else the key; what is not ended is named in a second document,
by which whoever works finds it. `runner.py` works, `journal.py` is what it remembers of each line.

Money. When a batch begins, the worst case of all its lines is put into a pool of each account that pays (`Store.open_pool`), or
the batch fails with `insufficient_quota` before anything is spent. Each line is then an ordinary request with a reservation, a
record and a charge of its own, whose reservation draws from the pool in the write that makes it: at no moment is an amount counted
twice or not at all, limits and lost requests are those of every other request, and nothing has to be renewed, since a pool has no
deadline. What an answered line did not use is free at once, what a failed one did not use is in the pool for the next try. The end
of a batch, whatever it is, closes the pool. The other way was a reservation for each line from the beginning: 50,000 of them, in an
item of DynamoDB that takes 400 KB.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from haimaker.http.values import JSON
from haimaker.store.documents import Document, Documents

ID_PREFIX = "batch_hm"
BATCHES, OPEN = "batches#", "open_batches#"
"""The kinds of documents: an owner's batches by id, and a folder's that have not ended."""
QUEUE_HOME = "queue"
"""Where the batches are that a queue has, in the place of a folder's name."""
MAX_LINES = 50_000
"""https://platform.openai.com/docs/guides/batch#rate-limits"""
COMPLETION_WINDOW, COMPLETION_WINDOW_S = "24h", 86_400
CHANGING_TRIES = 20

VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING = "validating", "in_progress", "finalizing", "cancelling"
COMPLETED, FAILED, EXPIRED, CANCELLED = "completed", "failed", "expired", "cancelled"
ENDED = (COMPLETED, FAILED, EXPIRED, CANCELLED)


class Batch(NamedTuple):
    """Everything that is known of a batch but its lines. `body` has what its client sees and what its work goes on from."""

    id: str
    owner: str
    version: int
    body: JSON

    @property
    def status(self) -> str:
        return str(self.body["status"])

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the call that made it, those that hold for each of its lines."""
        found: Mapping[str, str] = self.body.get("headers") or {}
        return found

    def with_fields(self, **fields: object) -> "Batch":
        return self._replace(body={**self.body, **fields})


class BatchService(Protocol):
    """What works on batches: threads of a process (`runner.py`), or functions, by a queue (`queued.py`)."""

    @property
    def directory(self) -> "BatchDirectory":
        """The batches that it works on."""

    def start(self, batch: Batch) -> None:
        """Begins to work on one that was added. Raises StoreUnavailable."""

    def cancel(self, batch: Batch) -> None:
        """Sees to one that was cancelled. Raises StoreUnavailable."""

    def with_progress(self, batch: Batch) -> Batch:
        """A batch with how far it is. Raises StoreUnavailable."""


class BatchDirectory(NamedTuple):
    """Batches in the store. Every method raises StoreUnavailable."""

    documents: Documents
    folder: str = ""
    """The name of the folder that has their lines: gateways elsewhere may have the same store."""

    def add(self, batch: Batch) -> None:
        self.documents.put(OPEN + self.folder, Document(batch.id, {"owner": batch.owner}, 0))
        self.documents.put(BATCHES + batch.owner, Document(batch.id, batch.body, 0))

    def get(self, owner: str, batch_id: str) -> Batch | None:
        found = self.documents.get(BATCHES + owner, batch_id) if batch_id.startswith(ID_PREFIX) else None
        return Batch(found.name, owner, found.version, found.body) if found else None

    def put(self, batch: Batch) -> Batch | None:
        """The batch as it is then kept; None if it was changed meanwhile."""
        if self.documents.put(BATCHES + batch.owner, Document(batch.id, batch.body, batch.version)):
            return batch._replace(version=batch.version + 1)
        return None

    def change(self, batch: Batch, **fields: object) -> Batch:
        """Changes fields, whatever others were changed meanwhile: the client's cancelling is kept, unless the status itself is one
        that ends it. What has ended meanwhile stays as it is."""
        changed = batch.with_fields(**fields)
        for _ in range(CHANGING_TRIES):
            if kept := self.put(changed):
                return kept
            now = self.get(batch.owner, batch.id)
            if now is None or now.has_ended:
                return now or changed
            if now.status == CANCELLING and fields.get("status") not in ENDED:
                fields |= {"status": CANCELLING, "cancelling_at": now.body["cancelling_at"]}
            changed = now.with_fields(**fields)
        return changed

    def page(self, owner: str, after: str | None, limit: int, *, newest_first: bool = True) -> tuple[Sequence[Batch], bool]:
        found, more = self.documents.page(BATCHES + owner, after, limit, newest_first=newest_first)
        return [Batch(document.name, owner, document.version, document.body) for document in found], more

    def open(self) -> Sequence[Batch]:
        """The batches that have not ended, the oldest first."""
        named = [(document.body["owner"], document.name) for document in self.documents.all(OPEN + self.folder)]
        found = ((owner, name, self.get(owner, name)) for owner, name in sorted(named, key=lambda each: each[1]))
        return [batch for _, _, batch in found if batch]

    def count_open(self, owner: str) -> int:
        """How many of an owner have not ended."""
        return sum(document.body["owner"] == owner for document in self.documents.all(OPEN + self.folder))

    def delete(self, batch: Batch) -> None:
        self.documents.delete(BATCHES + batch.owner, batch.id)

    def close(self, batch: Batch) -> None:
        """Takes a batch that has ended from those that have not."""
        self.documents.delete(OPEN + self.folder, batch.id)
