"""Documents as items of the accounts table, a partition per kind, so that one Query reads all of a kind. See `documents.py`."""

import json
from collections.abc import Sequence
from itertools import islice

from haimaker.http.values import JSON
from haimaker.store import tables
from haimaker.store.documents import Document
from haimaker.store.dynamo_calls import ConditionFailed, DynamoTable
from haimaker.store.tables import Item

MAX_DOCUMENTS = 1_000
BEFORE_ALL_NAMES, AFTER_ALL_NAMES = " ", "~~"


class DynamoDocuments:
    def __init__(self, calls: DynamoTable, table: str) -> None:
        self._calls, self._table = calls, table

    def get(self, kind: str, name: str) -> Document | None:
        item = self._calls.get(self._table, _key(kind, name))
        return _from_item(item) if item else None

    def all(self, kind: str) -> Sequence[Document]:
        span = ("sk", BEFORE_ALL_NAMES, AFTER_ALL_NAMES)
        found = self._calls.query(self._table, None, ("pk", kind), span, MAX_DOCUMENTS, backwards=False)
        return [_from_item(item) for item in islice(found, MAX_DOCUMENTS)]

    def page(
        self, kind: str, after: str | None = None, limit: int = 100, *, newest_first: bool = False
    ) -> tuple[Sequence[Document], bool]:
        last = json.dumps(after) if after is not None else None
        first, end = BEFORE_ALL_NAMES, AFTER_ALL_NAMES
        if last is not None:
            first, end = (first, last) if newest_first else (last, end)
        read = self._calls.query(self._table, None, ("pk", kind), ("sk", first, end), limit + 2, backwards=newest_first)
        found = [item for item in islice(read, limit + 2) if item["sk"] != last][: limit + 1]
        return [_from_item(item) for item in found[:limit]], len(found) > limit

    def put(self, kind: str, document: Document) -> bool:
        try:
            self._calls.call(
                "UpdateItem",
                TableName=self._table,
                Key=_key(kind, document.name),
                UpdateExpression="SET body = :body, version = :next",
                ConditionExpression="version = :version" if document.version else "attribute_not_exists(pk)",
                ExpressionAttributeValues=tables.to_attributes(
                    {":body": json.dumps(document.body), ":next": document.version + 1}
                    | ({":version": document.version} if document.version else {})
                ),
            )
        except ConditionFailed as failed:
            kept = self.get(kind, document.name) if failed.repeated else None
            return kept == document._replace(version=document.version + 1)
        return True

    def delete(self, kind: str, name: str) -> bool:
        try:
            self._calls.call("DeleteItem", TableName=self._table, Key=_key(kind, name), ConditionExpression="attribute_exists(pk)")
        except ConditionFailed as failed:
            return failed.repeated
        return True


def _key(kind: str, name: str) -> JSON:
    return tables.to_attributes({"pk": kind, "sk": json.dumps(name)})


def _from_item(item: Item) -> Document:
    return Document(json.loads(item["sk"]), json.loads(item["body"]), item["version"])
