"""Responses that a client asked to be stored, of providers that store none, each with the conversation that led to it.

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
"""Of a response and its conversation; a longer one is not stored."""
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
        try:
            return StoredResponse(**json.loads(self.blobs.get(key_of(record.started_s, record.request_id), MAX_BYTES)))
        except BlobNotFound:
            return None

    def delete(self, record: Record) -> None:
        """Raises BlobError."""
        self.blobs.delete(key_of(record.started_s, record.request_id))


def response_store(settings: Settings, observer: Observer) -> ResponseStore | None:
    """None if the deployer does not allow content to be kept."""
    if settings.content_bucket and settings.aws:
        from haimaker.blobs.s3 import S3Blobs

        return ResponseStore(S3Blobs(settings.content_bucket, settings.aws, TIMEOUTS, f"{PREFIX}/"), observer)
    if settings.content_folder:
        from haimaker.blobs.folder import FolderBlobs

        return ResponseStore(FolderBlobs(settings.content_folder / PREFIX, settings.content_days * DAY_S, DAY), observer)
    return None
