"""DynamoDB as far as its throughput goes: an emulator in this process that charges units by the size of items and throttles.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html

A partition has 1,000 write units and 3,000 read units a second; here each item of a table is one, as the busiest is, and so are all
entries of an index with the same hash key. What a second leaves unused is not saved up, which DynamoDB does not promise either. A
write whose condition fails costs what it would have, and one in a transaction twice as much.
"""

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

from haimaker.store.tables import TABLES

WRITE_UNITS, READ_UNITS = 1_000, 3_000
WRITE_BYTES, READ_BYTES = 1_024, 4_096
INDEXES = {
    (name, index["IndexName"]): index["KeySchema"][0]["AttributeName"]
    for name, table in TABLES.items()
    for index in table.get("GlobalSecondaryIndexes", ())
}
"""By table and index, the attribute that is the index's hash key."""
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
ERROR = "com.amazonaws.dynamodb.v20120810#{}"
SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20261129/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
HOST = "dynamodb.us-east-1.amazonaws.com"
ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": HOST,
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": HOST,
    "HTTP_AUTHORIZATION": SIGNED,
    "CONTENT_TYPE": "application/x-amz-json-1.0",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}

Place = tuple[str, ...]
"""What has units of its own: `write` or `read`, the table, and the item, or the index and its hash key."""


class Capacity:
    """`tables` are the names of the tables of each kind, `scale` the part of DynamoDB's throughput that there is."""

    def __init__(self, tables: dict[str, str], scale: float, clock: Callable[[], float]) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self.throttled: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        """By operation."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._kinds = {name: kind for kind, name in tables.items()}
        self._scale, self._clock = scale, clock
        self._left: dict[Place, tuple[float, float]] = {}
        """Units of each place, and when that was."""
        self._sizes: dict[tuple[str, str], int] = {}

    def call(self, operation: str, request: Any) -> tuple[int, Any]:
        """The status and the document of an answer."""
        places = list(self._places(operation, request))
        if any(self._units_left(place) <= 0 for place in places):
            self.throttled[operation] += 1
            if operation != "TransactWriteItems":
                return 400, {"__type": ERROR.format("ProvisionedThroughputExceededException")}
            reasons = [{"Code": "ThrottlingError"}]
            return 400, {"__type": ERROR.format("TransactionCanceledException"), "CancellationReasons": reasons}
        wanted = request.get("ReturnValues", "NONE")
        if operation in WRITES[1:]:
            request = {**request, "ReturnValues": "ALL_NEW" if operation == "UpdateItem" else "ALL_OLD"}
        status, said = self._carry_out(operation, request)
        self._charge(operation, request, places, said)
        if wanted == "NONE" and operation in WRITES:
            said.pop("Attributes", None)
        return status, said

    def _carry_out(self, operation: str, request: Any) -> tuple[int, Any]:
        body = json.dumps(request).encode()
        statuses: list[str] = []
        told = {
            "HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        answer = b"".join(self._moto(ENVIRON | told, lambda status, headers, error=None: statuses.append(status)))
        return int(statuses[0].split()[0]), json.loads(answer or b"{}")

    def _places(self, operation: str, request: Any) -> Iterator[Place]:
        """Where a call finds its units: the items or the partition, and for a new item its entries of the indexes."""
        table = request.get("TableName", "")
        if operation in WRITES:
            yield "write", *_place(table, request.get("Key") or request["Item"])
        if operation == "PutItem":
            for (kind, index), name in INDEXES.items():
                if kind == self._kinds.get(table) and name in request["Item"]:
                    yield "write", table, index, request["Item"][name]["S"]
        if operation == "TransactWriteItems":
            for change in request["TransactItems"]:
                (one,) = change.values()
                yield "write", *_place(one["TableName"], one["Key"])
        if operation == "GetItem":
            yield "read", *_place(table, request["Key"])
        if operation == "BatchGetItem":
            yield from (("read", *_place(name, key)) for name, one in request["RequestItems"].items() for key in one["Keys"])
        if operation == "Query":
            yield "read", table, request.get("IndexName", ""), json.dumps(request["ExpressionAttributeValues"][":hash"])

    def _charge(self, operation: str, request: Any, places: list[Place], said: Any) -> None:
        if operation in WRITES:
            item = request.get("Item") or said.get("Attributes") or said.get("Item") or {}
            place = places[0][1:3]
            size = max(self._sizes.get(place, 0), item_bytes(item))
            self._sizes[place] = item_bytes(item) or self._sizes.get(place, 0)
            units = [_units(size, WRITE_BYTES)] + [1] * (len(places) - 1)
        elif operation == "TransactWriteItems":
            units = [2 * _units(self._sizes.get(place[1:3], 0), WRITE_BYTES) for place in places]
        elif operation == "BatchGetItem":
            units = [_units(self._sizes.get(place[1:3], 0), READ_BYTES) for place in places]
        else:
            read = [said["Item"]] if "Item" in said else said.get("Items", [])
            units = [_units(sum(map(item_bytes, read)), READ_BYTES)] * len(places)
        for place, taken in zip(places, units, strict=True):
            self._left[place] = (self._units_left(place) - taken, self._clock())
            self.units[operation] += taken

    def _units_left(self, place: Place) -> float:
        most = (WRITE_UNITS if place[0] == "write" else READ_UNITS) * self._scale
        now_s = self._clock()
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


def _units(size: int, unit: int) -> int:
    return max(1, ceil(size / unit))


def _place(table: str, key: Any) -> tuple[str, str]:
    return table, json.dumps([key[name] for name in ("pk", "sk", "id") if name in key])
