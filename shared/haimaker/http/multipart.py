"""Uploads: a multipart body as fields and files, and back. Pure.

https://www.rfc-editor.org/rfc/rfc7578
"""

import hashlib
from collections.abc import Iterable
from io import BytesIO
from typing import NamedTuple

from haimaker.http.errors import BadRequestError
from haimaker.lean_dataclasses import dataclass, field

MAX_BYTES = 64 * 1024 * 1024
MAX_PARTS = 128


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it was sent; `name` and `content_type` are what the client says of it."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


class MultipartForm(NamedTuple):
    """Fields and files in the order in which they came; a name may occur several times."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, UploadedFile], ...]


def decode(content_type: str, body: bytes) -> MultipartForm:
    """Reads a multipart/form-data body. Raises BadRequestError for one that is broken or none."""
    from multipart import MultipartError, MultipartParser, parse_options_header  # only uploads need it

    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise BadRequestError(
            f"This takes multipart/form-data, not {kind[:100] or 'a body without a content type'}.", code="invalid_form"
        )
    fields, files = [], []
    try:
        parser = MultipartParser(
            BytesIO(body.rstrip(b"\r\n")),  # it reads in pieces, and takes a line end in a piece of its own for too much
            options.get("boundary", ""),
            strict=True,
            part_limit=MAX_PARTS,
            spool_limit=MAX_BYTES,
            memory_limit=MAX_BYTES,
        )
        for part in parser:
            if part.filename is None:
                fields.append((part.name, part.raw.decode("utf-8")))  # not as the part says: some charsets are quadratic
            else:
                files.append((part.name, UploadedFile(part.filename, part.content_type, part.raw)))
    except (MultipartError, ValueError, LookupError) as error:
        raise BadRequestError(f"We could not read the form: {error}.", code="invalid_form") from None
    return MultipartForm(tuple(fields), tuple(files))


def encode(fields: Iterable[tuple[str, str]], files: Iterable[tuple[str, UploadedFile]]) -> tuple[str, bytes]:
    """The content type and the body. The boundary comes from the content, so that the same form is always the same bytes."""
    parts = [(f'form-data; name="{_quoted(name)}"', None, value.encode("utf-8", "surrogatepass")) for name, value in fields]
    shown = ((f'form-data; name="{_quoted(name)}"; filename="{_quoted(file.name)}"', file) for name, file in files)
    all_parts = [*parts, *((disposition, file.content_type, file.data) for disposition, file in shown)]
    digest = hashlib.sha256()
    for number, (_, _, data) in enumerate(all_parts):
        digest.update(b"\0" if number else b"")
        digest.update(data)
    boundary = digest.hexdigest()[:40]
    body = BytesIO()
    for disposition, content_type, data in all_parts:
        head = f"--{boundary}\r\ncontent-disposition: {disposition}\r\n"
        head += f"content-type: {content_type}\r\n" if content_type else ""
        body.write(head.encode("utf-8", "surrogatepass") + b"\r\n")
        body.write(data)
        body.write(b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", body.getvalue()


def _quoted(text: str) -> str:
    """As browsers do: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
