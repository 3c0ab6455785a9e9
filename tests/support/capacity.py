"""A front before an emulator of DynamoDB that charges units by the size of items and throttles as DynamoDB does.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html

A partition has 1,000 write units and 3,000 read units a second; here each item of a table is one, as the busiest is, and so are all
entries of an index with the same hash key. What a second leaves unused is not saved up, which DynamoDB does not promise either.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import Any

from haimaker.store.tables import TABLES
from tests.support.aws_front import AWSFront

WRITE_UNITS, READ_UNITS = 1_000, 3_000
WRITE_BYTES, READ_BYTES = 1_024, 4_096
INDEXES = {
    (name, index["IndexName"]): index["KeySchema"][0]["AttributeName"]
    for name, table in TABLES.items()
    for index in table.get("GlobalSecondaryIndexes", ())
}
"""By table and index, the attribute that is the index's hash key."""
WRITES, READS = ("PutItem", "UpdateItem", "DeleteItem"), ("GetItem", "BatchGetItem", "Query")
THROTTLED = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}).encode()


class CapacityFront(AWSFront):
    """`tables` are the names of the tables of each kind, `scale` the part of DynamoDB's throughput that there is."""

    def __init__(self, dynamodb: str, tables: dict[str, str], scale: float = 1.0) -> None:
        super().__init__(dynamodb, dynamodb)
        self.throttled: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        """By operation."""
        self._kinds = {name: kind for kind, name in tables.items()}
        self._scale = scale
        self._lock = threading.Lock()
        self._left: dict[tuple[str, ...], tuple[float, float]] = {}
        """Units of each place, and when that was."""
        self._sizes: dict[tuple[str, str], int] = {}

    def carry_out(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        operation, request = headers["x-amz-target"].rpartition(".")[2], json.loads(body)
        places = list(self._places(operation, request))
        with self._lock:
            if any(self._units_left(place) <= 0 for place in places):
                self.throttled[operation] += 1
                return 400, {}, THROTTLED
        wanted = request.get("ReturnValues", "NONE")
        if operation in WRITES[1:]:
            request["ReturnValues"] = "ALL_NEW" if operation == "UpdateItem" else "ALL_OLD"
        status, kind, answer = super().carry_out(method, target, headers, json.dumps(request).encode())
        said = json.loads(answer)
        with self._lock:
            self._charge(operation, request, places, said)
        if wanted == "NONE" and operation in WRITES:
            said.pop("Attributes", None)
        return status, kind, json.dumps(said).encode()

    def _places(self, operation: str, request: Any) -> Iterator[tuple[str, ...]]:
        """Where a call finds its units: the item or the partition, and for a new item its entries of the indexes."""
        table = request.get("TableName", "")
        if operation in WRITES:
            yield "write", *_place(table, request.get("Key") or request["Item"])
        if operation == "PutItem":
            for (kind, index), name in INDEXES.items():
                if kind == self._kinds.get(table) and name in request["Item"]:
                    yield "write", table, index, request["Item"][name]["S"]
        if operation == "GetItem":
            yield "read", *_place(table, request["Key"])
        if operation == "Query":
            yield "read", table, request.get("IndexName", ""), json.dumps(request["ExpressionAttributeValues"][":hash"])

    def _charge(self, operation: str, request: Any, places: list[tuple[str, ...]], said: Any) -> None:
        if operation in WRITES:
            item = request.get("Item") or said.get("Attributes") or said.get("Item") or {}
            place = places[0][1:3]
            size = max(self._sizes.get(place, 0), item_bytes(item))
            self._sizes[place] = item_bytes(item) or self._sizes.get(place, 0)
            units = [max(1, ceil(size / WRITE_BYTES))] + [1] * (len(places) - 1)
        else:
            read = [said["Item"]] if "Item" in said else said.get("Items", [])
            units = [max(1, ceil(sum(map(item_bytes, read)) / READ_BYTES))] * len(places)
        for place, taken in zip(places, units, strict=True):
            self._left[place] = (self._units_left(place) - taken, time.monotonic())
            self.units[operation] += taken

    def _units_left(self, place: tuple[str, ...]) -> float:
        most = (WRITE_UNITS if place[0] == "write" else READ_UNITS) * self._scale
        now_s = time.monotonic()
        left, since_s = self._left.get(place, (most, now_s))
        return min(most, left + (now_s - since_s) * most)


def item_bytes(item: Any) -> int:
    """Of an item as DynamoDB counts it."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content.strip("-.")) // 2 + 2
    if kind == "M":
        return 3 + sum(len(name.encode()) + 1 + _value_bytes(inner) for name, inner in content.items())
    return 1


def _place(table: str, key: Any) -> tuple[str, str]:
    return table, json.dumps([key[name] for name in ("pk", "sk", "id") if name in key])
