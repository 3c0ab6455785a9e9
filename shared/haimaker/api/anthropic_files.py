"""Files in Anthropic's shape, for clients that say its version in a header: what `files.py` reads of them, and shows them.

https://platform.claude.com/docs/en/api/files. Who uploads says no purpose and, mostly, no end; every file has both here.
"""

from collections.abc import Sequence

from haimaker.api.account_admin import to_iso_time
from haimaker.api.paging import Page, read_page
from haimaker.http.errors import BadRequestError, invalid_value, unknown_parameter
from haimaker.http.json import to_whole_number
from haimaker.http.multipart import UploadReader
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.stored_files import DEFAULT_LASTS_S, MAX_LASTS_S, MIN_LASTS_S, FileDescription, StoredFile, file_name

LASTS = "expires_in_seconds"
DEFAULT_LISTED, MOST_LISTED = 20, 1_000
CURSOR = "page_"
"""How what leads to the next page begins."""


def describe(form: UploadReader) -> FileDescription:
    """What a form says of its file. Raises BadRequestError."""
    for name in form.fields.keys() - {LASTS}:
        raise unknown_parameter(name[:64])
    lasts_s = to_whole_number(form.fields.get(LASTS, str(DEFAULT_LASTS_S)), MIN_LASTS_S, MAX_LASTS_S)
    if lasts_s is None:
        raise invalid_value(LASTS, f"a whole number from {MIN_LASTS_S} to {MAX_LASTS_S}")
    return FileDescription(file_name(form.name, "unnamed"), "user_data", form.content_type[:128], lasts_s)


def read_list(request: Request) -> Page:
    """The page that is asked for. Raises BadRequestError."""
    for name in ("ids", "ids[]"):
        if name in request.query:
            raise BadRequestError("'ids' is not supported: ask for each file by its id.", param="ids", code="invalid_value")
    query, cursor = {name: request.query[name] for name in ("limit",) if name in request.query}, request.query.get("page")
    if cursor:
        if not cursor.startswith(CURSOR):
            raise invalid_value("page", "the next_page of the page before")
        query["after"] = cursor.removeprefix(CURSOR)
    return read_page(replace(request, query=query), DEFAULT_LISTED, MOST_LISTED)


def to_list(found: Sequence[StoredFile], *, has_more: bool) -> JSON:
    return {"data": [to_json(file) for file in found], "next_page": f"{CURSOR}{found[-1].id}" if has_more else None}


def to_json(file: StoredFile) -> JSON:
    return {
        "id": file.id,
        "type": "file",
        "filename": file.name,
        "mime_type": file.content_type,
        "size_bytes": file.size,
        "created_at": to_iso_time(file.created_s),
        "expires_at": to_iso_time(file.expires_s),
        "downloadable": True,
    }
