"""The second half of `make reconcile`: daily totals get the records that the stream could not add within twelve hours.

A record says whether it was added, and is added under the condition that it was not: repairing while the stream goes on is safe.
"""

import time
from collections.abc import Callable, Iterator

from haimaker.aws_lambda.rollup import DailyTotals, RecordTotals, record_totals
from haimaker.observability.observer import Observer
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import RETENTION_S, Item

STREAM_S = 3_600
"""How far the stream may be behind without anything being wrong."""


def repair_totals(
    store: DynamoStore, tables: tuple[str, str], check: bool, say: Callable[[str], object], clock: Callable[[], float] = time.time
) -> int:
    """How many records were missing in the totals; with `check`, nothing is changed. Raises StoreUnavailable."""
    now_s, missing = clock(), 0
    missing_items = store.kept.not_in_totals(now_s - RETENTION_S, now_s - STREAM_S)

    def count_missing() -> Iterator[RecordTotals]:
        nonlocal missing
        for item in missing_items:
            found = _totals_of(item, say)
            if found:
                missing += 1
                yield found

    if check:
        for _ in count_missing():
            pass
    else:
        DailyTotals(store.dynamo, *tables, Observer()).add_records(count_missing())
    if missing:
        say(f"{missing} records {'are missing in' if check else 'were missing in, and are now added to,'} the daily totals.")
    return missing


def _totals_of(item: Item, say: Callable[[str], object]) -> RecordTotals | None:
    try:
        return record_totals(item)
    except (KeyError, TypeError, ValueError):
        say(f"{item['id']}: can't be read as a record; it is in no total.")
        return None
