"""Lists of accounts in DynamoDB. By its id, or by its place in time, an account is found in an index; for any other choice or order
every account of its kind is read. No Scan.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from haimaker.lean_dataclasses import dataclass
from haimaker.store import Balance, tables
from haimaker.store.account_query import AccountQuery
from haimaker.store.dynamo_calls import DynamoTable
from haimaker.store.dynamo_records import AFTER_ALL, LARGE_PAGE
from haimaker.store.dynamo_shards import Shards
from haimaker.store.tables import Item

MOST_OF_ID = 1_000
"""Letters of an account's id: a key of DynamoDB takes 2,048 bytes."""


@dataclass(frozen=True, slots=True)
class DynamoLists:
    calls: DynamoTable
    table: str
    shards: Shards
    clock: Callable[[], float]

    def page(self, kind: str, after: str | None, limit: int) -> tuple[Sequence[Balance], str | None]:
        """See `Store.accounts`."""
        span = ("created", tables.start_key(after), AFTER_ALL)
        keys = self.calls.query(self.table, "by_kind", ("kind", kind), span, limit + 1, backwards=False)
        found = list(islice(keys, limit + 1))
        return self._balances(found[:limit]), found[limit - 1]["created"] if len(found) > limit else None

    def find(self, query: AccountQuery, offset: int, limit: int) -> tuple[Sequence[Balance], int]:
        """See `Store.find_accounts`."""
        if query.account_id is not None:
            keys = [tables.plain_key(query.account_id)]
            is_id = query.account_id.isascii() and len(query.account_id) <= MOST_OF_ID
            found = query.select(self._balances(keys) if is_id else [], self.clock())
            return found[offset : offset + limit], len(found)
        span = ("created", tables.start_key(None), AFTER_ALL)
        keys = list(self.calls.query(self.table, "by_kind", ("kind", query.kind), span, LARGE_PAGE, backwards=False))
        if not query.reads_accounts():
            page = (keys[::-1] if query.descending else keys)[offset : offset + limit]
            return query.select(self._balances(page), self.clock()), len(keys)
        found = query.select(self._balances(keys), self.clock())
        return found[offset : offset + limit], len(found)

    def _balances(self, keys: Sequence[Item]) -> list[Balance]:
        now_s = self.clock()
        items = self.calls.read_all(self.table, ("pk", "sk"), keys)
        return [tables.total_balance(each, now_s) for each in self.shards.with_all_rests(items)]
