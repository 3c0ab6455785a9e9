"""The calls of DynamoDB that the store makes, in plain values, their failures as the store's exceptions. No table is known here.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from collections.abc import Iterator, Sequence
from typing import Any

from haimaker.aws.client import THROTTLED, AWSClient, AWSError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.store import StoreThrottled, StoreUnavailable, tables
from haimaker.store.tables import Item

CONTENDED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why a transaction is cancelled that may be tried again.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
PAGE_OF_ITEMS = 100
"""The most that BatchGetItem reads."""


class ConditionFailed(Exception):
    """A write whose condition did not hold; `item` is what was there, where DynamoDB says it."""

    def __init__(self, error: AWSError) -> None:
        super().__init__(str(error))
        self.item: Item | None = tables.from_attributes(error.document["Item"]) if "Item" in error.document else None
        self.repeated = error.repeated
        """Whether an earlier try of the same write may have been carried out."""


@dataclass(frozen=True, slots=True)
class DynamoTable:
    dynamo: AWSClient

    def get(self, table: str, key: JSON) -> Item | None:
        answer = self.call("GetItem", TableName=table, Key=key, ConsistentRead=True)
        return tables.from_attributes(answer["Item"]) if "Item" in answer else None

    def add(self, table: str, item: Item, key: str) -> None:
        """Raises ConditionFailed if there is one with this key."""
        self.call("PutItem", TableName=table, Item=tables.to_attributes(item), ConditionExpression=f"attribute_not_exists({key})")

    def query(
        self, table: str, index: str | None, partition: tuple[str, str], span: tuple[str, str, str], page: int, *, backwards: bool
    ) -> Iterator[Item]:
        """Items (of an index: their keys) in order, between two values of the range key; read page by page, as they are taken."""
        name, first, last = span
        if first > last:
            return
        request: JSON = {
            "KeyConditionExpression": "#hash = :hash AND #range BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#hash": partition[0], "#range": name},
            "ExpressionAttributeValues": tables.to_attributes({":hash": partition[1], ":first": first, ":last": last}),
            "ScanIndexForward": not backwards,
            **({"IndexName": index} if index else {}),
        }
        while True:
            answer = self.call("Query", TableName=table, Limit=page, **request)
            yield from map(tables.from_attributes, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def read_all(self, table: str, key: tuple[str, ...], found: Sequence[Item]) -> list[Item]:
        """The items of keys, in their order, without those that are gone."""
        keys = [tables.to_attributes({name: item[name] for name in key}) for item in found]
        items: dict[str, Item] = {}
        while keys:
            asked, keys = keys[:PAGE_OF_ITEMS], keys[PAGE_OF_ITEMS:]
            answer = self.call("BatchGetItem", RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
            read = [tables.from_attributes(item) for item in answer["Responses"].get(table, ())]
            items |= {item[key[0]]: item for item in read}
            keys += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
        return [items[item[key[0]]] for item in found if item[key[0]] in items]

    def call(self, operation: str, **request: Any) -> JSON:
        """Raises ConditionFailed, StoreThrottled, StoreUnavailable."""
        try:
            return self.dynamo.call(operation, request)
        except AWSError as error:
            if error.code == "ConditionalCheckFailedException":
                raise ConditionFailed(error) from None
            reasons = {reason.get("Code") for reason in error.document.get("CancellationReasons", ())} - {"None"}
            if "ConditionalCheckFailed" in reasons:
                raise ConditionFailed(error) from None
            is_throttled = error.code in THROTTLED or (error.code == "TransactionCanceledException" and reasons <= CONTENDED)
            if not is_throttled:
                raise StoreUnavailable(f"DynamoDB {error}") from error
            throttled = StoreThrottled(f"DynamoDB {error}")
            throttled.untouched = not error.repeated
            raise throttled from error
