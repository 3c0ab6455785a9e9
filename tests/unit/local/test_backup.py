"""Backups of a file that is in use, restored; and files of each earlier version, brought up to date with all that they hold."""

import io
import re
import sqlite3
import stat
import tarfile
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from haimaker.accounts import keys as auth
from haimaker.billing.admission import reserve
from haimaker.store import Account, Granted, Record, Reservation
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.sqlite_schema import SCHEMA_VERSION, STEPS
from local.command_line.__main__ import carry_out, read
from local.command_line.context import Context
from local.command_line.stack import OperatorError
from local.command_line.terminal import Terminal

NOW_S = int(time.time())


def account(number: int) -> Account:
    return Account(auth.account_id_of(f"key {number}"), f"sk-{number}", NOW_S, alias=f"key {number}", budget_nanousd=10**9)


def spend(store: SQLiteStore, payer: Account, cost: int) -> None:
    reservation = Reservation(f"request-{cost}", payer.id, payer.version, 10**6, 10, float(NOW_S), NOW_S + 300)
    granted = reserve(store, [reservation])
    assert isinstance(granted, Granted)
    store.settle(granted.reservation, Record(reservation.request_id, payer.id, float(NOW_S), "ok", cost, {}), 10)


@pytest.fixture
def run(tmp_path, capsys):
    def run(*words: str, home: str = "home", status: int = 0) -> str:
        environment = {"HAIMAKER_HOME": str(tmp_path / home)}
        assert carry_out(Context(read(words), Terminal(ask=lambda _: "no"), environment)) == status
        return capsys.readouterr().out

    return run


