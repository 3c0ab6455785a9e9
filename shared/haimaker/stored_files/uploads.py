"""Files that come in parts, or straight into a bucket. https://platform.openai.com/docs/api-reference/uploads

An upload is a document of its owner, and is over an hour after it began. Its parts, and what a client puts into the bucket by a
link, are blobs that end by themselves; when it is completed they become a file as any other. Nothing here knows HTTP.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from haimaker.blobs import BlobNotFound, BlobStore
from haimaker.blobs.s3 import S3Blobs
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.store.documents import Document
from haimaker.stored_files import FOLDER, FileDescription, StoredFile, StoredFiles, new_id
from haimaker.stored_files import ID_PREFIX as FILE_PREFIX

ID_PREFIX, PART_PREFIX = "upload_hm", "part_hm"
KIND = "uploads#"
"""The kind of documents: an owner's uploads by id."""
PARTS, INCOMING = "parts", "incoming"
"""The first names of the keys of blobs: parts, and what is put by a link."""
LASTS_S = 3_600
MAX_PENDING, MAX_PARTS = 100, 1_000
"""Of an owner's uploads that are pending, and of an upload's parts."""
MAX_KNOWN = 1_000
"""Of an owner's uploads of the last two hours, whatever became of them."""
MAX_PART_BYTES = 64 * 1024 * 1024
"""https://platform.openai.com/docs/api-reference/uploads/add-part"""
FORGOTTEN_S = 2 * LASTS_S
TRIES = 20
PENDING, COMPLETED, CANCELLED, EXPIRED = "pending", "completed", "cancelled", "expired"


