"""Blobs by key: bytes in a folder of this machine (`folder.py`) or in a bucket of S3 (`s3.py`).

One suite of tests proves both (`tests/unit/blobs`). Blobs end after a while: a folder deletes them when it is told to, a bucket has
a lifecycle rule for it. A key is two names with a `/` between them. Whoever makes one of a client's words checks those first.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol


class BlobError(Exception):
    """The store failed. The message names no address."""


class BlobNotFound(BlobError):
    """There is no such blob, or not any more."""


class BlobTooLarge(BlobError):
    """The blob has more bytes than whoever reads it takes."""


class BlobStore(Protocol):
    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Writes or replaces a blob, as a whole or not at all. Raises BlobError."""

    def put_pieces(self, key: str, pieces: Iterable[bytes], content_type: str) -> int:
        """Writes or replaces a blob as its bytes come, as a whole or not at all; returns its size. Raises BlobError, and what
        `pieces` raises."""

    def get(self, key: str, max_bytes: int) -> bytes:
        """The content of a blob. Raises BlobNotFound, BlobTooLarge, BlobError."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """The content of a blob in pieces; it is found, or BlobNotFound raised, before the first is asked for. Raises BlobError."""

    def get_range(self, key: str, first: int, end: int) -> bytes:
        """The bytes of a blob from one to just before another, which are there. Raises BlobNotFound, BlobError."""

    def size(self, key: str) -> int:
        """How many bytes a blob has. Raises BlobNotFound, BlobError."""

    def delete(self, key: str) -> None:
        """Deletes a blob, if there is one. Raises BlobError."""

    def link(self, method: str, key: str, lasts_s: int, size: int | None = None) -> str:
        """An address at which anybody may GET or PUT a blob for about `lasts_s` seconds; one to PUT may be for exactly so many
        bytes, where the store can demand that. Raises BlobError."""

    def delete_expired(self) -> None:
        """Deletes the blobs that have ended, where nobody else does. Raises BlobError."""
