"""Accounts and records in two DynamoDB tables, whose keys and items `tables.py` describes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html

No boto3, no Scan, and no counter that is read before it is written: admission is one conditional write, and every later one
adds differences. Each write may be repeated when its answer was lost.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from haimaker.aws import THROTTLED, AWSClient, AWSError
from haimaker.store import (
    NEVER_S,
    Account,
    Admitted,
    Balance,
    Hold,
    Record,
    Refused,
    StoreThrottled,
    StoreUnavailable,
    ledger,
    minute_of,
    tables,
)
from haimaker.store.tables import DAY_S, RETENTION_S, Item
from haimaker.wire import JSON

ROUNDS = 5
"""How often an admission is tried again after it repaired the account or met other writers."""
PAGE_OF_ITEMS = 100
"""The most that BatchGetItem reads."""
AFTER_ALL = ":"
"""Sorts behind every place in time."""

RESERVE = (
    "SET remaining = remaining - :amount, free_slots = free_slots - :one, holds.#rid = :held, "
    "#rpm = if_not_exists(#rpm, rpm_limit) - :one, #tpm = if_not_exists(#tpm, tpm_limit) - :tokens"
)
ALLOWS = (
    "attribute_exists(pk) AND attribute_not_exists(holds.#rid) AND version = :version AND blocked = :false "
    "AND expires_s > :now AND window_end_s > :now AND free_slots >= :one "
    "AND ((attribute_not_exists(#rpm) AND rpm_limit >= :one) OR #rpm >= :one)"
)
ALLOWS_AMOUNT = " AND remaining >= :amount"
ALLOWS_TOKENS = " AND ((attribute_not_exists(#tpm) AND tpm_limit >= :tokens) OR #tpm >= :tokens)"
RELEASE = "SET remaining = remaining + :returned, total_spend = total_spend + :cost, free_slots = free_slots + :one"
RENEW = "SET remaining = remaining + :returned, window_end_s = :window_end_s"
EXISTS = "attribute_exists(pk)"


class DynamoStore:
    """See `haimaker.store.Store`."""

    def __init__(self, accounts_table: str, records_table: str, dynamo: AWSClient, clock: Callable[[], float] = time.time) -> None:
        self._accounts, self._records = accounts_table, records_table
        self._dynamo = dynamo
        self._clock = clock

    def put(self, account: Account, spent_as: Balance | None = None) -> bool:
        item = tables.account_item(account, spent_as)
        try:
            self._add(self._accounts, item, "pk")
        except _ConditionFailed as failed:
            return failed.repeated and (self._read(account.id) or {}).get("config") == item["config"]
        return True

    def get(self, account_id: str) -> Balance | None:
        item = self._read(account_id)
        return tables.balance(item, self._clock()) if item else None

    def update(self, account: Account) -> bool:
        now_s = self._clock()
        item = self._read(account.id)
        if item and item["version"] == account.version and self._renew(item, now_s):
            item = self._read(account.id)
        if not item or item["version"] != account.version:
            return False
        update, values = tables.configuration(account, tables.counters(item, now_s), now_s)
        try:
            self._update(account.id, update, "version = :version", values, tables.minute_names(now_s))
        except _ConditionFailed as failed:
            return failed.repeated and (self._read(account.id) or {}).get("config") == values[":config"]
        return True

    def delete(self, account_id: str) -> bool:
        try:
            self._call("DeleteItem", TableName=self._accounts, Key=tables.key(account_id), ConditionExpression=EXISTS)
        except _ConditionFailed as failed:
            return failed.repeated
        return True

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        found = self._query(self._accounts, "by_kind", ("kind", kind), ("created", tables.after(after), AFTER_ALL), limit + 1)
        items = self._read_all(self._accounts, ("pk", "sk"), found[:limit])
        now_s = self._clock()
        return [tables.balance(item, now_s) for item in items], found[limit - 1]["created"] if len(found) > limit else None

    def admit(self, hold: Hold) -> Admitted | Refused:
        for _ in range(ROUNDS):
            try:
                item = self._reserve(hold)
            except _ConditionFailed as failed:
                outcome = self._explain(failed.item or self._read(hold.account_id), hold)
                if outcome:
                    return outcome
            else:
                with suppress(StoreUnavailable):  # the hold is granted; the next write meets what is left
                    self._charge(tables.expired(item, hold.now_s))
                return tables.admitted(item, hold)
        raise StoreThrottled("DynamoDB UpdateItem: too many writers of one account")

    def settle(self, hold: Hold, record: Record, tokens: int) -> bool:
        """Two writes, both safe to repeat: the record, then the account. A hold that was charged as lost in the meantime
        stays so: its record stays as it is and the answer is False."""
        kept, is_new = self._keep(record)
        released = self._release(hold, kept.cost_nanousd, tokens)
        return is_new or (released and kept == tables.record(tables.record_item(record)))

    def charge_lost(self, account_id: str, now_s: float) -> int:
        item = self._read(account_id)
        return self._charge(tables.expired(item, now_s)) if item else 0

    def record(self, request_id: str) -> Record | None:
        answer = self._call("GetItem", TableName=self._records, Key=tables.typed({"id": request_id}), ConsistentRead=True)
        return tables.record(tables.plain(answer["Item"])) if "Item" in answer else None

    def records(
        self,
        account_id: str | None = None,
        since_s: float = 0,
        until_s: float = NEVER_S,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[Sequence[Record], str | None]:
        first, last = max(ledger.order(since_s), tables.after(after)), ledger.order(until_s)
        found: list[Item] = []
        for index, partition in self._partitions(account_id, first, last):
            found += self._query(self._records, index, partition, ("started", first, last), limit + 1 - len(found))
            if len(found) > limit:
                break
        items = self._read_all(self._records, ("id",), found[:limit])
        return [tables.record(item) for item in items], found[limit - 1]["started"] if len(found) > limit else None

    def _partitions(self, account_id: str | None, first: str, last: str) -> Iterator[tuple[str, tuple[str, str]]]:
        """The index and the keys of it that hold the records between two places in time."""
        if account_id:
            yield "by_account", ("account", account_id)
            return
        now_s = self._clock()
        for day in tables.days(max(ledger.time_of(first), now_s - RETENTION_S), min(ledger.time_of(last), now_s + DAY_S)):
            yield "by_day", ("day", day)

    def _reserve(self, hold: Hold) -> Item:
        """The one write that checks every limit and takes from every counter; returns the account after it."""
        condition = ALLOWS + (ALLOWS_AMOUNT if hold.amount_nanousd else "") + (ALLOWS_TOKENS if hold.tokens else "")
        values = {
            ":amount": hold.amount_nanousd,
            ":tokens": hold.tokens,
            ":version": hold.version,
            ":now": hold.now_s,
            ":held": ledger.encode_hold(hold),
            ":one": 1,
            ":false": False,
        }
        names = {"#rid": hold.request_id, **tables.minute_names(hold.now_s)}
        return self._update(hold.account_id, RESERVE, condition, values, names, "ALL_NEW")

    def _explain(self, item: Item | None, hold: Hold) -> Admitted | Refused | None:
        """Why the account did not allow the hold; None once that was repaired, or is over. The answer to an earlier try
        may have been lost: then the hold is there."""
        if item is None:
            return Refused("unknown")
        if item["holds"].get(hold.request_id) == ledger.encode_hold(hold):
            return tables.admitted(item, hold)
        counters = tables.counters(item, hold.now_s)
        reason = ledger.reason_against(counters, hold)
        if reason in ledger.FINAL:
            return ledger.refused(counters, hold, reason)
        renewed, expired = self._renew(item, hold.now_s), tables.expired(item, hold.now_s)
        self._charge(expired)
        return ledger.refused(counters, hold, reason) if reason and not renewed and not expired else None

    def _renew(self, item: Item, now_s: float) -> bool:
        """Renews a budget window that ended; whether it had. Adding what was spent commutes with settles that happen meanwhile."""
        counters = tables.counters(item, now_s)
        renewal = ledger.repair(counters, sum(hold.amount_nanousd for hold in tables.holds(item)), now_s)
        if renewal is None:
            return False
        values = {":returned": renewal.returned, ":window_end_s": renewal.window_end_s, ":seen": counters.window_end_s}
        with suppress(_ConditionFailed):  # somebody else renewed it
            self._update(counters.account_id, RENEW, "window_end_s = :seen", values)
        return True

    def _charge(self, holds: Sequence[Hold]) -> int:
        """Charges holds as lost, or what their records say where a settle stopped between its two writes."""
        return sum(self._release(hold, self._keep(ledger.lost(hold))[0].cost_nanousd, hold.tokens) for hold in holds)

    def _keep(self, record: Record) -> tuple[Record, bool]:
        """Adds a record; returns the one that is kept, an earlier one wins, and whether it is this one."""
        item = tables.record_item(record)
        try:
            self._add(self._records, item, "id")
        except _ConditionFailed as failed:
            kept = self.record(record.request_id)
            if kept is None:
                raise StoreUnavailable("DynamoDB PutItem: the record vanished") from None
            return kept, failed.repeated and kept == tables.record(item)
        return tables.record(item), True

    def _release(self, hold: Hold, cost: int, tokens: int) -> bool:
        """Ends the hold; False if it had ended, or the account has."""
        values = {":returned": hold.amount_nanousd - cost, ":cost": cost, ":one": 1}
        stale = [name for minute in hold.stale_minutes for name in tables.minute_names(minute * 60).values()]
        names = {f"#stale{number}": name for number, name in enumerate(stale)}
        update, removed = RELEASE, ", ".join(["holds.#rid", *names])
        if tokens != hold.tokens and minute_of(self._clock()) == minute_of(hold.now_s):
            update += ", #tpm = if_not_exists(#tpm, tpm_limit) + :unused"
            values[":unused"] = hold.tokens - tokens
            names["#tpm"] = tables.minute_names(hold.now_s)["#tpm"]
        names["#rid"] = hold.request_id
        try:
            self._update(hold.account_id, f"{update} REMOVE {removed}", "attribute_exists(holds.#rid)", values, names)
        except _ConditionFailed as failed:
            return failed.repeated
        return True

    def _add(self, table: str, item: Item, key: str) -> None:
        self._call("PutItem", TableName=table, Item=tables.typed(item), ConditionExpression=f"attribute_not_exists({key})")

    def _update(
        self, account_id: str, update: str, condition: str, values: Item, names: Item | None = None, returned: str = "NONE"
    ) -> Item:
        request = {"ExpressionAttributeNames": names} if names else {}
        answer = self._call(
            "UpdateItem",
            TableName=self._accounts,
            Key=tables.key(account_id),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=tables.typed(values),
            ReturnValues=returned,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **request,
        )
        return tables.plain(answer.get("Attributes", {}))

    def _read(self, account_id: str) -> Item | None:
        answer = self._call("GetItem", TableName=self._accounts, Key=tables.key(account_id), ConsistentRead=True)
        return tables.plain(answer["Item"]) if "Item" in answer else None

    def _query(self, table: str, index: str, partition: tuple[str, str], span: tuple[str, str, str], limit: int) -> list[Item]:
        """At most `limit` keys of an index, in order, between two values of its range key."""
        name, first, last = span
        if first > last:
            return []
        request: JSON = {
            "KeyConditionExpression": "#hash = :hash AND #range BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#hash": partition[0], "#range": name},
            "ExpressionAttributeValues": tables.typed({":hash": partition[1], ":first": first, ":last": last}),
        }
        found: list[Item] = []
        while len(found) < limit:
            answer = self._call("Query", TableName=table, IndexName=index, Limit=limit - len(found), **request)
            found += [tables.plain(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def _read_all(self, table: str, key: tuple[str, ...], found: Sequence[Item]) -> list[Item]:
        """The items of keys, in their order, without those that are gone."""
        keys = [tables.typed({name: item[name] for name in key}) for item in found]
        items: dict[str, Item] = {}
        while keys:
            asked, keys = keys[:PAGE_OF_ITEMS], keys[PAGE_OF_ITEMS:]
            answer = self._call("BatchGetItem", RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
            read = [tables.plain(item) for item in answer["Responses"].get(table, ())]
            items |= {item[key[0]]: item for item in read}
            keys += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
        return [items[item[key[0]]] for item in found if item[key[0]] in items]

    def _call(self, operation: str, **request: Any) -> JSON:
        try:
            return self._dynamo.call(operation, request)
        except AWSError as error:
            if error.code == "ConditionalCheckFailedException":
                raise _ConditionFailed(error) from None
            failure = StoreThrottled if error.code in THROTTLED else StoreUnavailable
            raise failure(f"DynamoDB {error}") from error


class _ConditionFailed(Exception):
    def __init__(self, error: AWSError) -> None:
        super().__init__(str(error))
        self.item: Item | None = tables.plain(error.document["Item"]) if "Item" in error.document else None
        self.repeated = error.repeated