class UploadError(Exception):
    """Why an upload can't go on: `code` and words for its client."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Upload:
    id: str
    owner: str
    version: int
    body: JSON

    def status(self, now_s: float) -> str:
        is_late = self.body["status"] == PENDING and now_s >= self.body["created_s"] + LASTS_S
        return EXPIRED if is_late else str(self.body["status"])


@dataclass(frozen=True, slots=True)
class Uploads:
    """Every method raises StoreUnavailable and BlobError."""

    files: StoredFiles
    parts: BlobStore
    bucket: S3Blobs | None = None
    """Where clients may put files themselves, by a link."""

    def create(self, owner: str, said: FileDescription, size: int, now_s: float) -> Upload:
        """Raises UploadError where there are too many, or there would be no room for what they all promise."""
        self.parts.delete_expired()
        found, _ = self.files.documents.page(KIND + owner, None, MAX_KNOWN)
        known = [Upload(each.name, owner, each.version, each.body) for each in found]
        for upload in known:
            if is_forgotten(upload, now_s):
                self.files.documents.delete(KIND + owner, upload.id)
        pending = [upload for upload in known if upload.status(now_s) == PENDING]
        if len(pending) >= MAX_PENDING:
            raise UploadError("too_many_uploads", f"There are {MAX_PENDING} uploads already that are pending. Cancel some.")
        if sum(not is_forgotten(upload, now_s) for upload in known) >= MAX_KNOWN:
            raise UploadError("too_many_uploads", f"There were {MAX_KNOWN} uploads in the last two hours. Wait a while.")
        if self.files.is_full(owner, size + sum(upload.body["size"] for upload in pending)):
            message = "There is no room for a file of this size, with what is kept and what other uploads may bring. Delete some."
            raise UploadError("file_storage_full", message)
        body: JSON = {
            **said._asdict(),
            "size": size,
            "created_s": int(now_s),
            "status": PENDING,
            "file_id": new_id(FILE_PREFIX, now_s),
            "parts": {},
        }
        upload = Upload(new_id(ID_PREFIX, now_s), owner, 1, body)
        self.files.documents.put(KIND + owner, Document(upload.id, body, 0))
        return upload

    def get(self, owner: str, upload_id: str) -> Upload | None:
        found = self.files.documents.get(KIND + owner, upload_id) if upload_id.startswith(ID_PREFIX) else None
        return Upload(found.name, owner, found.version, found.body) if found else None

    def link(self, upload: Upload) -> str | None:
        """A link to which its bytes may be put as a whole, in place of parts."""
        return self.bucket.link("PUT", f"{INCOMING}/{upload.id}", LASTS_S, upload.body["size"]) if self.bucket else None

    def add_part(self, upload: Upload, pieces: Iterator[bytes], now_s: float) -> str:
        """Stores a part and returns its id. Raises UploadError, and what `pieces` raises."""
        part_id = new_id(PART_PREFIX, now_s)
        size = self.parts.put_pieces(f"{PARTS}/{part_id}", pieces, "application/octet-stream")
        for _ in range(TRIES):
            require_pending(upload, now_s)
            parts = {**upload.body["parts"], part_id: size}
            if len(parts) > MAX_PARTS or sum(parts.values()) > upload.body["size"]:
                self.parts.delete(f"{PARTS}/{part_id}")
                message = f"An upload may have {MAX_PARTS} parts, and this one {upload.body['size']} bytes in all."
                raise UploadError("upload_too_large", message)
            if self._put(upload, parts=parts):
                return part_id
            upload = self.get(upload.owner, upload.id) or upload
        raise UploadError("upload_busy", "Too many parts come at the same moment.")

    def complete(self, upload: Upload, part_ids: Sequence[str], md5: str | None, now_s: float) -> StoredFile:
        """Makes the file: of the parts in this order, or of what was put by the link. May be repeated. Raises UploadError."""
        body = upload.body
        if body["status"] == COMPLETED and (done := self.files.get(upload.owner, body["file_id"])):
            return done
        require_pending(upload, now_s)
        said = FileDescription(body["name"], body["purpose"], body["content_type"], body["lasts_s"])
        if unknown := [part for part in part_ids if part not in body["parts"]]:
            raise UploadError("invalid_value", f"The upload has no part {unknown[0][:64]!r}.")
        size = sum(body["parts"][part] for part in part_ids)
        if not part_ids and self.bucket:
            with suppress(BlobNotFound):
                size = self.bucket.size(f"{INCOMING}/{upload.id}")
        if size != body["size"]:
            raise UploadError("invalid_value", f"The upload is of {body['size']} bytes, and what came has {size}.")
        if part_ids:
            self._join(upload, part_ids, md5)
        elif self.bucket:
            self._check(md5, self.bucket.pieces(f"{INCOMING}/{upload.id}") if md5 else iter(()))
            self.bucket.copy(f"{INCOMING}/{upload.id}", f"{FOLDER}/{body['file_id']}", said.content_type)
        file = self.files.add(body["file_id"], size, upload.owner, said, now_s)
        try:
            self._end(upload, COMPLETED, now_s)
        except UploadError:
            ended = self.get(upload.owner, upload.id)
            if not ended or ended.body["status"] != COMPLETED:
                self.files.delete(file)  # it was cancelled meanwhile
                raise
        return file

    def cancel(self, upload: Upload, now_s: float) -> Upload:
        """Raises UploadError."""
        return self._end(upload, CANCELLED, now_s)

    def _end(self, upload: Upload, status: str, now_s: float) -> Upload:
        """Ends an upload, whatever parts came meanwhile. Raises UploadError."""
        for _ in range(TRIES):
            require_pending(upload, now_s)
            if self._put(upload, status=status):
                self._forget_bytes(upload)
                return Upload(upload.id, upload.owner, upload.version + 1, {**upload.body, "status": status})
            upload = self.get(upload.owner, upload.id) or upload
        raise UploadError("upload_busy", "Too many parts come at the same moment.")

    def _put(self, upload: Upload, **fields: object) -> bool:
        document = Document(upload.id, {**upload.body, **fields}, upload.version)
        return self.files.documents.put(KIND + upload.owner, document)

    def _join(self, upload: Upload, part_ids: Sequence[str], md5: str | None) -> None:
        def pieces() -> Iterator[bytes]:
            for part_id in part_ids:
                yield from self.parts.pieces(f"{PARTS}/{part_id}")

        self.files.put(upload.body["file_id"], self._checked(md5, pieces()), upload.body["content_type"])

    def _checked(self, md5: str | None, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Raises UploadError at the end of what has another checksum."""
        found = hashlib.md5(usedforsecurity=False)
        for piece in pieces:
            found.update(piece)
            yield piece
        if md5 and found.hexdigest() != md5.lower():
            raise UploadError("invalid_value", "What came has another MD5 checksum.")

    def _check(self, md5: str | None, pieces: Iterator[bytes]) -> None:
        for _ in self._checked(md5, pieces):
            pass

    def _forget_bytes(self, upload: Upload) -> None:
        for part_id in upload.body["parts"]:
            self.parts.delete(f"{PARTS}/{part_id}")
        if self.bucket:
            self.bucket.delete(f"{INCOMING}/{upload.id}")


def require_pending(upload: Upload, now_s: float) -> None:
    """Raises UploadError."""
    if (status := upload.status(now_s)) != PENDING:
        raise UploadError("upload_not_pending", f"The upload is {status}.")


def is_forgotten(upload: Upload, now_s: float) -> bool:
    return bool(upload.body["created_s"] + FORGOTTEN_S < now_s)


def expires_s(upload: Upload) -> int:
    return int(upload.body["created_s"]) + LASTS_S
