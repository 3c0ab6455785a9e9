"""The SQLite store's file: its tables, how it is opened and brought up to date, and every statement that the store makes.

https://www.sqlite.org/wal.html
"""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Execute = Callable[..., sqlite3.Cursor]

# Records have row ids, by which they are added at the end of their table: where they lie by their own ids, which are random,
# a sixth of a settlement's time goes into moving their neighbours. Files of earlier releases have them so; all else is the same.
SCHEMA = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, config TEXT NOT NULL, version INTEGER NOT NULL, blocked INTEGER NOT NULL, expires_s INTEGER NOT NULL,
    window_end_s INTEGER NOT NULL, budget INTEGER NOT NULL, remaining INTEGER NOT NULL, total_spend INTEGER NOT NULL,
    rpm_limit INTEGER NOT NULL, tpm_limit INTEGER NOT NULL, parallel_limit INTEGER NOT NULL, free_slots INTEGER NOT NULL,
    requests_left INTEGER NOT NULL, tokens_left INTEGER NOT NULL, minute INTEGER NOT NULL, kind TEXT NOT NULL, created TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX accounts_by_kind ON accounts (kind, created);
CREATE TABLE holds (
    account_id TEXT NOT NULL, request_id TEXT NOT NULL, deadline_s INTEGER NOT NULL, hold TEXT NOT NULL,
    PRIMARY KEY (account_id, request_id)
) WITHOUT ROWID;
CREATE TABLE records (
    id TEXT NOT NULL PRIMARY KEY, account_id TEXT NOT NULL, started TEXT NOT NULL, started_s REAL NOT NULL, status TEXT NOT NULL,
    cost_nanousd INTEGER NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX records_by_account ON records (account_id, started);
CREATE INDEX records_by_time ON records (started);
"""
DOCUMENTS = """
CREATE TABLE documents (
    kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""
MODEL_COUNTERS = """
CREATE TABLE model_counters (
    account_id TEXT NOT NULL, model TEXT NOT NULL, taken INTEGER NOT NULL, window_end_s INTEGER NOT NULL, minute INTEGER NOT NULL,
    requests INTEGER NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (account_id, model)
) WITHOUT ROWID;
"""
TOTALS = """
CREATE TABLE totals (
    grouped TEXT NOT NULL, day TEXT NOT NULL, name TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nanousd INTEGER NOT NULL, PRIMARY KEY (grouped, day, name)
) WITHOUT ROWID;
"""
POOLS = """
CREATE TABLE pools (
    account_id TEXT NOT NULL, pool TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (account_id, pool)
) WITHOUT ROWID;
"""
# What a list looks at of an account, which changes seldom: an account itself is written with each request. And the indexes of
# records have the cost, so that it takes no record to find the dearest.
LISTED = """
CREATE TABLE listed (
    kind TEXT NOT NULL, created TEXT NOT NULL, id TEXT NOT NULL, alias TEXT NOT NULL, team_id TEXT NOT NULL, user_id TEXT NOT NULL,
    name TEXT NOT NULL, searched TEXT NOT NULL, blocked INTEGER NOT NULL, expires_s INTEGER NOT NULL, budget INTEGER NOT NULL,
    PRIMARY KEY (kind, created)
) WITHOUT ROWID;
CREATE INDEX listed_by_team ON listed (kind, team_id, created);
DROP INDEX records_by_account;
DROP INDEX records_by_time;
CREATE INDEX records_by_account ON records (account_id, started, cost_nanousd);
CREATE INDEX records_by_time ON records (started, cost_nanousd);
"""
STEPS = (SCHEMA, DOCUMENTS, MODEL_COUNTERS, TOTALS, POOLS, LISTED)
"""What each version adds to the one before it."""
TOTALS_VERSION = STEPS.index(TOTALS) + 1
"""From which on there are daily totals; those of earlier records are added up when a file is brought up to it."""
LISTED_VERSION = STEPS.index(LISTED) + 1
"""From which on accounts are listed; those that there are get listed when a file is brought up to it."""
SCHEMA_VERSION = len(STEPS)
# A request counts in the stored minute, or in the next by a clock that is a little late; any other minute starts anew.
IN_MINUTE = "minute IN (:minute, :minute + 1)"
COUNTERS = f"""id, config, version, blocked, expires_s, window_end_s, budget, remaining, total_spend,
    rpm_limit, tpm_limit, parallel_limit, free_slots,
    CASE WHEN {IN_MINUTE} THEN requests_left ELSE rpm_limit END, CASE WHEN {IN_MINUTE} THEN tokens_left ELSE tpm_limit END,
    COALESCE((SELECT SUM(amount) FROM pools WHERE pools.account_id = accounts.id), 0)"""  # noqa: S608
READ = f"SELECT {COUNTERS} FROM accounts WHERE id = :id"  # noqa: S608 (constants only)
READ_TO_RESERVE = f"""SELECT {COUNTERS},
    EXISTS (SELECT 1 FROM model_counters WHERE account_id = :id AND window_end_s <= :now),
    EXISTS (SELECT 1 FROM holds WHERE account_id = :id AND (deadline_s <= :now OR request_id = :request))
    FROM accounts WHERE id = :id"""  # noqa: S608
PLACES = "SELECT id, created FROM accounts WHERE kind = :kind AND created > :after ORDER BY created LIMIT :limit"
IDS = "(SELECT value FROM json_each(:ids))"
READ_PAGE = f"SELECT {COUNTERS} FROM accounts WHERE id IN {IDS}"  # noqa: S608
RESERVATIONS_OF_PAGE = f"SELECT account_id, request_id, hold FROM holds WHERE account_id IN {IDS}"  # noqa: S608
ADD = f"INSERT OR IGNORE INTO accounts VALUES ({', '.join('?' * 18)})"  # noqa: S608
RESERVE = f"""UPDATE accounts SET remaining = remaining - :amount, free_slots = free_slots - 1, requests_left = :requests_left,
    tokens_left = :tokens_left, minute = CASE WHEN {IN_MINUTE} THEN minute ELSE :minute END WHERE id = :id"""  # noqa: S608
ADD_RESERVATION = "INSERT INTO holds VALUES (?, ?, ?, ?)"
DELETE_RESERVATION = "DELETE FROM holds WHERE account_id = ? AND request_id = ?"
OF_ACCOUNT = "account_id = ?"
ENDING_IN = "request_id LIKE ?"
EXPIRED_OR_NAMED = "account_id = ? AND (deadline_s <= ? OR request_id = ?)"
CHARGE = """UPDATE accounts SET remaining = remaining + :amount - :cost, total_spend = total_spend + :cost,
    free_slots = free_slots + 1, tokens_left = tokens_left + CASE WHEN minute = :minute THEN :unused_tokens ELSE 0 END
    WHERE id = :id RETURNING budget - remaining"""
GIVE_BACK = """UPDATE accounts SET remaining = remaining + :amount, free_slots = free_slots + 1,
    requests_left = requests_left + CASE WHEN minute = :minute THEN 1 ELSE 0 END,
    tokens_left = tokens_left + CASE WHEN minute = :minute THEN :tokens ELSE 0 END WHERE id = :id"""
RENEW = "UPDATE accounts SET remaining = remaining + ?, window_end_s = ? WHERE id = ?"
CONFIGURE = """UPDATE accounts SET config = :config, version = version + 1, blocked = :blocked, expires_s = :expires_s,
    window_end_s = :window_end_s, budget = :budget, remaining = :remaining, rpm_limit = :rpm_limit, tpm_limit = :tpm_limit,
    parallel_limit = :parallel_limit, free_slots = :free_slots, requests_left = requests_left + :rpm_limit - rpm_limit,
    tokens_left = tokens_left + :tpm_limit - tpm_limit WHERE id = :id"""
MODELS = f"""model, taken, window_end_s, CASE WHEN {IN_MINUTE} THEN requests ELSE 0 END,
    CASE WHEN {IN_MINUTE} THEN tokens ELSE 0 END FROM model_counters"""
READ_MODELS = f"SELECT {MODELS} WHERE account_id = :id"
MODELS_OF_PAGE = f"SELECT account_id, {MODELS} WHERE account_id IN {IDS}"
RESERVE_MODEL = f"""INSERT INTO model_counters VALUES (:id, :model, :amount, :never, :minute, :requests, :tokens)
    ON CONFLICT DO UPDATE SET taken = taken + :amount, requests = CASE WHEN {IN_MINUTE} THEN requests ELSE 0 END + :requests,
    tokens = CASE WHEN {IN_MINUTE} THEN tokens ELSE 0 END + :tokens, minute = CASE WHEN {IN_MINUTE} THEN minute ELSE :minute END"""  # noqa: S608
CHARGE_MODEL = """UPDATE model_counters SET taken = taken + :taken,
    requests = requests + CASE WHEN minute = :minute THEN :requests ELSE 0 END,
    tokens = tokens + CASE WHEN minute = :minute THEN :tokens ELSE 0 END WHERE account_id = :id AND model = :model"""
RESTART_MODEL = """INSERT INTO model_counters VALUES (:id, :model, -:returned, :window_end_s, 0, 0, 0)
    ON CONFLICT DO UPDATE SET taken = taken - :returned, window_end_s = :window_end_s"""
GIVE_BACK_MODEL = "UPDATE model_counters SET taken = taken - :returned WHERE account_id = :id AND model = :model"
KEEP = "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"
CORRECT = """UPDATE accounts SET remaining = remaining - :difference + :earlier, total_spend = total_spend + :difference
    WHERE id = :id AND total_spend = :total"""
AMEND = "UPDATE records SET status = :status, cost_nanousd = :cost, detail = :detail WHERE id = :id AND status = 'lost'"
RECORDS = "SELECT id, account_id, started_s, status, cost_nanousd, detail, started FROM records"
# One bound on each side: of two SQLite would take the first, and read again what pages before had. No record is at a bound without
# a name, so that what is later than it begins with it.
IN_TIME = "{whose} started > :since AND started < :until"
RECORDS_PAGE = f"{RECORDS} WHERE {IN_TIME} ORDER BY started LIMIT :limit"
NEWEST_PAGE = f"{RECORDS} WHERE {IN_TIME} ORDER BY started DESC LIMIT :limit"
DEAREST_PAGE = f"""{RECORDS} WHERE started IN (
    SELECT started FROM records WHERE {IN_TIME} {{after}} ORDER BY cost_nanousd DESC, started DESC LIMIT :limit
) ORDER BY cost_nanousd DESC, started DESC"""  # noqa: S608
AFTER_COST = "AND (cost_nanousd, started) < (:cost, :place)"


def open_database(path: Path) -> sqlite3.Connection:
    """Makes the file for its owner only. One that is there is never opened besides SQLite: closing it would let go of the locks of
    the process's other connections, and another process could take the log away from under them.
    https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_"""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -1000")
    return connection


def migrate(execute: Execute) -> int:
    """Brings the schema to SCHEMA_VERSION; returns the version that the file had, 0 of a new one. A later version adds its own step
    here and keeps those before it."""
    version: int = execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"the file has version {version}, of a newer haimaker than this, which reads {SCHEMA_VERSION}: "
            "run that one, or restore a backup"
        )
    for step in STEPS[version:]:
        for statement in filter(str.strip, step.split(";")):
            execute(statement)
    if version < SCHEMA_VERSION:
        execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return version
