"""`/v1/messages/batches`: Anthropic's batches, of the same engine as OpenAI's; the requests come with the call, and the results are
read by a path of the batch. https://docs.anthropic.com/en/api/creating-message-batches

A batch is also shown by `/v1/batches`, and the other way round. Where it can't begin, each request is told why in the results.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from haimaker.api import batches, files
from haimaker.api.account_admin import to_iso_time
from haimaker.api.paging import read_page, to_list
from haimaker.batches import CANCELLED, CANCELLING, ENDED, EXPIRED, FAILED, Batch, BatchDirectory
from haimaker.http.errors import BadRequestError, ConflictError, NotFoundError, missing_parameter
from haimaker.http.json import parse_json
from haimaker.http.responses import json_response, origin_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request, Response
from haimaker.lean_dataclasses import replace
from haimaker.stored_files import DEFAULT_LASTS_S, FileDescription, owner_of

if TYPE_CHECKING:
    from haimaker.services import Services

ENDPOINT = "/v1/messages"
CUSTOM_ID = re.compile("[a-zA-Z0-9_-]{1,64}")
"""https://platform.claude.com/docs/en/api/messages/batches/create"""
DEFAULT_LISTED, MOST_LISTED = 20, 1_000
MAX_CONTAINERS, MAX_VALUES = 50_000, 300_000
"""Of all requests together, which go into a file and are not looked into."""
BETA = "anthropic-beta"
KEPT, LONGEST_HEADER = (BETA,), 512
"""The headers of a call that hold for each request of its batch."""
UNASKED = {"batch_cancelled": "canceled", "batch_expired": "expired"}
"""By the code of an error file's row, the type of a result."""
QUERIES = {"after_id": "after", "before_id": "after", "limit": "limit"}


def create(services: "Services", request: Request) -> Response:
    """POST /v1/messages/batches. Raises APIError."""
    account, requests = (
        batches.authenticate(services, request),
        _read_requests(parse_json(request.body, containers=MAX_CONTAINERS, values=MAX_VALUES)),
    )
    now_s, headers = time.time(), {name: request.headers[name] for name in KEPT if name in request.headers}
    if any(len(value) > LONGEST_HEADER for value in headers.values()):
        raise _invalid(BETA, f"up to {LONGEST_HEADER} characters")
    batches.batch_service(services)
    kept = files.stored_files(services.settings, services.store)
    files.check_room(kept, owner_of(account))
    with files.place_failures():
        file_id, size = kept.receive(_to_lines(requests), "application/jsonl", now_s)
    said = FileDescription("requests.jsonl", "batch", "application/jsonl", DEFAULT_LASTS_S)
    file = kept.add(file_id, size, owner_of(account), said, now_s)
    try:
        batch = batches.begin(services, account, file.id, ENDPOINT, None, DEFAULT_LASTS_S, len(requests), headers)
    except Exception:
        with files.place_failures():
            kept.delete(file)
        raise
    return json_response(to_json(batch, request))


def _read_requests(body: JSON) -> list[Any]:
    """Raises BadRequestError."""
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        raise missing_parameter("requests")
    seen = set[str]()
    for number, each in enumerate(requests):
        custom_id = each.get("custom_id") if isinstance(each, dict) else None
        if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
            raise _invalid(f"requests.{number}.custom_id", "1 to 64 letters from a to z, digits, '_' and '-'")
        if custom_id in seen:
            raise _invalid(f"requests.{number}.custom_id", "another one in each request")
        if not isinstance(each.get("params"), dict):
            raise _invalid(f"requests.{number}.params", "an object")
        if each["params"].get("stream"):
            raise _invalid(f"requests.{number}.params.stream", "left out")
        seen.add(custom_id)
    return requests


def _to_lines(requests: list[Any]) -> Iterator[bytes]:
    for each in requests:
        yield dumps({"custom_id": each["custom_id"], "method": "POST", "url": ENDPOINT, "body": each["params"]}) + b"\n"


def list_batches(services: "Services", request: Request) -> Response:
    """GET /v1/messages/batches, the newest first, also of those before one, which are newer. Raises APIError."""
    account, goes_back = batches.authenticate(services, request), "before_id" in request.query
    if goes_back and "after_id" in request.query:
        raise BadRequestError("Either 'before_id' or 'after_id' can be asked for.", param="before_id", code="invalid_value")
    query = {QUERIES[name]: value for name, value in request.query.items() if name in QUERIES}
    page = read_page(replace(request, query=query), DEFAULT_LISTED, MOST_LISTED)
    directory, owner = BatchDirectory(services.store.documents), owner_of(account)
    found, after, more = list[Batch](), page.after, True
    while more and len(found) <= page.limit:
        read, more = directory.page(owner, after, page.limit + 1, newest_first=not goes_back)
        found += [batch for batch in read if _is_of_messages(batch)]
        after = read[-1].id if read else after
    shown = found[: page.limit]
    listed = to_list([to_json(batch, request) for batch in (shown[::-1] if goes_back else shown)], has_more=len(found) > page.limit)
    return json_response({name: value for name, value in listed.items() if name != "object"})