def test_a_backup_of_a_file_in_use_has_all_and_can_be_restored(tmp_path, run):
    """Much of it is in the log only, as long as the store is open."""
    store = SQLiteStore(tmp_path / "home" / "haimaker.sqlite")
    for number in range(40):
        store.put(account(number))
        spend(store, account(number), 100 + number)
    copy = tmp_path / "copy.tar"
    assert run("backup", str(copy)).startswith("40 keys and 40 requests are in ")
    (tmp_path / "home" / "stored" / "files").mkdir(parents=True)
    (tmp_path / "home" / "stored" / "files" / "file-hm1").write_bytes(b"x")
    assert run("backup", str(tmp_path / "second.tar")).startswith("40 keys, 40 requests and 1 file are in ")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(OperatorError, match="exists already"):
        run("backup", str(copy))
    store.adopt(NOW_S)
    with pytest.raises(OperatorError, match="A gateway uses"):
        run("restore", str(copy), "--yes")
    store.put(account(99))
    store.close()
    run("restore", str(copy), status=1)
    assert "40 keys and 40 requests are back" in run("restore", str(copy), "--yes")
    back = SQLiteStore(tmp_path / "home" / "haimaker.sqlite")
    assert [back.get(account(number).id).total_spend_nanousd for number in (0, 39)] == [100, 139]
    assert back.get(account(99).id) is None
    [kept] = (tmp_path / "home").glob("before-*")
    with closing(sqlite3.connect(kept / "haimaker.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (41,)
    assert (kept / "stored" / "files" / "file-hm1").read_bytes() == b"x", "which the copy had not yet"
    assert not (tmp_path / "home" / "stored").exists()
    assert not [*(tmp_path / "home").glob(".*")], "nothing is left of the work"
    assert run("restore", str(copy), "--yes", home="new").endswith("haimaker.sqlite.\n"), "into a home that is not there yet"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is no file of a haimaker gateway"), (b"nothing of the kind" * 99, "is no file of"), (None, "There is no file")],
)
def test_what_is_no_backup_is_refused_before_anything_is_touched(tmp_path, run, content, said):
    SQLiteStore(tmp_path / "home" / "haimaker.sqlite").close()
    before = (tmp_path / "home" / "haimaker.sqlite").read_bytes()
    if content is not None:
        (tmp_path / "copy").write_bytes(content)
    with pytest.raises(OperatorError, match=said):
        run("restore", str(tmp_path / "copy"), "--yes")
    assert (tmp_path / "home" / "haimaker.sqlite").read_bytes() == before


def changed(copy: bytes, what: str) -> bytes:
    if what == "cut":
        return copy[: len(copy) // 2]
    if what == "cut between two":
        return copy[: copy.rindex(b"haimaker-backup.json")]
    if what == "a byte":
        return copy.replace(b"what a client sent", b"what a client said")
    found = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(copy)) as old, tarfile.open(fileobj=found, mode="w") as new:
        for info in old:
            new.addfile(info, old.extractfile(info))
            if info.name == "haimaker.sqlite":
                more = tarfile.TarInfo("stored/../../elsewhere" if what == "path" else "stored/link")
                more.type, more.linkname = (tarfile.REGTYPE, "") if what == "path" else (tarfile.SYMTYPE, "/etc")
                new.addfile(more)
    return found.getvalue()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("cut", "is damaged"), ("cut between two", "its end is missing"), ("a byte", "is not what was written"),
        ("path", "is no backup of haimaker: 'stored/../../elsewhere'"), ("link", "is no backup of haimaker: 'stored/link'"),
    ],
)  # fmt: skip
def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(tmp_path, run, what, said):
    SQLiteStore(tmp_path / "home" / "haimaker.sqlite").close()
    (tmp_path / "home" / "stored" / "files").mkdir(parents=True)
    (tmp_path / "home" / "stored" / "files" / "file-hm1").write_bytes(b"what a client sent" * 1000)
    run("backup", str(tmp_path / "copy"))
    (tmp_path / "changed").write_bytes(changed((tmp_path / "copy").read_bytes(), what))
    (tmp_path / "home" / "haimaker.lock").touch()
    before = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "home").rglob("*"))}
    with pytest.raises(OperatorError, match=re.escape(said)):
        run("restore", str(tmp_path / "changed"), "--yes")
    assert {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "home").rglob("*"))} == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_backup_without_room_is_refused_before_it_is_begun(tmp_path, run, monkeypatch):
    SQLiteStore(tmp_path / "home" / "haimaker.sqlite").close()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OperatorError, match=r"has room for 0\.0 MB, and 0\.\d MB are to be copied"):
        run("backup", str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_the_sqlite_file_of_an_earlier_version_is_restored_alone(tmp_path, run):
    """What earlier versions called a backup."""
    SQLiteStore(tmp_path / "home" / "haimaker.sqlite").close()
    (tmp_path / "home" / "stored").mkdir()
    (tmp_path / "copy").write_bytes((tmp_path / "home" / "haimaker.sqlite").read_bytes())
    assert "0 keys and 0 requests are back" in run("restore", str(tmp_path / "copy"), "--yes")
    assert (tmp_path / "home" / "stored").exists()


def test_a_backup_of_a_newer_version_is_refused(tmp_path, run):
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(OperatorError, match="was made by a newer haimaker"):
        run("restore", str(tmp_path / "copy"), "--yes")


@pytest.mark.parametrize("version", [1, SCHEMA_VERSION])
def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path, run, version):
    """Made with the steps of that version, filled with a row of each table that it has, and restored."""
    now = SQLiteStore(tmp_path / "now.sqlite")
    now.put(account(1))
    spend(now, account(1), 77)
    now.close()
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        for step in STEPS[:version]:
            connection.executescript(step)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("ATTACH ? AS now", (str(tmp_path / "now.sqlite"),))
        for table in ("accounts", "holds", "records"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")
    assert "1 key and 1 request are back" in run("restore", str(copy), "--yes")
    store = SQLiteStore(tmp_path / "home" / "haimaker.sqlite")
    balance = store.get(account(1).id)
    assert (balance.account.alias, balance.total_spend_nanousd) == ("key 1", 77)
    assert store.record("request-77").cost_nanousd == 77
    spend(store, account(1), 5)
    assert store.get(account(1).id).total_spend_nanousd == 82
    assert list(store.documents.all("any")) == []
