"""The third part of `make reconcile`: records that only the index by day has, which releases before 1.0 wrote, are given a part.

Reading goes on meanwhile, from both indexes. Once nothing is left, a deployment with `RecordsByDay=false` takes the older one away.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from haimaker.store import tables
from haimaker.store.dynamodb import DynamoStore

DAYS_AT_ONCE = 16


def move_records(store: DynamoStore, say: Callable[[str], object], clock: Callable[[], float] = time.time) -> int:
    """How many there were. Raises StoreUnavailable."""
    if not store.kept.by_day:
        return 0
    now_s = clock()
    with ThreadPoolExecutor(DAYS_AT_ONCE) as pool:
        moved = sum(pool.map(store.kept.move, tables.days(now_s - tables.RETENTION_S, now_s + tables.DAY_S)))
    rest = "make reconcile once more proves that none is left." if moved else "RecordsByDay=false can be deployed."
    say(f"{moved} records were moved from the index by day. {rest}")
    return moved
