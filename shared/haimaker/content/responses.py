"""Responses that a client asked to be stored, of providers that store none, each with the conversation that led to it; of those
that are made in the background also their events.

They are in a bucket of S3, or in a folder, where the deployer allows content to be kept, until their days are over. Other than what
`log.py` keeps they are written before the end of the answer is told, for the client may go on from it at once, and nothing is taken
out of them. Imported only where content is kept.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from haimaker.blobs import BlobError, BlobNotFound, BlobStore
from haimaker.content.log import DAY, DAY_S, TIMEOUTS, key_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.observability.observer import Observer
from haimaker.settings.settings import Settings
from haimaker.store import Record

MAX_BYTES = 4_000_000
"""The most bytes of a response and its conversation; a longer one is not stored."""
MAX_PARTS = 2_000
MAX_EVENT_BYTES = MAX_REQUEST_BYTES = 64 * 2**20
"""Of a stream's events that are written at a time, and of a request."""
PREFIX = "responses"
"""The first name of the keys in a bucket, and the folder within that of the content log."""


class StoredResponse(NamedTuple):
    response: JSON
    input: list[Any]
    """The items of the whole conversation before it, those of earlier responses too."""


@dataclass(slots=True)
class ResponseStore:
    blobs: BlobStore
    observer: Observer
    _last_day: str = ""
    """The day on which blobs that have ended were last deleted."""

    def put(self, request_id: str, started_s: float, stored: StoredResponse) -> bool:
        """Returns whether it is stored: one that is too long, or can't be written, fails no answer."""
        data, key = dumps(stored._asdict()), key_of(started_s, request_id)
        if len(data) > MAX_BYTES:
            return False
        try:
            self.blobs.put(key, data, "application/json")
            day = f"{datetime.fromtimestamp(started_s, UTC):%Y-%m-%d}"
            if day != self._last_day:
                self._last_day = day
                self.blobs.delete_expired()
        except BlobError as error:
            self.observer.error(f"response not stored: {error}", request_id=request_id)
            return False
        return True

    def get(self, record: Record) -> StoredResponse | None:
        """Raises BlobError."""
        return self.get_by_id(record.started_s, record.request_id)

    def get_by_id(self, started_s: float, request_id: str) -> StoredResponse | None:
        """Raises BlobError."""
        try:
            return StoredResponse(**json.loads(self.blobs.get(key_of(started_s, request_id), MAX_BYTES)))
        except BlobNotFound:
            return None

    def delete(self, record: Record) -> None:
        """Raises BlobError."""
        self.delete_by_id(record.started_s, record.request_id)

    def delete_by_id(self, started_s: float, request_id: str) -> None:
        """Raises BlobError."""
        for key in (key_of(started_s, request_id), _request_key(started_s, request_id)):
            self.blobs.delete(key)
        for number in range(MAX_PARTS):
            if self.get_events(started_s, request_id, number) is None:
                break
            self.blobs.delete(_events_key(started_s, request_id, number))

    def put_events(self, started_s: float, request_id: str, number: int, events: bytes) -> None:
        """Writes some events of a stream that may be read again, in the order of their numbers. Raises BlobError."""
        self.blobs.put(_events_key(started_s, request_id, number), events, "text/event-stream")

    def get_events(self, started_s: float, request_id: str, number: int) -> bytes | None:
        """None if they did not come yet, or there are no more. Raises BlobError."""
        try:
            return self.blobs.get(_events_key(started_s, request_id, number), MAX_EVENT_BYTES)
        except BlobNotFound:
            return None

    def put_request(self, started_s: float, request_id: str, asked: JSON) -> None:
        """Writes what is asked, for the process that makes the answer. Raises BlobError."""
        self.blobs.put(_request_key(started_s, request_id), dumps(asked), "application/json")

    def take_request(self, started_s: float, request_id: str) -> JSON:
        """What is asked, which is not kept any longer. Raises BlobError."""
        key = _request_key(started_s, request_id)
        asked: JSON = json.loads(self.blobs.get(key, MAX_REQUEST_BYTES))
        self.blobs.delete(key)
        return asked


def _events_key(started_s: float, request_id: str, number: int) -> str:
    return f"{key_of(started_s, request_id)}.events-{number}"


def _request_key(started_s: float, request_id: str) -> str:
    return f"{key_of(started_s, request_id)}.request"


def response_store(settings: Settings, observer: Observer) -> ResponseStore | None:
    """None if the deployer does not allow content to be kept."""
    if settings.content_bucket and settings.aws:
        from haimaker.blobs.s3 import S3Blobs

        return ResponseStore(S3Blobs(settings.content_bucket, settings.aws, TIMEOUTS, f"{PREFIX}/"), observer)
    if settings.content_folder:
        from haimaker.blobs.folder import FolderBlobs

        return ResponseStore(FolderBlobs(settings.content_folder / PREFIX, settings.content_days * DAY_S, DAY), observer)
    return None
