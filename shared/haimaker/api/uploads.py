"""Files too large for a request: a client asks for a place, fills it, and names it in the call that the file is for.

In the deployed stack the place is an object in the stack's bucket, which is filled by a signed link; at the local gateway a file.
"""

import time
from typing import TYPE_CHECKING

from haimaker.http.errors import RateLimitError, ServiceUnavailableError
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.store.documents import Document, Documents

if TYPE_CHECKING:
    from haimaker.services import Services
    from haimaker.settings.settings import Settings

KIND = "uploads"
"""Of the documents in which it is kept when each key opened its uploads of the last hour."""
COUNTING_TRIES = 5


def create_upload(services: "Services", request: Request) -> JSON:
    """`POST /v1/audio/uploads`: where to PUT a file, and the id to name it by. Raises APIError."""
    from haimaker.blobs import BlobError
    from haimaker.links import MAX_UPLOAD_BYTES, link_store_for, require_link_store

    account = services.accounts.authenticate(request.headers, fresh=True)
    files = require_link_store(link_store_for(services.settings, request.headers))
    _count(services.store.documents, account.id, time.time())
    try:
        upload = files.presign_upload(account.id)
    except BlobError as error:
        raise _unavailable(error) from error
    return {
        "id": upload.id,
        "object": "upload",
        "method": "PUT",
        "url": upload.url,
        "headers": {},
        "bytes_max": MAX_UPLOAD_BYTES,
        "expires_at": upload.expires_s,
    }


def _count(documents: Documents, account_id: str, now_s: float) -> None:
    """Notes one more upload of a key. Raises RateLimitError where it has as many as it may have at a time, or opens them faster
    than they can be counted."""
    from haimaker.links import LINK_LIFETIME_S, MAX_UPLOADS

    for _ in range(COUNTING_TRIES):
        kept = documents.get(KIND, account_id)
        opened_s = [at_s for at_s in kept.body["opened_s"] if at_s > now_s - LINK_LIFETIME_S] if kept else []
        if len(opened_s) >= MAX_UPLOADS:
            message = f"A key may have {MAX_UPLOADS} uploads at a time; each ends an hour after it was opened."
            wait_s = max(1, round(opened_s[0] + LINK_LIFETIME_S - now_s))
            raise RateLimitError(message, code="too_many_uploads", headers={"retry-after": str(wait_s), "x-should-retry": "false"})
        if documents.put(KIND, Document(account_id, {"opened_s": [*opened_s, int(now_s)]}, kept.version if kept else 0)):
            return
    raise RateLimitError("Several uploads are being opened at once.", code="too_many_uploads", headers={"retry-after": "1"})


def with_uploads(request: Request, settings: "Settings", account_id: str) -> Request:
    """The request with a function that reads what its key has uploaded; few requests call it."""

    def read(upload_id: str) -> bytes:
        from haimaker.blobs import BlobError
        from haimaker.links import link_store_for, require_link_store

        try:
            return require_link_store(link_store_for(settings, request.headers)).read(upload_id, account_id)
        except BlobError as error:
            raise _unavailable(error) from error

    return replace(request, upload=read)


def _unavailable(error: Exception) -> ServiceUnavailableError:
    return ServiceUnavailableError(f"The place for files failed: {error}.", code="files_unavailable", headers={"retry-after": "2"})
