"""A copy of a local gateway's home in one file: a tar of its SQLite file, of clients' files, of prompts and answers that
are kept, and last a manifest, without which it has no end.

https://www.sqlite.org/isolation.html https://docs.python.org/3/library/tarfile.html
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from ..home import explain
from .stack import OperatorError

DATABASE, MANIFEST = "haimaker.sqlite", "haimaker-backup.json"
STORED, CONTENT = "stored", "content"
CLIENTS_FILES = f"{STORED}/files"
FOLDERS = (STORED, CONTENT)
"""What belongs to the database; links, in `files`, end after an hour, and are in no copy."""
STAGING = ".backup-"
DAY_S = 86_400
PIECE_BYTES = 1024 * 1024

Progress = Callable[[Iterable[tarfile.TarInfo]], Iterable[tarfile.TarInfo]]
"""Shows on the terminal what is worked on."""


class Entry(NamedTuple):
    """A file of a copy: its name there, where it is, and how much of it belongs to the copy."""

    name: str
    path: Path
    size: int


def measure(home: Path) -> int:
    """How many bytes a copy would have now, nearly."""
    database = home / DATABASE
    sizes = [found.size for folder in FOLDERS for found in _list_files(home, folder)]
    for file in (database, database.with_name(DATABASE + "-wal")):
        with suppress(FileNotFoundError):
            sizes.append(file.stat().st_size)
    return sum(sizes)


@contextmanager
def snapshot(home: Path) -> Iterator[list[Entry]]:
    """Everything as it is at one moment, beside a gateway that goes on.

    Nobody else writes to the database while what clients keep gets a second name each, by which it is there whatever is deleted
    later; what grows is taken as far as it is then. So a batch goes on from a copy as from a process that was killed. Prompts and
    answers never change: one that is deleted meanwhile is in no copy. Raises OperatorError.
    """
    _delete_remains(home)
    try:
        with TemporaryDirectory(prefix=STAGING, dir=home) as name:
            staging = Path(name)
            linked = _link_clients_files(home, staging)
            with closing(_connect(home / DATABASE)) as writing, closing(_connect(home / DATABASE)) as reading:
                writing.execute("BEGIN IMMEDIATE")
                reading.execute("BEGIN")
                reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on it reads this moment
                stored = list(_link_rest(home, staging, linked))
                writing.execute("ROLLBACK")
                with closing(sqlite3.connect(staging / DATABASE)) as copy:
                    reading.backup(copy)
            database = Entry(DATABASE, staging / DATABASE, (staging / DATABASE).stat().st_size)
            yield [database, *stored, *_list_files(home, CONTENT)]
    except sqlite3.Error as error:
        raise OperatorError(explain(home, f"{home / DATABASE} can't be copied: {error}.")) from None


def pack(entries: Iterable[Entry], target: Path) -> int:
    """Writes a copy into a new file and returns how many files it has. Raises OperatorError."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(f"{target} exists already; name a new file.") from None
    except OSError as error:
        raise OperatorError(f"{target} can't be written: {error.strerror}.") from None
    try:
        with open(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            count = _add_all(tar, entries)
            file.flush()
            os.fsync(descriptor)
    except BaseException as error:
        target.unlink()
        if isinstance(error, OSError):
            raise OperatorError(f"{target} can't be written: {error.strerror or error}.") from None
        raise
    return count


def unpack(source: Path, folder: Path, progress: Progress) -> int:
    """Puts the files of a copy into a folder and returns how many there are. Raises OperatorError where it is not whole, or
    has what no copy has."""
    digest, count, manifest = hashlib.sha256(), 0, None
    try:
        with tarfile.open(source) as tar:
            for info in progress(tar):
                content = tar.extractfile(info) if info.isreg() and _is_expected(info.name) else None
                if manifest or content is None:
                    raise OperatorError(f"{source} is no backup of haimaker: {info.name!r} is in it.")
                if info.name == MANIFEST:
                    manifest = json.loads(content.read())
                    continue
                count += 1
                digest.update(info.name.encode())
                _write(folder / info.name, _Hashing(content, digest.update), info.mtime)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise OperatorError(f"{source} is damaged: {error}.") from None
    except OSError as error:
        raise OperatorError(f"{source} can't be unpacked: {error.strerror or error}.") from None
    if manifest is None:
        raise OperatorError(f"{source} is not whole: its end is missing.")
    if manifest != {"files": count, "sha256": digest.hexdigest()}:
        raise OperatorError(f"{source} is damaged: it is not what was written.")
    return count


class _Hashing:
    """A file that is read once; what is read is hashed."""

    def __init__(self, file: IO[bytes], update: Callable[[bytes], None]) -> None:
        self._file, self._update = file, update

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._update(data)
        return data


def _add_all(tar: tarfile.TarFile, entries: Iterable[Entry]) -> int:
    digest, count = hashlib.sha256(), 0
    for entry in entries:
        try:
            content = entry.path.open("rb")
        except FileNotFoundError:  # a prompt and its answer that have ended meanwhile
            continue
        with content:
            info = _describe(entry.name, entry.size, os.fstat(content.fileno()).st_mtime)
            digest.update(entry.name.encode())
            tar.addfile(info, _Hashing(content, digest.update))
        count += 1
    manifest = json.dumps({"files": count, "sha256": digest.hexdigest()}).encode()
    tar.addfile(_describe(MANIFEST, len(manifest), int(time.time())), BytesIO(manifest))
    return count


def _describe(name: str, size: int, mtime: float) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, mtime
    return info


def _write(file: Path, content: _Hashing, mtime: float) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        shutil.copyfileobj(content, target, PIECE_BYTES)
    os.utime(file, (mtime, mtime))  # from which on it lasts


def _is_expected(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name in (DATABASE, MANIFEST) or (len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts)


def _list_names(home: Path, folder: str) -> Iterator[str]:
    """The names of files that are complete: one that is being written has a name with a dot before it."""
    for place, _, names in os.walk(home / folder):
        prefix = Path(place).relative_to(home).as_posix()
        yield from (f"{prefix}/{name}" for name in names if not name.startswith("."))


def _list_files(home: Path, folder: str) -> Iterator[Entry]:
    for name in _list_names(home, folder):
        with suppress(FileNotFoundError):
            yield Entry(name, home / name, (home / name).stat().st_size)


def _link(home: Path, staging: Path, name: str) -> Entry | None:
    """None for one that is not there any more."""
    link = staging / name
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    try:
        os.link(home / name, link)
    except FileNotFoundError:
        return None
    return Entry(name, link, link.stat().st_size)


def _link_clients_files(home: Path, staging: Path) -> dict[str, Entry]:
    """Links clients' files into the copy before its moment, since they are many and never change."""
    links = (_link(home, staging, name) for name in _list_names(home, CLIENTS_FILES))
    return {entry.name: entry for entry in links if entry}


def _link_rest(home: Path, staging: Path, linked: Mapping[str, Entry]) -> Iterator[Entry]:
    """All that is stored at this moment, of which only what is new or may have changed is linked."""
    for name in _list_names(home, STORED):
        entry = linked.get(name) or _link(home, staging, name)
        if entry:
            yield entry


def _connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=30, isolation_level=None)


def _delete_remains(home: Path) -> None:
    """Deletes what is left of a copy that was killed, a day ago or earlier."""
    for folder in home.glob(f"{STAGING}*"):
        if folder.stat().st_mtime < time.time() - DAY_S:
            shutil.rmtree(folder, ignore_errors=True)
