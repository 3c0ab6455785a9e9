"""Files in a folder of the local gateway, which serves them itself: `GET /links/{id}` and `PUT /links/{id}`.

An image can be read by its link, an upload only by the gateway. An upload that was opened and not yet filled is an empty file.
"""

from pathlib import Path

from haimaker.blobs import BlobNotFound
from haimaker.blobs.folder import FolderBlobs
from haimaker.http.errors import NotFoundError
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass
from haimaker.links import EXTENSIONS, ID, LINK_LIFETIME_S, MADE, UPLOADS, LinkStore, Upload
from haimaker.settings.settings import Settings

MAX_IMAGE_BYTES = 1_000_000_000
"""More than any image that was made has."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A drawing may hold scripts, and a file comes from where the console does. https://www.w3.org/TR/CSP3/#directive-sandbox"""
CONTENT_TYPES = {ending: content_type for content_type, ending in EXTENSIONS.items()}


@dataclass(frozen=True, slots=True)
class LocalLinkStore(LinkStore):
    blobs: FolderBlobs

    @classmethod
    def in_folder(cls, folder: Path, origin: str = "") -> "LocalLinkStore":
        """`origin` is where clients reach this gateway, such as `http://127.0.0.1:8000`."""
        return cls(FolderBlobs(folder, LINK_LIFETIME_S, address=f"{origin}/links"))

    @classmethod
    def from_settings(cls, settings: Settings) -> "LocalLinkStore":
        """Raises NotFoundError where the files of a gateway are elsewhere, or nowhere."""
        if settings.files_folder is None:
            raise NotFoundError("This gateway keeps no files itself.", code="unknown_url")
        return cls.in_folder(settings.files_folder)

    def presign_upload(self, owner: str = "") -> Upload:
        self.blobs.delete_expired()
        upload = LinkStore.presign_upload(self, owner)
        self.blobs.put(f"{UPLOADS}/{upload.id}", b"", "")
        return upload

    def serve(self, request: Request) -> Response:
        """GET /links/{id}: an image, for whoever has its link. Raises NotFoundError."""
        key = _key_of(MADE, request)
        try:
            data = self.blobs.get(key, MAX_IMAGE_BYTES)
        except BlobNotFound:
            raise _file_not_found() from None
        content_type = CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream")
        headers = {"content-type": content_type, "content-security-policy": POLICY, "x-content-type-options": "nosniff"}
        return Response(200, headers, data)

    def receive(self, request: Request) -> Response:
        """PUT /links/{id}: fills an upload, which ends when its link does. Raises NotFoundError where there is none of this id."""
        key = _key_of(UPLOADS, request)
        if not self.blobs.has(key):
            raise _file_not_found()
        self.blobs.refill(key, (request.body,) if request.pieces is None else request.pieces)
        return Response(200, {"content-type": "text/plain"}, b"")


def _key_of(folder: str, request: Request) -> str:
    file_id = request.path.get("id", "")
    if not ID.fullmatch(file_id):
        raise _file_not_found()
    return f"{folder}/{file_id}"


def _file_not_found() -> NotFoundError:
    return NotFoundError("There is no such file, or its link has expired.", code="file_not_found")
