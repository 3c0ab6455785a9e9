"""Records and daily totals in DynamoDB: kept once, read by request, by account and by day. No Scan, and nothing of an account."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import merge
from itertools import chain, islice
from operator import itemgetter

from haimaker.lean_dataclasses import dataclass
from haimaker.store import Record, Reservation, StoreUnavailable, TooManyRecords, ledger, tables
from haimaker.store.dynamo_calls import PAGE_OF_ITEMS, ConditionFailed, DynamoTable
from haimaker.store.tables import DAY_S, PARTS, RETENTION_S, Item
from haimaker.store.totals import (
    AMOUNTS,
    MAX_ROWS,
    By,
    Total,
    day_to_s,
    each_item,
    keep_top,
    sum_over_days,
    sum_records,
    total,
)

AFTER_ALL = ":"
"""Sorts behind every place in time."""
BEFORE_ALL = "0"
LAST_NAME = "\U0010ffff"
SMALL_PAGE, LARGE_PAGE = 10, 1_000
"""Keys, or totals, that are read at a time: where only some may be wanted, and where all are."""
MAX_SUMMED = 50_000
"""Records that one sum adds up where no total of a day serves it."""
LOOKED_AT = 1_000
"""The newest records, of which the dearest are found: no index has what they cost, and each is read for it."""
MAX_ADDED = 10 * MAX_ROWS
"""Totals that one sum adds up, whose rows may be fewer."""
JOIN_TRIES = 5


@dataclass(frozen=True, slots=True)
class DynamoRecords:
    calls: DynamoTable
    accounts_table: str
    records_table: str
    clock: Callable[[], float]
    rolled_up: bool
    """Whether daily totals are kept from the stream of new records; an emulator has none, and they are summed when asked for."""
    by_day: bool = False
    """Whether there may be records that only the index of older releases has."""

    def keep(self, record: Record, reservation: Reservation | None = None) -> tuple[Record, bool]:
        """Adds a record unless there is one of this request; returns the stored record, and whether it is this one.

        The records of an account that was split are in parts as well, by where their reservations are: a partition of an index
        bears no more than an item does."""
        shard = reservation.shard if reservation and reservation.account_id == record.account_id else None
        item = tables.record_item(record, (shard or 0) % PARTS)
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
        """Replaces a record; `seen` is what must still be stored. An earlier try whose answer was lost may not have been carried
        out, and somebody else's change be why this one failed."""
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
            return failed.repeated and self.read(record.request_id) == record
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
        keys = self._keys(account_id, first, last, limit + 2, newest_first=newest_first)
        found = list(islice((key for key in keys if key["started"] != after), limit + 1))
        items = self.calls.read_all(self.records_table, ("id",), found[:limit])
        return [tables.record(item) for item in items], found[limit - 1]["started"] if len(found) > limit else None

    def dearest(
        self, account_id: str | None, since_s: float, until_s: float, after: str | None, limit: int
    ) -> tuple[Sequence[Record], str | None, int | None]:
        """See `Store.dearest`: of the newest, whose cost is read from each."""
        newest, more = self.page(account_id, since_s, until_s, None, LOOKED_AT, newest_first=True)
        ordered = sorted(newest, key=ledger.cost_key, reverse=True)
        found = [record for record in ordered if after is None or ledger.cost_key(record) < after]
        cursor = ledger.cost_key(found[limit - 1]) if len(found) > limit else None
        return found[:limit], cursor, len(newest) if more else None

    def not_in_totals(self, since_s: float, until_s: float) -> Iterator[Item]:
        """Items of records of this time that the stream has not added to the daily totals."""
        keys = self._keys(None, ledger.sort_key(since_s), ledger.sort_key(until_s), LARGE_PAGE, newest_first=False)
        while some := list(islice(keys, PAGE_OF_ITEMS)):
            items = self.calls.read_all(self.records_table, ("id",), some)
            yield from (item for item in items if tables.ROLLED_UP not in item)

    def move(self, day: str) -> int:
        """Moves the records of a day from the index of older releases to that of this one; returns their number. For
        the operator's commands."""
        keys = list(self._of_day(day, BEFORE_ALL, AFTER_ALL, LARGE_PAGE, backwards=False))
        for key in keys:
            with suppress(ConditionFailed):  # it has expired
                self.calls.call(
                    "UpdateItem",
                    TableName=self.records_table,
                    Key=tables.to_attributes({"id": key["id"]}),
                    UpdateExpression="SET part = :part REMOVE #day",
                    ConditionExpression="attribute_exists(id)",
                    ExpressionAttributeNames={"#day": "day"},
                    ExpressionAttributeValues=tables.to_attributes({":part": tables.part_of(key["id"])}),
                )
        return len(keys)

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
        if not self.rolled_up:
            since_s, until_s = day_to_s(first_day), day_to_s(last_day) + DAY_S
            pages = each_item(lambda after: self.page(account_id, since_s, until_s, after, PAGE_OF_ITEMS, newest_first=False))
            return sum_records(pages, by)
        if account_id and by != "day":
            return sum_records(self._bounded(account_id, day_to_s(first_day), day_to_s(last_day) + DAY_S), by)
        rows = self._counted(by, first_day, last_day, account_id)
        if len(rows) > MAX_ROWS:
            raise TooManyRecords
        return rows

    def sums(self, by: By, first_day: str, last_day: str, *, daily: bool, top: int | None) -> tuple[Sequence[Total], int]:
        """See `Store.sums`."""
        found = self._counted(by, first_day, last_day, None) if self.rolled_up else self.totals(by, first_day, last_day, None)
        rows, others = keep_top(found, top) if top is not None else (found, 0)
        rows = rows if daily else sorted(sum_over_days(rows), key=lambda row: (not row.name, row.name))
        if len(rows) > MAX_ROWS:
            raise TooManyRecords
        return rows, others

    def _counted(self, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
        """Raises TooManyRecords."""
        span = ("sk", f"{by}#{first_day}", f"{by}#{last_day}#{LAST_NAME}")
        partitions = [account_id] if account_id else ["total", *(f"total#{part}" for part in range(1, PARTS))]
        sums: dict[tuple[str, str], Counter[str]] = {}
        for name in partitions:
            items = self.calls.query(self.accounts_table, None, ("pk", name), span, LARGE_PAGE, backwards=False)
            for item in items:
                if len(sums) > MAX_ADDED:
                    raise TooManyRecords
                _, day, *rest = item["sk"].split("#", 2)
                place = (day, "" if by == "day" else rest[0])
                sums.setdefault(place, Counter()).update({amount: int(item.get(amount, 0)) for amount in AMOUNTS})
        return [total(*place, sums[place]) for place in sorted(sums)]

    def _bounded(self, account_id: str, since_s: float, until_s: float) -> Iterator[Record]:
        """The records of one account, a bounded number: only its whole days are rolled up. Raises TooManyRecords."""
        after: str | None = None
        for _ in range(MAX_SUMMED // PAGE_OF_ITEMS):
            found, after = self.page(account_id, since_s, until_s, after, PAGE_OF_ITEMS, newest_first=False)
            yield from found
            if after is None:
                return
        raise TooManyRecords

    def _keys(self, account_id: str | None, first: str, last: str, page: int, *, newest_first: bool) -> Iterator[Item]:
        """The keys of records between two places in time, both included, in order; read about so many at a time."""
        span = ("started", first, last)
        index, partitions = "by_part", [("part", str(part)) for part in range(PARTS)]
        if account_id:
            index, partitions = "by_account", [("account", name) for name in self._parts(account_id)]
        is_whole = page == LARGE_PAGE or len(partitions) == 1
        part_page = page if is_whole else max(SMALL_PAGE, 2 * page // len(partitions))
        parts: list[Iterable[Item]] = [
            self.calls.query(self.records_table, index, partition, span, part_page, backwards=newest_first)
            for partition in partitions
        ]
        if self.by_day and not account_id:
            parts.append(self._of_days(first, last, page, newest_first=newest_first))
        place: str | None = None
        for key in merge(*parts, key=itemgetter("started"), reverse=newest_first):
            if key["started"] != place:  # else it is being moved
                yield key
            place = key["started"]

    def _parts(self, account_id: str) -> list[str]:
        """The names under which the index has an account's records; all that there can be of one that is gone."""
        account = self.calls.get(self.accounts_table, tables.key(account_id))
        number = min(account.get("shards", 1), PARTS) if account else PARTS
        return [account_id, *(tables.shard_name(account_id, part) for part in range(1, number))]

    def _of_days(self, first: str, last: str, page: int, *, newest_first: bool) -> Iterator[Item]:
        now_s = self.clock()
        first_s = max(ledger.time_of_sort_key(first), now_s - RETENTION_S)
        days = list(tables.days(first_s, min(ledger.time_of_sort_key(last) + 1e-6, now_s + DAY_S)))
        ordered = reversed(days) if newest_first else days
        return chain.from_iterable(self._of_day(day, first, last, page, backwards=newest_first) for day in ordered)

    def _of_day(self, day: str, first: str, last: str, page: int, *, backwards: bool) -> Iterator[Item]:
        return self.calls.query(self.records_table, "by_day", ("day", day), ("started", first, last), page, backwards=backwards)
