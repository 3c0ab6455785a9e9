"""Files too large for a request: a client asks for a place, fills it, and names it in the call that the file is for.

In the deployed stack the place is an object in the stack's bucket, which is filled by a signed link; at the local gateway a file.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import JSON, Request

if TYPE_CHECKING:
    from haimaker.gateway import Gateway
    from haimaker.settings.settings import Settings


def create_upload(gateway: "Gateway", request: Request) -> JSON:
    """`POST /v1/audio/uploads`: where to PUT a file, and the id to name it by. Raises APIError."""
    from haimaker.blobs import BlobError
    from haimaker.files import MAX_UPLOAD_BYTES, file_store_for, require_file_store

    account = gateway.accounts.authenticate(request.headers, fresh=True)
    files = require_file_store(file_store_for(gateway.settings, request.headers))
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


def with_uploads(request: Request, settings: "Settings", account_id: str) -> Request:
    """The request with a function that reads what its key has uploaded; few requests call it."""

    def read(upload_id: str) -> bytes:
        from haimaker.blobs import BlobError
        from haimaker.files import file_store_for, require_file_store

        try:
            return require_file_store(file_store_for(settings, request.headers)).read(upload_id, account_id)
        except BlobError as error:
            raise _unavailable(error) from error

    return replace(request, upload=read)


def _unavailable(error: Exception) -> ServiceUnavailableError:
    return ServiceUnavailableError(f"The place for files failed: {error}.", code="files_unavailable", headers={"retry-after": "2"})
