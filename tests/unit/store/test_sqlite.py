"""What only SQLite can meet: a killed process, a shared or broken file, and who may read it."""

import json
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

import haimaker.store
from haimaker.store import Account, Granted, Record, Reservation, StoreUnavailable, TooManyRecords, ledger, sqlite_totals
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.sqlite_checkpoints import PAGES_AT_MOST, Checkpoints
from haimaker.store.sqlite_schema import KEEP, SCHEMA_VERSION, STEPS, TOTALS_VERSION
from haimaker.store.totals import By, sum_records
from tests.unit.store.conftest import START_S, Clock, Scene, record

PACKAGE = Path(haimaker.store.__file__).parents[2]
KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from haimaker.store import Reservation
from haimaker.store.sqlite import SQLiteStore
store = SQLiteStore(sys.argv[1])
store.reserve(Reservation("killed", "key#1", 1, 100, 10, 1_790_000_000.0, 1_790_000_300))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "deeper" / "store.sqlite"


def scene_of(path) -> Scene:
    clock = Clock()
    return Scene(SQLiteStore(path, clock), clock, "sqlite", "key")


def test_only_the_owner_may_read(path):
    scene_of(path).account()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["store.sqlite", "store.sqlite-shm", "store.sqlite-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_restart_keeps_everything(path):
    scene = scene_of(path)
    account = scene.account(budget_nanousd=1000)
    scene.settle(scene.admitted(account), 40)
    scene.store.close()
    assert scene_of(path).money(account) == (40, 0, 40)


def test_holds_of_a_killed_process_are_charged_at_start(path):
    scene = scene_of(path)
    scene.numbers = iter([1])
    account = scene.account(budget_nanousd=1000)
    scene.store.close()
    account_id = account.id
    code = KILLED.replace('"key#1"', repr(account_id))
    killed = subprocess.run([sys.executable, "-c", code, str(path), str(PACKAGE)], capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    scene = scene_of(path)
    assert scene.money(account) == (0, 100, 0)
    assert scene.store.charge_lost(account_id, START_S + 1) == 0
    assert [scene.store.charge_all_lost(START_S + 1), scene.store.charge_all_lost(START_S + 1)] == [1, 0]
    assert scene.money(account) == (100, 0, 100)
    assert scene.store.record("killed").status == "lost"


def test_processes_share_the_file(path):
    scenes = [scene_of(path), scene_of(path)]
    account = scenes[0].account(budget_nanousd=1000)
    reservations = [scenes[0].reservation(account) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda number: scenes[number % 2].store.reserve(reservations[number]), range(40)))
    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 10
    assert scenes[1].money(account) == (0, 1000, 0)


READS_AND_ENDS = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM accounts').fetchone()"


def test_another_process_that_ends_takes_nothing_away(path):
    """The last process that closes the file takes its log away, which it must not think to be where others use it."""
    scene = scene_of(path)
    scene.store.totals("day", "2026-01-01", "2026-01-02")  # opens a second connection
    subprocess.run([sys.executable, "-c", READS_AND_ENDS, str(path)], check=True)
    account = scene.account()
    other = SQLiteStore(path)
    assert other.get(account.id)
    other.close()
    scene.store.close()


def test_a_locked_file_is_unavailable_and_then_works_again(path):
    scene = scene_of(path)
    account = scene.account()
    scene.store._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"^SQLite admit: database is locked$"):
        scene.admitted(account)
    assert scene.store.get(account.id), "readers do not wait"
    other.execute("ROLLBACK")
    scene.admitted(account)


def test_what_is_committed_is_copied_beside_the_requests(path):
    """No commit copies the log, and yet the file has what was committed and the log starts anew instead of growing."""
    scene = scene_of(path)
    account = scene.account(budget_nanousd=10**9)
    log = path.with_name("store.sqlite-wal")
    copied, longest = 0, 0
    until = time.monotonic() + 20
    while copied < 2_000_000 and time.monotonic() < until:
        reservation = scene.admitted(account)
        scene.store.settle(reservation, record(reservation, 1, text="x" * 20_000), 10)
        time.sleep(0.002)
        copied, longest = path.stat().st_size, max(longest, log.stat().st_size)
    scene.store.close()
    assert copied >= 2_000_000
    assert longest < PAGES_AT_MOST * 4096


def test_a_store_that_is_closed_while_its_log_is_copied_closes(path):
    """At the worst moment: the thread has woken and is about to forget why."""
    checkpoints = Checkpoints(lambda: sqlite3.connect(path))
    closing = threading.Thread(target=checkpoints.close, daemon=True)
    committed, clear = checkpoints._committed, checkpoints._committed.clear

    def close_first():
        if not closing.ident:
            closing.start()
            checkpoints._closed.wait()
            time.sleep(0.01)  # until it has woken the thread as well
        clear()

    committed.clear = close_first
    checkpoints.after_commit()
    checkpoints._closed.wait(10)
    closing.join(10)
    assert not closing.is_alive()