def retrieve(services: "Services", request: Request) -> Response:
    """GET /v1/messages/batches/{id}. Raises APIError."""
    return json_response(to_json(_find(services, request), request))


def cancel(services: "Services", request: Request) -> Response:
    """POST /v1/messages/batches/{id}/cancel; one that has ended stays as it is. Raises APIError."""
    batch = _find(services, request)
    with suppress(ConflictError):
        batch = batches.cancel_batch(services, batch)
    return json_response(to_json(batch, request))


def delete(services: "Services", request: Request) -> Response:
    """DELETE /v1/messages/batches/{id}, of one that has ended. Raises APIError."""
    batch = _find(services, request)
    if not batch.has_ended:
        raise BadRequestError("A batch is deleted when it has ended: cancel it first.", param="id")
    kept = files.stored_files(services.settings, services.store)
    for name in ("input_file_id", "output_file_id", "error_file_id"):
        file = kept.get(batch.owner, batch.body[name] or "")
        if file:
            with files.place_failures():
                kept.delete(file)
    BatchDirectory(services.store.documents).delete(batch)
    return json_response({"id": batch.id, "type": "message_batch_deleted"})


def results(services: "Services", request: Request) -> Response:
    """GET /v1/messages/batches/{id}/results: a line for each request. Raises APIError."""
    batch = _find(services, request)
    if not batch.has_ended:
        raise BadRequestError("The batch has no results yet: it has not ended.", param="id")
    kept = files.stored_files(services.settings, services.store)
    names = ("input_file_id",) if batch.status == FAILED else ("output_file_id", "error_file_id")
    found = [file for name in names if (file := kept.get(batch.owner, batch.body[name] or ""))]
    with files.place_failures():
        begin = [kept.pieces(file) for file in found[:1]]

    def lines() -> Iterator[bytes]:
        from haimaker.batches.lines import custom_id_of, split

        rest = (kept.pieces(file) for file in found[1:])  # a bucket does not wait for who reads the first
        for raw in (raw for pieces in chain(begin, rest) for raw in split(pieces)):
            if batch.status != FAILED:
                row = json.loads(raw)
                yield _line(row["custom_id"], _result(row))
            elif custom_id := custom_id_of(raw):  # of a file of which lines may be none
                yield _line(custom_id, _error(batch.body["errors"]["data"][0]))

    return Response(200, {"content-type": "application/x-jsonl"}, lines())


def _line(custom_id: str, result: JSON) -> bytes:
    return dumps({"custom_id": custom_id, "result": result}) + b"\n"


def _result(row: JSON) -> JSON:
    if row["response"] is None:
        return {"type": UNASKED[row["error"]["code"]]}
    body = row["response"]["body"]
    return {"type": "succeeded", "message": body} if row["response"]["status_code"] == 200 else {"type": "errored", "error": body}


def _error(error: JSON) -> JSON:
    """The result of a request, where its batch could not begin."""
    return {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error", "message": error["message"]}}}


def to_json(batch: Batch, request: Request) -> JSON:
    """https://docs.anthropic.com/en/api/retrieving-message-batches"""
    body, ended = batch.body, next((batch.body[f"{end}_at"] for end in ENDED if batch.body[f"{end}_at"]), None)
    total, succeeded, errored = body["total"], body["completed"], body["failed"]
    counts = {"processing": total, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    if batch.has_ended:
        left = total - succeeded - errored
        counts = {
            "processing": 0,
            "succeeded": succeeded,
            "errored": left if batch.status == FAILED else errored,
            "canceled": left if batch.status == CANCELLED else 0,
            "expired": left if batch.status == EXPIRED else 0,
        }
    status = "ended" if batch.has_ended else "canceling" if batch.status == CANCELLING else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": counts,
        "created_at": to_iso_time(body["created_at"]),
        "expires_at": to_iso_time(body["expires_at"]),
        "ended_at": to_iso_time(ended) if ended else None,
        "cancel_initiated_at": to_iso_time(body["cancelling_at"]) if body["cancelling_at"] else None,
        "archived_at": None,
        "results_url": f"{origin_of(request.headers)}/v1/messages/batches/{batch.id}/results" if batch.has_ended else None,
    }


def _find(services: "Services", request: Request) -> Batch:
    """Raises NotFoundError."""
    batch = batches.find_batch(services, request)
    if not _is_of_messages(batch):
        raise NotFoundError(f"No batch found with id '{batch.id}'.", param="id", code="batch_not_found")
    return batch


def _is_of_messages(batch: Batch) -> bool:
    return bool(batch.body["endpoint"] == ENDPOINT)


def _invalid(param: str, wanted: str) -> BadRequestError:
    return BadRequestError(f"{param}: it has to be {wanted}.", param=param, code="invalid_value")
