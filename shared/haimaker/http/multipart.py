"""Uploads: a multipart body as fields and files, and back. Pure.

https://www.rfc-editor.org/rfc/rfc7578
"""

import hashlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, NamedTuple

from haimaker.http.errors import BadRequestError, missing_parameter
from haimaker.lean_dataclasses import dataclass, field

MAX_BYTES = 64 * 1024 * 1024
MAX_PARTS = 128
MAX_FIELD_BYTES = 64 * 1024


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


class UploadReader:
    """A form with one file, whose bytes are passed on as they come: `open`, then all of `pieces`, then `finish`. Each raises
    BadRequestError for a form that is broken."""

    def __init__(self, content_type: str, body: Iterable[bytes]) -> None:
        self.fields: dict[str, str] = {}
        self.name, self.content_type = "", "application/octet-stream"
        """Of the file, once it was opened."""
        self._events = _parse(content_type, body)

    def open(self, name: str) -> None:
        """Reads up to the file in the field `name`."""
        if not self._read_fields(name):
            raise missing_parameter(name)

    def pieces(self) -> Iterator[bytes]:
        for piece in self._events:
            if not isinstance(piece, bytes | bytearray):
                return
            yield bytes(piece)

    def finish(self) -> None:
        """Reads the fields that come after the file. A second file is refused."""
        if self._read_fields(None):
            raise BadRequestError("The form has more than one file.", code="invalid_form")

    def _read_fields(self, wanted: str | None) -> bool:
        """Whether there is a file, in the field that is wanted or in any."""
        name, value = "", bytearray()
        for event in self._events:
            if event is None:
                self.fields[name] = value.decode("utf-8", "replace")
            elif isinstance(event, bytes | bytearray):
                value += event
                if len(value) > MAX_FIELD_BYTES:
                    raise BadRequestError(f"A field of the form has more than {MAX_FIELD_BYTES} bytes.", code="invalid_form")
            elif event.filename is not None and wanted in (None, event.name):
                self.name, self.content_type = event.filename, event.content_type or self.content_type
                return True
            else:
                name, value = event.name, bytearray()
        return False


def _parse(content_type: str, body: Iterable[bytes]) -> Iterator[Any]:
    """The parser's events: a part's head, its bytes in pieces, None at its end."""
    from multipart import MultipartError, PushMultipartParser, parse_options_header  # only uploads need it

    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise BadRequestError(
            f"This takes multipart/form-data, not {kind[:100] or 'a body without a content type'}.", code="invalid_form"
        )
    try:
        parser = PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_PARTS)
        for piece in body:
            yield from parser.parse(piece)
        parser.close()
    except (MultipartError, ValueError, LookupError) as error:
        raise BadRequestError(f"We could not read the form: {error}.", code="invalid_form") from None


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
    """A name escaped as browsers do it:
    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
