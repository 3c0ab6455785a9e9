"""Small JSON documents by kind and name, beside the accounts: routers that an administrator defined, targets that keep failing.

Each has a version, which a change has to name, so that of two writers one knows that it was late. Both stores pass the same tests.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from haimaker.http.values import JSON


class Document(NamedTuple):
    name: str
    body: JSON
    version: int
    """From 1; 0 is one that is not there yet."""


class Documents(Protocol):
    """Every method raises StoreUnavailable, or StoreThrottled, when the store fails."""

    def get(self, kind: str, name: str) -> Document | None:
        """The document as it is now."""

    def all(self, kind: str) -> Sequence[Document]:
        """All documents of a kind; changes of the last second may be missing."""

    def page(
        self, kind: str, after: str | None = None, limit: int = 100, *, newest_first: bool = False
    ) -> tuple[Sequence[Document], bool]:
        """Some documents of a kind by their names, after one name, and whether there are more. Names sort by their JSON."""

    def put(self, kind: str, document: Document) -> bool:
        """Writes a document under the next version if the stored version is `document.version`; returns False if it is another."""

    def delete(self, kind: str, name: str) -> bool:
        """Returns False if there is no such document."""