def test_a_commit_copies_a_log_that_nobody_else_did(path):
    """Where the thread can't work the log is bounded all the same."""
    scene = scene_of(path)
    [pages] = scene.store._connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    assert pages == PAGES_AT_MOST


def test_a_full_disk_changes_nothing(path):
    scene = scene_of(path)
    account = scene.account()
    reservation = scene.admitted(account)
    pages = scene.store._connection.execute("PRAGMA page_count").fetchone()[0]
    scene.store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match=r"^SQLite settle: database or disk is full$"):
        scene.store.settle(reservation, record(reservation, 5, text="x" * 50_000), 10)
    assert scene.money(account) == (0, 100, 0)


@pytest.mark.parametrize(
    ("content", "cause"), [(b"no database" * 1000, "file is not a database"), (None, "version 99"), ("folder", "Is a directory")]
)
def test_a_file_of_something_else_is_unavailable(path, content, cause):
    path.parent.mkdir(parents=True)
    if content is None:
        sqlite3.connect(path).execute("PRAGMA user_version = 99")
    elif content == "folder":
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=cause):
        SQLiteStore(path)


def test_a_sum_keeps_no_request_waiting_and_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(tmp_path / "many.sqlite")
    names = {"provider": "p", "model": "m", "user": "u", "team_id": "t", "tags": ["a", "b"]}
    detail = json.dumps({**names, "input_tokens": 1, "output_tokens": 2})
    rows = [(f"r{n}", "key#1", ledger.sort_key(n, f"r{n}"), float(n), "ok", 3, detail) for n in range(40_000)]
    with store._writing("put") as execute:
        for row in rows:
            execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    took_s: list[float] = []
    stop = threading.Event()

    def others() -> None:
        while not stop.is_set():
            began_s = time.monotonic()
            store.get("key#1")
            took_s.append(time.monotonic() - began_s)
            time.sleep(0.001)

    thread = threading.Thread(target=others)
    thread.start()
    for by in sqlite_totals.NAMES:
        found = store.totals(by, "1970-01-01", "1970-01-01", "key#1")[0]
        assert (found.requests, found.input_tokens, found.output_tokens, found.cost_nanousd) == (40_000, 40_000, 80_000, 120_000)
    stop.set()
    thread.join()
    assert sorted(took_s)[int(len(took_s) * 0.99)] < 0.05
    monkeypatch.setattr(sqlite_totals, "TIMEOUT_S", 0.0)
    with pytest.raises(TooManyRecords):
        store.totals("tag", "1970-01-01", "1970-01-01", "key#1")
    monkeypatch.undo()
    assert len(store.totals("tag", "1970-01-01", "1970-01-01", "key#1")) == 2
    store.close()


@pytest.mark.parametrize("records_end", [");", ") WITHOUT ROWID;"], ids=["by rows", "by ids"])
@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_file_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path, version: int, records_end: str) -> None:
    """Daily totals of the records that it has, among others; and it goes on from there. In files of earlier releases records
    lie by their ids."""
    path, day = tmp_path / "old.sqlite", "1970-01-02"
    records = [
        Record(
            f"r{n}",
            f"key#{n % 2}",
            86_400.0 + n,
            "ok" if n else "error",
            n,
            {"provider": "p", "model": "m", "tags": ["a"], "input_tokens": n},
        )
        for n in range(5)
    ]
    with closing(sqlite3.connect(path)) as connection:
        assert STEPS[0].count("detail TEXT NOT NULL\n);") == 1
        for step in STEPS[:version]:
            connection.executescript(step.replace("detail TEXT NOT NULL\n);", f"detail TEXT NOT NULL\n{records_end}"))
        for each in records:
            started = ledger.sort_key(each.started_s, each.request_id)
            whole = (each.request_id, each.account_id, started, each.started_s, each.status, each.cost_nanousd)
            connection.execute(KEEP, (*whole, json.dumps(each.detail)))
            if version >= TOTALS_VERSION:
                sqlite_totals.add(connection.execute, each)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    store = SQLiteStore(path)
    store.put(Account("key#1", "key", 0))
    granted = store.reserve(Reservation("later", "key#1", 1, 9, 0, 86_500.0, 10**10))
    assert isinstance(granted, Granted)
    later = Record("later", "key#1", 86_500.0, "ok", 7, {"provider": "p", "model": "n"})
    assert store.settle(granted.reservation, later, 0)
    assert store.settle(granted.reservation, later, 0) is None
    assert [store.records()[0], store.records("key#1", newest_first=True)[0][:1]] == [[*records, later], [later]]
    for by in get_args(By):
        assert store.totals(by, day, day) == sum_records([*records, later], by), by
        own = [each for each in (*records, later) if each.account_id == "key#1"]
        assert store.totals(by, day, day, "key#1") == sum_records(own, by), by
    store.close()
