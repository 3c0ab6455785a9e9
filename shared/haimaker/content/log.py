"""Keeps what was asked and answered, for keys that want it, where the deployer allows it: in a bucket of S3, or in a folder.

It never delays an answer nor fails one: a thread of its own writes, each object once; what comes while too much waits, and what
can't be written, is left out, and the log says so. Imported only where content is kept.
"""

import json
import threading
from datetime import UTC, datetime
from queue import SimpleQueue

from haimaker.blobs import BlobError, BlobNotFound, BlobStore
from haimaker.content.transcript import Conversation
from haimaker.http.client import Timeouts
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.observer import Observer
from haimaker.observability.redaction import Redaction
from haimaker.settings.settings import Settings
from haimaker.store import Record

MAX_WAITING = 100
"""How many conversations may be open or wait to be written at a time."""
MAX_ENTRY_BYTES = 64 * 2**20
"""The most bytes of an entry that is read again."""
PREFIX = "content"
"""The first name of the keys in a bucket, which is all of it that the function may write."""
TIMEOUTS = Timeouts(connect_s=2, first_byte_s=4, between_s=4)
DAY_S = 86_400
DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
"""The folder of a day, as a glob."""


@dataclass(slots=True)
class ContentLog:
    blobs: BlobStore
    redaction: Redaction
    observer: Observer
    _waiting: SimpleQueue[Conversation] = field(default_factory=SimpleQueue, repr=False)
    _open: int = 0
    """Conversations that were begun and are not written yet."""
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _writer: threading.Thread | None = field(default=None, repr=False)
    _last_day: str = ""
    """The day on which blobs that have ended were last deleted."""

    def begin(self, asked: JSON, request_id: str) -> Conversation | None:
        """Starts to keep a request's content. Returns None, and tells the log, while too many wait to be written."""
        with self._changed:
            if self._open >= MAX_WAITING:
                self.observer.error("content not kept: too much waits to be written", request_id=request_id)
                return None
            self._open += 1
        return Conversation(asked, self.redaction, self._end)

    def read(self, record: Record) -> JSON | None:
        """What is kept of a request; None where nothing is. Raises BlobError."""
        try:
            found: JSON = json.loads(self.blobs.get(key_of(record.started_s, record.request_id), MAX_ENTRY_BYTES))
        except BlobNotFound:
            return None
        return found

    def wait(self, timeout_s: float) -> bool:
        """Waits until all is written, for a function that is frozen after its answer. Returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout_s)

    def _end(self, transcript: Conversation) -> None:
        self._waiting.put(transcript)
        with self._changed:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="content", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        """Writes one entry after the other, for as long as the process lives; once a day it deletes what has ended."""
        while True:
            transcript = self._waiting.get()
            request_id = transcript.record.request_id if transcript.record else None
            try:
                if transcript.record:
                    key = key_of(transcript.record.started_s, transcript.record.request_id)
                    entry = json.dumps(transcript.entry(), ensure_ascii=False).encode("utf-8", "replace")
                    self.blobs.put(key, entry, "application/json")
                    day = key.partition("/")[0]
                    if day != self._last_day:
                        self._last_day = day
                        self.blobs.delete_expired()
            except BlobError as error:
                self.observer.error(f"content not kept: {error}", request_id=request_id)
            except Exception as error:
                self.observer.exception(error, request_id=request_id)
            with self._changed:
                self._open -= 1
                self._changed.notify_all()


def key_of(started_s: float, request_id: str) -> str:
    """The key of an entry, by day, so that a day can be found and deleted as a whole."""
    return f"{datetime.fromtimestamp(started_s, UTC):%Y-%m-%d}/{request_id}.json"


def content_log(settings: Settings, observer: Observer) -> ContentLog | None:
    """The log of this gateway's content; None if its deployer does not allow one."""
    redaction = settings.config.redaction or Redaction()
    if settings.content_bucket and settings.aws:
        from haimaker.blobs.s3 import S3Blobs

        return ContentLog(S3Blobs(settings.content_bucket, settings.aws, TIMEOUTS, f"{PREFIX}/"), redaction, observer)
    if settings.content_folder:
        from haimaker.blobs.folder import FolderBlobs

        blobs = FolderBlobs(settings.content_folder, settings.content_days * DAY_S, DAY)
        return ContentLog(blobs, redaction, observer)
    return None
