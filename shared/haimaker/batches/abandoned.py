"""Batches whose folder never came back, or whose messages failed: their time is long over, and nobody works on them who would close
their pools."""

from collections.abc import Iterator

from haimaker.batches import COMPLETION_WINDOW_S, EXPIRED, QUEUE_HOME, Batch, BatchDirectory
from haimaker.batches.parts import PartDirectory
from haimaker.batches.successors import close_pools
from haimaker.store import Store

PAGE = 100
MARGIN_S = COMPLETION_WINDOW_S
"""After a batch's end, for which whoever has its lines may still be ending it."""


def find_abandoned(store: Store, owner: str, now_s: float) -> Iterator[Batch]:
    """Raises StoreUnavailable."""
    directory, after, more = BatchDirectory(store.documents), None, True
    while more:
        page, more = directory.page(owner, after, PAGE)
        after = page[-1].id if page else None
        yield from (batch for batch in page if not batch.has_ended and batch.body["expires_at"] + MARGIN_S < now_s)


def end_abandoned(store: Store, batch: Batch, now_s: float) -> int:
    """Gives back what is left in the batch's pools, of which each has the same, and returns it. Raises StoreUnavailable."""
    left = close_pools(store, batch)
    directory, parts = BatchDirectory(store.documents, QUEUE_HOME), PartDirectory(store.documents)
    progress = parts.with_progress(batch).body
    told = {name: progress[name] for name in ("completed", "failed", "cost_nanousd", "tokens") if name in progress}
    directory.change(batch, **told, status=EXPIRED, expired_at=int(now_s))
    for part in parts.all(batch.id):
        parts.delete(part)
    directory.close(batch)
    return max(left, default=0)
