"""Documents in the SQLite file; see `documents.py`."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from haimaker.store.documents import Document
from haimaker.store.sqlite_schema import Execute

GET = "SELECT name, body, version FROM documents WHERE kind = ? AND name = ?"
ALL = "SELECT name, body, version FROM documents WHERE kind = ? ORDER BY name"
PAGE = "SELECT name, body, version FROM documents WHERE kind = ? AND name > ? ORDER BY name LIMIT ?"
NEWEST_PAGE = "SELECT name, body, version FROM documents WHERE kind = ? AND name < ? ORDER BY name DESC LIMIT ?"
AFTER_ALL = "~"
ADD = "INSERT OR IGNORE INTO documents (kind, name, body, version) VALUES (?, ?, ?, 1)"
CHANGE = "UPDATE documents SET body = ?, version = version + 1 WHERE kind = ? AND name = ? AND version = ?"
DELETE = "DELETE FROM documents WHERE kind = ? AND name = ?"

Transaction = Callable[[str], AbstractContextManager[Execute]]


class SQLiteDocuments:
    """`reading` and `writing` open a transaction of the store's, `listing` one beside them."""

    def __init__(self, reading: Transaction, listing: Transaction, writing: Transaction) -> None:
        self._reading, self._listing, self._writing = reading, listing, writing

    def get(self, kind: str, name: str) -> Document | None:
        with self._reading("document") as execute:
            row = execute(GET, (kind, json.dumps(name))).fetchone()
        return _from_row(row) if row else None

    def all(self, kind: str) -> Sequence[Document]:
        with self._listing("documents") as execute:
            return [_from_row(row) for row in execute(ALL, (kind,)).fetchall()]

    def page(
        self, kind: str, after: str | None = None, limit: int = 100, *, newest_first: bool = False
    ) -> tuple[Sequence[Document], bool]:
        last = (AFTER_ALL if newest_first else "") if after is None else json.dumps(after)
        with self._listing("documents") as execute:
            rows = execute(NEWEST_PAGE if newest_first else PAGE, (kind, last, limit + 1)).fetchall()
        return [_from_row(row) for row in rows[:limit]], len(rows) > limit

    def put(self, kind: str, document: Document) -> bool:
        name, body = json.dumps(document.name), json.dumps(document.body)
        with self._writing("put document") as execute:
            if document.version:
                return execute(CHANGE, (body, kind, name, document.version)).rowcount == 1
            return execute(ADD, (kind, name, body)).rowcount == 1

    def delete(self, kind: str, name: str) -> bool:
        with self._writing("delete document") as execute:
            return execute(DELETE, (kind, json.dumps(name))).rowcount == 1


def _from_row(row: tuple[str, str, int]) -> Document:
    return Document(json.loads(row[0]), json.loads(row[1]), row[2])
