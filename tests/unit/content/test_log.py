"""Where content goes, and what happens when it can't be written or too much waits."""

import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from haimaker.blobs import BlobError
from haimaker.blobs.folder import FolderBlobs
from haimaker.blobs.s3 import S3Blobs
from haimaker.content import log as content_log
from haimaker.content.log import ContentLog, key_of
from haimaker.observability.observer import Observer
from haimaker.observability.redaction import Redaction
from haimaker.settings.settings import Settings
from tests.support import builders


class Told(Observer):
    """Keeps what the deployer would read."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def error(self, message: str, **fields: object) -> None:
        self.problems.append(f"{message} {fields}")

    def exception(self, error: BaseException, **fields: object) -> None:
        self.problems.append(type(error).__name__)


class Shelf:
    """A store that can be slow, or fail."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.error: Exception | None = None

    def put(self, key: str, data: bytes, content_type: str) -> None:
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        self.kept[key] = data

    def get(self, key: str, max_bytes: int) -> bytes:
        return self.kept[key]

    def link(self, method: str, key: str, lasts_s: int) -> str:
        raise NotImplementedError

    def delete_expired(self) -> None:
        self.kept = {key: data for key, data in self.kept.items() if not key.startswith("2020")}


def test_entries_are_by_day_and_old_days_are_deleted(tmp_path: Path) -> None:
    """What somebody else put there stays, whatever its age."""
    folder = tmp_path / "content"
    for day in ("2020-01-01", "notes"):
        (folder / day).mkdir(parents=True)
        (folder / day / "old.json").write_text("{}")
        os.utime(folder / day / "old.json", (0, 0))
    settings = Settings.from_environment({"HAIMAKER_HOME": str(tmp_path), "HAIMAKER_LOG_CONTENT": "true"})
    observer = Told()
    log = content_log.content_log(settings, observer)
    assert log is not None
    now_s = time.time()
    transcript = log.begin({"prompt": "Hi"}, "req-1")
    assert transcript is not None
    transcript.end(replace(builders.record(), started_s=now_s))
    assert log.wait(10)
    assert observer.problems == []
    today = f"{datetime.fromtimestamp(now_s, UTC):%Y-%m-%d}"
    assert sorted(str(each.relative_to(folder)) for each in folder.rglob("*")) == [
        today, f"{today}/req-1.json", "notes", "notes/old.json",
    ]  # fmt: skip


def write(log: ContentLog, asked: dict[str, object] | None = None) -> bool:
    transcript = log.begin(asked or {"prompt": "Hi"}, "req-1")
    if transcript is None:
        return False
    transcript.end(builders.record())
    return True


def test_content_is_written_beside_and_can_be_waited_for() -> None:
    shelf, observer = Shelf(), Told()
    log = ContentLog(shelf, Redaction(), observer)
    assert log.wait(0)
    assert write(log)
    assert not log.wait(0)
    shelf.gate.set()
    assert log.wait(10)
    [(name, entry)] = shelf.kept.items()
    assert name == key_of(builders.record().started_s, builders.record().request_id) == "1970-01-01/req-1.json"
    assert json.loads(entry)["request"] == {"prompt": "Hi"}
    assert observer.problems == []


@pytest.mark.parametrize(
    ("error", "told"), [(BlobError("status 403"), "content not kept: status 403"), (KeyError("x"), "KeyError")]
)
def test_what_can_not_be_written_is_told_and_forgotten(error: Exception, told: str) -> None:
    shelf, observer = Shelf(), Told()
    shelf.gate.set()
    log = ContentLog(shelf, Redaction(), observer)
    shelf.error = error
    assert write(log)
    assert log.wait(10)
    shelf.error = None
    assert write(log)
    assert log.wait(10)
    assert len(shelf.kept) == 1
    assert [problem.startswith(told) for problem in observer.problems] == [True]


def test_while_too_much_waits_nothing_more_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_log, "MAX_WAITING", 2)
    shelf, observer = Shelf(), Told()
    log = ContentLog(shelf, Redaction(), observer)
    assert [write(log) for _ in range(3)] == [True, True, False]
    assert "too much waits" in observer.problems[0]
    shelf.gate.set()
    assert log.wait(10)
    assert write(log)


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        ({"HAIMAKER_LOG_CONTENT": "true", "HAIMAKER_CONTENT_DAYS": "7"}, FolderBlobs),
        ({"HAIMAKER_CONTENT_BUCKET": "b", "STORE": "dynamodb", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID",
          "AWS_SECRET_ACCESS_KEY": "s"}, S3Blobs),
    ],
)  # fmt: skip
def test_the_settings_say_where(environment: dict[str, str], place: type | None, tmp_path: Path) -> None:
    log = content_log.content_log(Settings.from_environment({"HAIMAKER_HOME": str(tmp_path), **environment}), Told())
    assert (type(log.blobs) if log else None) is place
    if log and isinstance(log.blobs, FolderBlobs):
        assert (log.blobs.folder, log.blobs.lifetime_s) == (tmp_path / "content", 7 * 86_400)
    assert os.listdir(tmp_path) == []
