"""Files too large for a request: a client asks for a place, fills it, and names it in the call that the file is for.

In the deployed stack the place is an object in the stack's bucket, which is filled by a signed link; at the local gateway a file.
"""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from haimaker.accounts.directory import check_usable
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import JSON, Request

if TYPE_CHECKING:
    from haimaker.gateway import Gateway
    from haimaker.settings.settings import Settings


def opened(gateway: "Gateway", request: Request) -> JSON:
    """`POST /v1/audio/uploads`: where to PUT a file, and the id to name it by. Raises APIError."""
    from haimaker.files import MOST_BYTES, FilesUnavailable, files_of, needed

    check_usable(gateway.accounts.identify(request.headers, fresh=True), time.time())
    place = needed(files_of(gateway.settings, request.headers))
    try:
        upload = place.link_to_put()
    except FilesUnavailable as error:
        raise _unavailable(error) from error
    return {
        "id": upload.id,
        "object": "upload",
        "method": "PUT",
        "url": upload.url,
        "headers": dict(upload.headers),
        "bytes_max": MOST_BYTES,
        "expires_at": upload.expires_s,
    }


def readable(request: Request, settings: "Settings") -> Request:
    """The request with a way to what was put there before, which few of them go."""

    def read(upload_id: str) -> bytes:
        from haimaker.files import FilesUnavailable, files_of, needed

        try:
            return needed(files_of(settings, request.headers)).read(upload_id)
        except FilesUnavailable as error:
            raise _unavailable(error) from error

    return replace(request, upload=read)


def _unavailable(error: Exception) -> ServiceUnavailableError:
    return ServiceUnavailableError(str(error), code="files_unavailable", headers={"retry-after": "2"})
