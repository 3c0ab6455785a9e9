"""`/v1/batches`: many requests in a file, answered while nobody waits. https://platform.openai.com/docs/api-reference/batch

What can be said of a batch at once is an error of the request; what is wrong with its lines is in its `errors` once it failed.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from haimaker.api.files import find, read_lasts_s, stored_files
from haimaker.api.paging import read_page, to_list
from haimaker.batches import (
    CANCELLING,
    COMPLETION_WINDOW,
    COMPLETION_WINDOW_S,
    ENDED,
    FINALIZING,
    ID_PREFIX,
    VALIDATING,
    Batch,
    BatchDirectory,
    BatchService,
)
from haimaker.batches.lines import ENDPOINTS
from haimaker.batches.native import read_parts
from haimaker.batches.native_lines import MODE, NATIVE, NOW
from haimaker.http.errors import (
    BadRequestError,
    BudgetExceededError,
    ConflictError,
    NotFoundError,
    RateLimitError,
    RequestTooLargeError,
    ServiceUnavailableError,
    missing_parameter,
    unknown_parameter,
)
from haimaker.http.json import parse_json
from haimaker.http.responses import json_response
from haimaker.http.values import JSON, Request, Response
from haimaker.pricing.amounts import to_usd
from haimaker.store import Account, StoreUnavailable
from haimaker.stored_files import MAX_BATCH_BYTES, new_id, owner_of

if TYPE_CHECKING:
    from haimaker.services import Services

DEFAULT_LISTED, MOST_LISTED = 20, 100
MOST_OPEN = 100
"""Batches of one owner that have not ended."""
FIELDS = ("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")
MOST_METADATA, LONGEST_NAME, LONGEST_VALUE = 16, 64, 512
SHOWN = (
    "endpoint", "model", "errors", "input_file_id", "completion_window", "status", "output_file_id", "error_file_id", "created_at",
    "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at",
)  # fmt: skip
HAS_FILES = ("completed", "expired", "cancelled")


def create(services: "Services", request: Request) -> Response:
    """POST /v1/batches. Raises APIError."""
    account, body = authenticate(services, request), parse_json(request.body)
    batch_service(services)
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise missing_parameter(name)
    for name in body.keys() - {*FIELDS}:
        raise unknown_parameter(name[:64])
    if not isinstance(body["endpoint"], str) or body["endpoint"] not in ENDPOINTS:
        raise _invalid("endpoint", f"one of {', '.join(ENDPOINTS)}")
    if body["completion_window"] != COMPLETION_WINDOW:
        raise _invalid("completion_window", f"'{COMPLETION_WINDOW}'")
    lasts_s, metadata = read_lasts_s(body.get("output_expires_after"), "output_expires_after"), _read_metadata(body)
    files = stored_files(services.settings, services.store)
    file = find(files, account, str(body["input_file_id"]), "input_file_id")
    if file.purpose != "batch":
        raise _invalid("input_file_id", "a file whose purpose is 'batch'")
    if file.size > MAX_BATCH_BYTES:
        raise RequestTooLargeError(f"The file of a batch may have {MAX_BATCH_BYTES} bytes.", param="input_file_id")
    return json_response(to_json(begin(services, account, file.id, body["endpoint"], metadata, lasts_s)))


def begin(
    services: "Services",
    account: Account,
    file_id: str,
    endpoint: str,
    metadata: JSON | None,
    lasts_s: int,
    total: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Batch:
    """Adds a batch of a key to those that are worked on. Raises BudgetExceededError, RateLimitError."""
    service, owner, now_s = batch_service(services), owner_of(account), time.time()
    _require_budget(services, account)
    if service.directory.count_open(owner) >= MOST_OPEN:
        message = f"There are {MOST_OPEN} batches already that have not ended."
        raise RateLimitError(message, code="too_many_batches", headers={"retry-after": "60"})
    created_s = int(now_s)
    fields: JSON = dict.fromkeys(SHOWN) | {
        "endpoint": endpoint,
        "input_file_id": file_id,
        "completion_window": COMPLETION_WINDOW,
        "status": VALIDATING,
        "created_at": created_s,
        "expires_at": created_s + COMPLETION_WINDOW_S,
        "metadata": metadata,
        "headers": dict(headers or {}),
        "account_id": account.id,
        "output_lasts_s": lasts_s,
        "total": total,
        "completed": 0,
        "failed": 0,
        "cost_nanousd": 0,
        "tokens": [0, 0, 0, 0],
        "pools": [],
        "pooled_nanousd": 0,
    }
    batch = Batch(new_id(ID_PREFIX, now_s), owner, 0, fields)
    service.directory.add(batch)
    try:
        service.start(batch)
    except StoreUnavailable:
        service.directory.close(batch)
        service.directory.delete(batch)
        raise
    return batch


def list_batches(services: "Services", request: Request) -> Response:
    """GET /v1/batches, the newest first if not asked otherwise. Raises APIError."""
    account = authenticate(services, request)
    page = read_page(request, DEFAULT_LISTED, MOST_LISTED)
    found, more = BatchDirectory(services.store.documents).page(
        owner_of(account), page.after, page.limit, newest_first=page.newest_first
    )
    service = batch_service(services)
    return json_response(to_list([to_json(service.with_progress(batch)) for batch in found], has_more=more))


def retrieve(services: "Services", request: Request) -> Response:
    """GET /v1/batches/{id}. Raises APIError."""
    return json_response(to_json(batch_service(services).with_progress(find_batch(services, request))))


def cancel(services: "Services", request: Request) -> Response:
    """POST /v1/batches/{id}/cancel: nothing more is asked, and what was answered is kept. Raises APIError."""
    return json_response(to_json(cancel_batch(services, find_batch(services, request))))


def cancel_batch(services: "Services", batch: Batch) -> Batch:
    """Raises ConflictError where there is nothing to cancel any more."""
    service = batch_service(services)
    directory = service.directory
    while batch.status != CANCELLING:
        if batch.status in (*ENDED, FINALIZING):
            message = f"Cannot cancel a batch with status '{batch.status}'."
            raise ConflictError(message, param="id", code="batch_not_cancellable")
        changed = directory.put(batch.with_fields(status=CANCELLING, cancelling_at=int(time.time())))
        batch = changed or directory.get(batch.owner, batch.id) or batch
    with suppress(StoreUnavailable):  # it is written down, and is seen in a while
        service.cancel(batch)
    return batch


def find_batch(services: "Services", request: Request) -> Batch:
    """A batch of a request's key. Raises NotFoundError."""
    account, batch_id = authenticate(services, request), request.path["id"]
    batch = BatchDirectory(services.store.documents).get(owner_of(account), batch_id)
    if batch is None:
        raise NotFoundError(f"No batch found with id '{batch_id[:64]}'.", param="id", code="batch_not_found")
    return batch


