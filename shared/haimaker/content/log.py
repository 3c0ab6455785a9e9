"""Keeps what was asked and answered, for keys that want it, where the deployer allows it: in a bucket of S3, or in a folder.

It never delays an answer nor fails one: a thread of its own writes, each object once; what comes while too much waits, and what
can't be written, is left out, and the log says so. Imported only where content is kept.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from haimaker.aws.s3 import S3Bucket, S3Error
from haimaker.content.transcript import Conversation
from haimaker.http.client import Timeouts
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.observer import Observer
from haimaker.observability.redaction import Redaction
from haimaker.settings.settings import Settings
from haimaker.store import Record

MAX_WAITING = 100
PREFIX = "content"
TIMEOUTS = Timeouts(connect_s=2, first_byte_s=4, between_s=4)


class SinkError(Exception):
    """Why an entry could not be written, without its address."""


class Sink(Protocol):
    def write(self, name: str, entry: bytes) -> None:
        """Raises NotKept."""


@dataclass(slots=True)
class ContentLog:
    sink: Sink
    redaction: Redaction
    observer: Observer
    _waiting: SimpleQueue[Conversation] = field(default_factory=SimpleQueue, repr=False)
    _open: int = 0
    """Transcripts that were begun and are not written yet."""
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _writer: threading.Thread | None = field(default=None, repr=False)

    def begin(self, asked: JSON, request_id: str) -> Conversation | None:
        """Of a request; None, and a line in the log, while too many wait to be written."""
        with self._changed:
            if self._open >= MAX_WAITING:
                self.observer.error("content not kept: too much waits to be written", request_id=request_id)
                return None
            self._open += 1
        return Conversation(asked, self.redaction, self._end)

    def wait(self, timeout_s: float) -> bool:
        """Until all is written, for a function that is frozen after its answer. Whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout_s)

    def _end(self, transcript: Conversation) -> None:
        self._waiting.put(transcript)
        with self._changed:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="content", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        while True:
            transcript = self._waiting.get()
            with self._log_failures(transcript.record):
                if transcript.record:
                    entry = json.dumps(transcript.entry(), ensure_ascii=False).encode("utf-8", "replace")
                    self.sink.write(name_of(transcript.record), entry)
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    @contextmanager
    def _log_failures(self, record: Record | None) -> Iterator[None]:
        request_id = record.request_id if record else None
        try:
            yield
        except SinkError as error:
            self.observer.error(f"content not kept: {error}", request_id=request_id)
        except Exception as error:
            self.observer.exception(error, request_id=request_id)


def name_of(record: Record) -> str:
    """The name of an entry, by day, so that a day can be found and deleted as a whole."""
    return f"{datetime.fromtimestamp(record.started_s, UTC):%Y-%m-%d}/{record.request_id}.json"


def content_log(settings: Settings, observer: Observer) -> ContentLog | None:
    """The log of this gateway's content; None if its deployer does not allow one."""
    redaction = settings.config.redaction or Redaction()
    if settings.content_bucket and settings.aws:
        return ContentLog(S3Sink(S3Bucket(settings.content_bucket, settings.aws, TIMEOUTS)), redaction, observer)
    if settings.content_folder:
        return ContentLog(LocalSink(settings.content_folder, settings.content_days), redaction, observer)
    return None


@dataclass(frozen=True, slots=True)
class S3Sink:
    """Objects of a bucket in which the function may put some, and do nothing else; the bucket's lifecycle deletes them."""

    bucket: S3Bucket

    def write(self, name: str, entry: bytes) -> None:
        try:
            status = self.bucket.put(f"{PREFIX}/{name}", entry, "application/json")
        except S3Error as error:
            raise SinkError(str(error)) from None
        if status != 200:
            raise SinkError(f"the bucket answered with status {status}")


@dataclass(slots=True)
class LocalSink:
    """On a laptop: a file for each request, which only its owner can read, in a folder for each day."""

    folder: Path
    days: int
    _looked: str = ""
    """The day on which old ones were last deleted."""

    def write(self, name: str, entry: bytes) -> None:
        file = self.folder / name
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
                opened.write(entry)
            self._delete_old(datetime.now(UTC))
        except OSError as error:
            raise SinkError(f"the folder can't be written: {error.strerror}") from None

    def _delete_old(self, now: datetime) -> None:
        today = f"{now:%Y-%m-%d}"
        if self._looked == today:
            return
        self._looked = today
        oldest = f"{now - timedelta(days=self.days):%Y-%m-%d}"
        for day in self.folder.iterdir():
            with suppress(ValueError):
                datetime.strptime(day.name, "%Y-%m-%d")  # nothing that somebody else put there
                if day.name < oldest:
                    shutil.rmtree(day, ignore_errors=True)
