"""`haimaker backup` and `haimaker restore`: the local gateway's SQLite file, whole, also while a gateway writes to it.

Copying the file alone would lose what is still in its log. https://www.sqlite.org/backup.html https://www.sqlite.org/wal.html
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from haimaker.settings.settings import Settings
from haimaker.store import StoreUnavailable
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.sqlite_schema import SCHEMA_VERSION

from .context import Context
from .stack import OperatorError

NAME = "haimaker.sqlite"


class Contents(NamedTuple):
    keys: int
    records: int

    def __str__(self) -> str:
        return f"{self.keys:,} keys and {self.records:,} requests"


def add(commands: Any) -> None:
    backup_parser = commands.add_parser("backup", help="copy the local gateway's keys and records into a file", description=__doc__)
    backup_parser.add_argument("file", help="a new file")
    backup_parser.set_defaults(run=backup)
    restore_parser = commands.add_parser("restore", help="put such a copy in the place of what is there", description=__doc__)
    restore_parser.add_argument("file", help="what haimaker backup made, of this version or an earlier one")
    restore_parser.add_argument("--yes", action="store_true", help="do not ask")
    restore_parser.set_defaults(run=restore)


def backup(context: Context) -> int:
    """Raises OperatorError."""
    source, target = _file_of(context), Path(context.arguments.file).expanduser()
    if not source.is_file():
        raise OperatorError(f"There is no {source} yet: it is made when the gateway starts.")
    _copy(source, target)
    context.terminal.say(f"{_inspect(target)} are in {target}. It holds no key, but their hashes: keep it to yourself.")
    folders = [source.parent / name for name in ("stored", "content")]
    if filled := [str(folder) for folder in folders if any(path.is_file() for path in folder.rglob("*"))]:
        named = " and ".join(filled)
        context.terminal.say(
            f"What clients keep as files, and as prompts and answers, is in {named}, not in the copy: copy that too."
        )
    return 0


def restore(context: Context) -> int:
    """What was there before is kept beside it. Raises OperatorError."""
    source, target = Path(context.arguments.file).expanduser(), _file_of(context)
    contents = _inspect(source)
    if not context.arguments.yes and not context.terminal.confirm(f"Put {contents} in the place of what is in {target}?"):
        context.terminal.note("Nothing is changed.")
        return 1
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(target):
        if target.is_file():
            kept = target.with_name(f"{NAME}.before-{time.strftime('%Y%m%dT%H%M%S')}")
            _copy(target, kept)
            context.terminal.say(f"What was there is in {kept}.")
        new = target.with_name(f"{NAME}.restoring")
        new.unlink(missing_ok=True)
        _copy(source, new)
        for old in (target, *(target.with_name(NAME + ending) for ending in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
        new.rename(target)
        try:
            SQLiteStore(target).close()  # brings an earlier version's tables up to date
        except StoreUnavailable as error:
            raise OperatorError(str(error)) from error
    context.terminal.say(f"{contents} are back in {target}.")
    return 0


def _file_of(context: Context) -> Path:
    settings = Settings.from_environment(context.environment)
    if context.arguments.stack or settings.store != "sqlite":
        raise OperatorError("This is for the local gateway's SQLite file; tables have point-in-time recovery.")
    return settings.home / NAME


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
