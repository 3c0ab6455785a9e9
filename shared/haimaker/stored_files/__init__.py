"""Files that a client keeps with us and names by their ids: what batches read and write, and what requests bring by reference.

https://platform.openai.com/docs/api-reference/files

The bytes are a blob, what is known of them is a document of its owner: the team of the key that sent the file, else the key. Every
file has an end, by which a second document finds it; what has ended is not there any more for whoever asks, and is deleted when
the next file comes. Nothing here knows HTTP.
"""

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from haimaker.blobs import BlobStore
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.store import Account
from haimaker.store.documents import Document, Documents

ID_PREFIX = "file-hm"
"""How the ids of our files begin: providers' own ids are passed on."""
ID = re.compile(ID_PREFIX + r"[0-9a-f]{30}")
FOLDER = "files"
"""The first name of the keys of blobs."""
FILES, ENDS = "files#", "file_ends"
"""The kinds of documents: an owner's files by id, and everybody's by their end."""
MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_BATCH_BYTES = 200 * 1024 * 1024
"""https://platform.openai.com/docs/api-reference/files/create"""
MAX_FILES, MAX_KEPT_BYTES = 1_000, 10 * 1024 * 1024 * 1024
"""Of an owner at a time: one key would fill the disk for all. Those that come at the same moment may be a few more."""
MIN_LASTS_S, MAX_LASTS_S = 3_600, 2_592_000
DEFAULT_LASTS_S = MAX_LASTS_S
"""Of a file whose client says nothing of it: 30 days, as OpenAI keeps batches' files."""
UPLOAD_PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
BATCH_OUTPUT = "batch_output"
LINK_LASTS_S = 3_600
LONGEST_NAME = 512
SWEPT = 100
"""Ended files that are deleted when another one comes."""


class StoredFile(NamedTuple):
    id: str
    owner: str
    name: str
    purpose: str
    content_type: str
    size: int
    created_s: int
    expires_s: int


class FileDescription(NamedTuple):
    """What a client says of a file."""

    name: str
    purpose: str
    content_type: str = "application/octet-stream"
    lasts_s: int = DEFAULT_LASTS_S


def owner_of(account: Account) -> str:
    """The owner of a key's files: its team, else the key. A key that was made anew goes on with those of the one before."""
    return f"team#{account.team_id}" if account.team_id else account.owner_id


def file_name(said: str, default: str = "file") -> str:
    """What a client calls a file, without folders."""
    return said.replace("\\", "/").rpartition("/")[2][:LONGEST_NAME] or default


def new_id(prefix: str, now_s: float) -> str:
    """An id that sorts by its time and can't be guessed: 12 hexadecimal digits of milliseconds, and 18 random ones."""
    return f"{prefix}{int(now_s * 1000):012x}{secrets.token_hex(9)}"


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Every method raises StoreUnavailable and BlobError."""

    documents: Documents
    blobs: BlobStore

    def receive(self, pieces: Iterable[bytes], content_type: str, now_s: float) -> tuple[str, int]:
        """Stores the bytes of a file that nobody has yet; returns its id and its size. Raises what `pieces` raises."""
        self.delete_ended(now_s)
        file_id = new_id(ID_PREFIX, now_s)
        return file_id, self.blobs.put_pieces(_blob_key(file_id), pieces, content_type)

    def put(self, file_id: str, pieces: Iterable[bytes], content_type: str = "application/jsonl") -> int:
        """Stores the bytes of a file of our own making, which nobody has yet; returns its size."""
        return self.blobs.put_pieces(_blob_key(file_id), pieces, content_type)

    def add(self, file_id: str, size: int, owner: str, said: FileDescription, now_s: float) -> StoredFile:
        """Gives a file whose bytes are stored to its owner. May be repeated."""
        created_s = int(now_s)
        file = StoredFile(file_id, owner, said.name, said.purpose, said.content_type, size, created_s, created_s + said.lasts_s)
        self.documents.put(ENDS, Document(_end_name(file), {"owner": owner}, 0))
        self.documents.put(FILES + owner, Document(file_id, _to_body(file), 0))
        return file

    def get(self, owner: str, file_id: str) -> StoredFile | None:
        """An owner's file, unless it has ended."""
        found = self.documents.get(FILES + owner, file_id) if ID.fullmatch(file_id) else None
        file = _from_document(owner, found) if found else None
        return file if file and file.expires_s > time.time() else None

    def page(
        self, owner: str, after: str | None, limit: int, purpose: str | None = None, *, newest_first: bool = True
    ) -> tuple[Sequence[StoredFile], bool]:
        """Some of an owner's files, after one of them, and whether there are more."""
        found, now_s, more = list[StoredFile](), time.time(), True
        while more and len(found) <= limit:
            read, more = self.documents.page(FILES + owner, after, limit + 1, newest_first=newest_first)
            files = [_from_document(owner, document) for document in read]
            found += [file for file in files if file.expires_s > now_s and purpose in (None, file.purpose)]
            after = read[-1].name if read else after
        return found[:limit], len(found) > limit

    def is_full(self, owner: str, size: int = 0) -> bool:
        """Whether an owner has as much as one may have, or would with a file of this size."""
        files, _ = self.page(owner, None, MAX_FILES)
        return len(files) >= MAX_FILES or sum(file.size for file in files) + size > MAX_KEPT_BYTES

    def pieces(self, file: StoredFile) -> Iterator[bytes]:
        """Raises BlobNotFound."""
        return self.blobs.pieces(_blob_key(file.id))

    def get_range(self, file_id: str, first: int, end: int) -> bytes:
        """Raises BlobNotFound."""
        return self.blobs.get_range(_blob_key(file_id), first, end)

    def link(self, file: StoredFile) -> str:
        """A link at which anybody may read the file for a while."""
        return self.blobs.link("GET", _blob_key(file.id), LINK_LASTS_S)

    def read(self, file: StoredFile, max_bytes: int) -> bytes:
        """Raises BlobNotFound, BlobTooLarge."""
        return self.blobs.get(_blob_key(file.id), max_bytes)

    def delete(self, file: StoredFile) -> None:
        self.forget(file.id)
        self.documents.delete(FILES + file.owner, file.id)
        self.documents.delete(ENDS, _end_name(file))

    def forget(self, file_id: str) -> None:
        """Deletes the bytes of a file that nobody has."""
        self.blobs.delete(_blob_key(file_id))

    def delete_ended(self, now_s: float) -> None:
        """Deletes some of what has ended, of all owners."""
        for end in self.documents.page(ENDS, None, SWEPT)[0]:
            expires, _, file_id = end.name.partition(" ")
            if int(expires) > now_s:
                return
            self.forget(file_id)
            self.documents.delete(FILES + end.body["owner"], file_id)
            self.documents.delete(ENDS, end.name)


def _blob_key(file_id: str) -> str:
    return f"{FOLDER}/{file_id}"


def _end_name(file: StoredFile) -> str:
    return f"{file.expires_s:012d} {file.id}"


def _to_body(file: StoredFile) -> JSON:
    return {name: value for name, value in file._asdict().items() if name not in ("id", "owner")}


def _from_document(owner: str, document: Document) -> StoredFile:
    return StoredFile(id=document.name, owner=owner, **document.body)
