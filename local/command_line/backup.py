"""`haimaker backup` and `haimaker restore`: all that a local gateway keeps, also while it serves; see `archive.py` for the form.

Copying the files alone would lose what is still in SQLite's log. https://www.sqlite.org/backup.html https://www.sqlite.org/wal.html
"""

import fcntl
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from haimaker.settings.settings import Settings
from haimaker.store import StoreUnavailable
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.sqlite_schema import SCHEMA_VERSION

from . import archive
from .archive import DATABASE, FOLDERS
from .context import Context
from .stack import OperatorError


class Contents(NamedTuple):
    keys: int
    records: int
    files: int = 0
    """Of clients, of batches, and of prompts and answers."""

    def __str__(self) -> str:
        found = zip(("key", "request", "file"), self, strict=True)
        counts = [f"{count:,} {what}{'s' * (count != 1)}" for what, count in found if count or what != "file"]
        return f"{', '.join(counts[:-1])} and {counts[-1]}"


def add(commands: Any) -> None:
    backup_parser = commands.add_parser("backup", help="copy all that the local gateway keeps into a file", description=__doc__)
    backup_parser.add_argument("file", help="a new file, a tar")
    backup_parser.set_defaults(run=backup)
    restore_parser = commands.add_parser("restore", help="put such a copy in the place of what is there", description=__doc__)
    restore_parser.add_argument("file", help="what haimaker backup made, of this version or an earlier one")
    restore_parser.add_argument("--yes", action="store_true", help="do not ask")
    restore_parser.set_defaults(run=restore)


def backup(context: Context) -> int:
    """Raises OperatorError."""
    settings, target = _settings_of(context), Path(context.arguments.file).expanduser()
    if not (settings.home / DATABASE).is_file():
        raise OperatorError(f"There is no {settings.home / DATABASE} yet: it is made when the gateway starts.")
    if target.exists():
        raise OperatorError(f"{target} exists already; name a new file.")
    size = archive.measure(settings.home)
    _check_room(target.absolute().parent, size)
    context.terminal.note(f"{_megabytes(size)} are copied.")
    with archive.snapshot(settings.home) as entries:
        contents = _inspect(entries[0].path)
        count = archive.pack(context.terminal.each(entries, len(entries), lambda entry: entry.name), target)
    contents = contents._replace(files=count - 1)
    said = f"{contents} are in {target}, {_megabytes(target.stat().st_size)}. It holds no key, but their hashes"
    told = [f"{said}{', and what clients sent' if contents.files else ''}: keep it to yourself."]
    if buckets := sorted({*filter(None, (settings.files_bucket, settings.content_bucket))}):
        told.append(f"What is in {' and '.join(buckets)} is not in it: buckets have versions.")
    context.terminal.tell("\n".join(told), **contents._asdict(), file=str(target), bytes=target.stat().st_size, not_in_it=buckets)
    return 0


def restore(context: Context) -> int:
    """What was there before is kept beside it. Raises OperatorError."""
    source, home = Path(context.arguments.file).expanduser(), _settings_of(context).home
    is_whole = source.is_file() and tarfile.is_tarfile(source)
    contents = Contents(0, 0) if is_whole else _inspect(source)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_room(home, source.stat().st_size)
    with _alone(home / DATABASE), TemporaryDirectory(prefix=".restore-", dir=home) as name:
        new = Path(name)
        if is_whole:
            count = archive.unpack(source, new, lambda found: context.terminal.each(found, None, lambda info: info.name))
            contents = _inspect(new / DATABASE)._replace(files=count - 1)
        else:  # an earlier version's, which is the SQLite file alone
            _copy(source, new / DATABASE)
        question = f"Put {contents} in the place of what is in {home}?"
        if not context.arguments.yes and not context.terminal.confirm(question):
            context.terminal.note("Nothing is changed.")
            return 1
        _update(new / DATABASE)
        kept = _put_aside(home, FOLDERS if is_whole else ())
        for folder in FOLDERS:
            if (new / folder).exists():
                (new / folder).rename(home / folder)
        (new / DATABASE).rename(home / DATABASE)
    told = [f"What was there is in {kept}."] if kept else []
    told.append(f"{contents} are back in {home / DATABASE}.")
    context.terminal.tell("\n".join(told), **contents._asdict(), file=str(home / DATABASE), kept=str(kept) if kept else None)
    return 0


