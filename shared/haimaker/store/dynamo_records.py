"""Records and daily totals in DynamoDB: kept once, read by request, by account and by day. No Scan, and nothing of an account."""

import json
from collections.abc import Callable, Iterator, Sequence

from haimaker.lean_dataclasses import dataclass
from haimaker.store import Record, Reservation, StoreUnavailable, ledger, tables
from haimaker.store.dynamo_calls import PAGE_OF_ITEMS, ConditionFailed, DynamoTable
from haimaker.store.tables import DAY_S, RETENTION_S, Item
from haimaker.store.totals import By, Total, day_to_s, each_item, sum_records, total

AFTER_ALL = ":"
"""Sorts behind every place in time."""
BEFORE_ALL = "0"
LAST_NAME = "\U0010ffff"
MAX_TOTALS = 10**6
JOIN_TRIES = 5


@dataclass(frozen=True, slots=True)
class DynamoRecords:
    calls: DynamoTable
    accounts_table: str
    records_table: str
    clock: Callable[[], float]
    rolled_up: bool
    """Whether daily totals are kept from the stream of new records; an emulator has none, and they are summed when asked for."""

    def keep(self, record: Record) -> tuple[Record, bool]:
        """Adds a record unless there is one of this request; returns the stored record, and whether it is this one."""
        item = tables.record_item(record)
        try:
            self.calls.add(self.records_table, item, "id")
        except ConditionFailed as failed:
            kept = self.read(record.request_id)
            if kept is None:
                raise StoreUnavailable("DynamoDB PutItem: the record vanished") from None
            if (noted := ledger.with_outcome(kept, record)) is not None:
                self.amend(noted, kept)
            return kept, failed.repeated and kept == tables.record(item)
        return tables.record(item), True

    def join(self, kept: Record, reservation: Reservation) -> Record:
        """Adds the reservation's account to those that a lost request is charged to; returns the record."""
        for _ in range(JOIN_TRIES):
            joined = ledger.with_account(kept, reservation)
            if joined is None or self.amend(joined, kept):
                return joined or kept
            kept = self.read(kept.request_id) or kept
        raise StoreUnavailable("DynamoDB UpdateItem: too many writers of one record")

    def amend(self, record: Record, seen: Record | None = None) -> bool:
        """Replaces a record; `seen` is what must still be stored."""
        values = {":status": record.status, ":cost": record.cost_nanousd, ":detail": json.dumps(record.detail), ":lost": "lost"}
        values |= {":seen": json.dumps(seen.detail)} if seen else {}
        try:
            self.calls.call(
                "UpdateItem",
                TableName=self.records_table,
                Key=tables.to_attributes({"id": record.request_id}),
                UpdateExpression="SET #status = :status, cost_nanousd = :cost, detail = :detail",
                ConditionExpression="#status = :lost" + (" AND detail = :seen" if seen else ""),
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=tables.to_attributes(values),
            )
        except ConditionFailed as failed:
            return failed.repeated
        return True

    def read(self, request_id: str) -> Record | None:
        item = self.calls.get(self.records_table, tables.to_attributes({"id": request_id}))
        return tables.record(item) if item else None

    def page(
        self, account_id: str | None, since_s: float, until_s: float, after: str | None, limit: int, *, newest_first: bool
    ) -> tuple[Sequence[Record], str | None]:
        """See `Store.records`. A range in DynamoDB has its ends in it, so that the cursor itself is left out here."""
        first, last = ledger.sort_key(since_s), ledger.sort_key(until_s)
        first, last = (first, min(last, after or AFTER_ALL)) if newest_first else (max(first, after or BEFORE_ALL), last)
        found: list[Item] = []
        for index, partition in self._partitions(account_id, first, last, newest_first=newest_first):
            span = ("started", first, last)
            most = limit + 2 - len(found)
            keys = self.calls.query(self.records_table, index, partition, span, most, backwards=newest_first)
            found += [key for key in keys if key["started"] != after]
            if len(found) > limit:
                break
        items = self.calls.read_all(self.records_table, ("id",), found[:limit])
        return [tables.record(item) for item in items], found[limit - 1]["started"] if len(found) > limit else None

    def not_in_totals(self, since_s: float, until_s: float) -> Iterator[Item]:
        """Items of records of this time that were not added to the daily totals."""
        first, last = ledger.sort_key(since_s), ledger.sort_key(until_s)
        for index, partition in self._partitions(None, first, last, newest_first=False):
            span = ("started", first, last)
            keys = self.calls.query(self.records_table, index, partition, span, MAX_TOTALS, backwards=False)
            for start in range(0, len(keys), PAGE_OF_ITEMS):
                items = self.calls.read_all(self.records_table, ("id",), keys[start : start + PAGE_OF_ITEMS])
                yield from (item for item in items if tables.ROLLED_UP not in item)

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
        if not self.rolled_up:
            since_s, until_s = day_to_s(first_day), day_to_s(last_day) + DAY_S
            pages = each_item(lambda after: self.page(account_id, since_s, until_s, after, PAGE_OF_ITEMS, newest_first=False))
            return sum_records(pages, by)
        span = ("sk", f"{by}#{first_day}", f"{by}#{last_day}{'' if by == 'day' else '#' + LAST_NAME}")
        partition = ("pk", account_id or "total")
        items = self.calls.query(self.accounts_table, None, partition, span, MAX_TOTALS, backwards=False)
        places = [item["sk"].split("#", 2)[1:] for item in items]
        return [total(place[0], "".join(place[1:]), item) for place, item in zip(places, items, strict=True)]

    def _partitions(
        self, account_id: str | None, first: str, last: str, *, newest_first: bool
    ) -> Iterator[tuple[str, tuple[str, str]]]:
        """The index and the keys of it that hold the records between two places in time, both included."""
        if account_id:
            yield "by_account", ("account", account_id)
            return
        now_s = self.clock()
        first_s = max(ledger.time_of_sort_key(first), now_s - RETENTION_S)
        days = list(tables.days(first_s, min(ledger.time_of_sort_key(last) + 1e-6, now_s + DAY_S)))
        for day in reversed(days) if newest_first else days:
            yield "by_day", ("day", day)