def to_json(batch: Batch) -> JSON:
    """https://platform.openai.com/docs/api-reference/batch/object; `usage.cost` is what was spent so far, in USD."""
    body = batch.body
    read, cached, written, reasoning = body["tokens"]
    shown = {name: body.get(name) for name in SHOWN}  # those of earlier releases have no model
    if batch.status not in HAS_FILES:
        shown |= {"output_file_id": None, "error_file_id": None}
    return {
        "id": batch.id,
        "object": "batch",
        **shown,
        "request_counts": {name: body[name] for name in ("total", "completed", "failed")},
        "metadata": body["metadata"],
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": read + written,
            "cost": to_usd(body["cost_nanousd"]),
        },
        "provider_batches": [part.shown() for part in read_parts(batch)],
    }


def authenticate(services: "Services", request: Request) -> Account:
    """The account of a request's key as it is now. Raises AuthenticationError."""
    return services.accounts.authenticate(request.headers, fresh=True)


def batch_service(services: "Services") -> BatchService:
    """Raises ServiceUnavailableError where there is none."""
    if services.batches is None and services.settings.batch_queue:
        from haimaker.batches.queued import batch_queue

        services.batches = batch_queue(services.settings, services.store)
    if services.batches is None:
        message = "This gateway has no batches. Its deployer has them worked on with the parameter Batches."
        raise ServiceUnavailableError(message, code="no_batches", headers={"x-should-retry": "false"})
    return services.batches


def _require_budget(services: "Services", account: Account) -> None:
    """Raises BudgetExceededError where nothing is left; whether all lines are paid for is seen when they are read."""
    for payer in services.accounts.billed_accounts(account).all():
        balance = services.store.get(payer.id)
        budget = balance.account.budget_nanousd if balance else None
        if balance and budget is not None and balance.spend_nanousd + balance.held_nanousd >= budget:
            message = "You exceeded your current quota: the budget has nothing left for a batch."
            raise BudgetExceededError(message, code="insufficient_quota", type="insufficient_quota")


def _read_metadata(body: JSON) -> JSON | None:
    given = body.get("metadata")
    if given is None:
        return None
    is_right = isinstance(given, dict) and len(given) <= MOST_METADATA
    if not is_right or not all(
        isinstance(value, str) and len(value) <= LONGEST_VALUE and len(name) <= LONGEST_NAME for name, value in given.items()
    ):
        wanted = f"up to {MOST_METADATA} texts of {LONGEST_VALUE} characters, with names of {LONGEST_NAME}"
        raise _invalid("metadata", wanted)
    if given.get(MODE, NOW) not in (NOW, NATIVE):
        raise _invalid(f"metadata.{MODE}", f"'{NOW}' or '{NATIVE}'")
    return dict(given)


def _invalid(param: str, wanted: str) -> BadRequestError:
    return BadRequestError(f"Invalid value for '{param}': it has to be {wanted}.", param=param, code="invalid_value")