def _put_aside(home: Path, folders: tuple[str, ...]) -> Path | None:
    """Moves what is there into a folder of its own, whose name is returned; None if there is nothing. Raises OperatorError."""
    kept = home / f"before-{time.strftime('%Y%m%dT%H%M%S')}"
    found = [home / name for name in (DATABASE, *folders) if (home / name).exists()]
    if not found:
        return None
    try:
        kept.mkdir(mode=0o700)
    except FileExistsError:
        raise OperatorError(f"{kept} was made in this second: try again.") from None
    for old in found:
        if old.name == DATABASE:
            is_copied = True
            try:
                _copy(old, kept / DATABASE)
            except OperatorError:  # it is damaged, which is why a backup takes its place
                is_copied = False
            for file in (old, *(old.with_name(DATABASE + ending) for ending in ("-wal", "-shm"))):
                if is_copied:
                    file.unlink(missing_ok=True)
                elif file.exists():
                    file.rename(kept / file.name)
        else:
            old.rename(kept / old.name)
    return kept


def _update(database: Path) -> None:
    """Brings an earlier version's tables up to date. Raises OperatorError."""
    try:
        SQLiteStore(database).close()
    except StoreUnavailable as error:
        raise OperatorError(str(error)) from error


def _check_room(folder: Path, size: int) -> None:
    """Raises OperatorError where a copy of this size does not fit."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OperatorError(f"{folder} can't be written: {error.strerror}.") from None
    if free < size:
        raise OperatorError(f"{folder} has room for {_megabytes(free)}, and {_megabytes(size)} are to be copied.")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _settings_of(context: Context) -> Settings:
    settings = Settings.from_environment(context.environment)
    if context.arguments.stack or settings.store != "sqlite":
        raise OperatorError("This is for the local gateway's SQLite file; tables have point-in-time recovery.")
    return settings


def _copy(source: Path, target: Path) -> None:
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise OperatorError(f"{target} exists already; name a new file.") from None
    except OSError as error:
        raise OperatorError(f"{target} can't be written: {error.strerror}.") from None
    try:
        with closing(sqlite3.connect(source, timeout=30)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
    except sqlite3.Error as error:
        target.unlink()
        raise OperatorError(f"{source} can't be copied: {error}.") from None


def _inspect(file: Path) -> Contents:
    """Raises OperatorError if it is no sound file of a gateway, or one of a newer version."""
    if not file.is_file():
        raise OperatorError(f"There is no file {file}.")
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            ((version,),) = connection.execute("PRAGMA user_version")
            if version > SCHEMA_VERSION:
                raise OperatorError(f"{file} was made by a newer haimaker (version {version} of its tables, not {SCHEMA_VERSION}).")
            ((said,),) = connection.execute("PRAGMA quick_check(1)")
            if said != "ok":
                raise OperatorError(f"{file} is damaged: {said}.")
            ((keys,),) = connection.execute("SELECT count(*) FROM accounts WHERE kind = 'key'")
            ((records,),) = connection.execute("SELECT count(*) FROM records")
    except sqlite3.Error as error:
        raise OperatorError(f"{file} is no file of a haimaker gateway: {error}.") from None
    return Contents(keys, records)


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Holds the lock by which gateways know each other. Raises OperatorError if one uses the file."""
    with database.with_suffix(".lock").open("ab") as presence:
        try:
            fcntl.flock(presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(f"A gateway uses {database}. Stop it first.") from None
        yield
