"""Blobs in a folder: a file each, which only its owner can read. A key's first names are folders."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from haimaker.blobs import BlobError, BlobNotFound, BlobTooLarge
from haimaker.lean_dataclasses import dataclass

PIECE_BYTES = 256 * 1024

_folders = Lock()
"""Held while a folder is made and gets its first file, so that it is not deleted for being empty in between."""


@dataclass(frozen=True, slots=True)
class FolderBlobs:
    """Blobs that end `lifetime_s` seconds after they were put."""

    folder: Path
    lifetime_s: float
    pattern: str = "*"
    """The folders whose files end, as a glob: others may have been put there by somebody else."""
    address: str = ""
    """Where the local gateway serves them, such as `http://127.0.0.1:8000/links`."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        with _failures():
            _write(self.folder / key, (data,), time.time())

    def put_pieces(self, key: str, pieces: Iterable[bytes], content_type: str) -> int:
        with _failures():
            return _write(self.folder / key, pieces, time.time())

    def get(self, key: str, max_bytes: int) -> bytes:
        if not self.has(key):
            raise BlobNotFound(f"there is no {key}")
        with _failures(), (self.folder / key).open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise BlobTooLarge(f"{key} has more than {max_bytes} bytes")
        return data

    def pieces(self, key: str) -> Iterator[bytes]:
        if not self.has(key):
            raise BlobNotFound(f"there is no {key}")
        with _failures():
            file = (self.folder / key).open("rb")
        return _read(file)

    def get_range(self, key: str, first: int, end: int) -> bytes:
        if not self.has(key):
            raise BlobNotFound(f"there is no {key}")
        with _failures(), (self.folder / key).open("rb") as file:
            file.seek(first)
            return file.read(end - first)

    def size(self, key: str) -> int:
        if not self.has(key):
            raise BlobNotFound(f"there is no {key}")
        with _failures():
            return (self.folder / key).stat().st_size

    def delete(self, key: str) -> None:
        with _failures(), suppress(FileNotFoundError):
            (self.folder / key).unlink()

    def link(self, method: str, key: str, lasts_s: int, size: int | None = None) -> str:
        """What the local gateway serves has no folders in its addresses: GET is for one folder of blobs, and PUT for another."""
        return f"{self.address}/{key.rpartition('/')[2]}"

    def delete_expired(self) -> None:
        with _failures():
            for folder in [found for found in self.folder.glob(self.pattern) if found.is_dir()]:
                with suppress(FileNotFoundError):  # another thread deletes too
                    for file in [found for found in folder.iterdir() if not self._is_current(found)]:
                        file.unlink(missing_ok=True)
                    with _folders, suppress(OSError):  # it has current ones
                        folder.rmdir()

    def has(self, key: str) -> bool:
        """Whether there is such a blob, and it has not ended."""
        return self._is_current(self.folder / key)

    def refill(self, key: str, pieces: Iterable[bytes]) -> None:
        """Replaces the content of a blob, which ends when it would have. Raises BlobError."""
        file = self.folder / key
        with _failures():
            _write(file, pieces, file.stat().st_mtime)

    def list_names(self, folder: str) -> list[str]:
        """The last names of the keys in a folder, of blobs that have not ended."""
        with suppress(FileNotFoundError):
            return [file.name for file in (self.folder / folder).iterdir() if self._is_current(file)]
        return []

    def _is_current(self, file: Path) -> bool:
        try:
            return file.stat().st_mtime + self.lifetime_s >= time.time()
        except (OSError, ValueError):  # a name that no file can have
            return False


def _read(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _write(file: Path, pieces: Iterable[bytes], moment_s: float) -> int:
    """Writes a file under another name first, so that nobody reads a part of it. Returns its size."""
    coming = file.with_name(f".{file.name}")  # no key's name begins with a dot
    with _folders:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "wb") as whole:
            for piece in pieces:
                whole.write(piece)
            size = whole.tell()
        os.utime(coming, (moment_s, moment_s))
        coming.replace(file)
        return size
    finally:
        coming.unlink(missing_ok=True)


@contextmanager
def _failures() -> Iterator[None]:
    """Raises BlobError where the file system refuses."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise BlobNotFound("there is no such blob") from None
    except OSError as error:
        raise BlobError(f"the folder can't be read or written: {error.strerror}") from None
