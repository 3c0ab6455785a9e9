"""Batches in OpenAI's format, which Azure, Groq and Together take as well: a file of lines, and a batch of it.

https://platform.openai.com/docs/guides/batch, https://platform.openai.com/docs/api-reference/batch,
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch, https://console.groq.com/docs/batch,
https://docs.together.ai/docs/inference/batch/tutorial
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from haimaker.adapters.batch_formats import ENDED, FAILED, LISTED, RUNNING, BatchAnswer, BatchCall, BatchItem, BatchStatus, to_lines
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.http import multipart
from haimaker.http.json import as_object, as_objects, as_text, read_or_none
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

STATES: Mapping[str, BatchState] = {"completed": ENDED, "expired": ENDED, "cancelled": ENDED, "failed": FAILED}
"""…/guides/batch#4-check-the-status-of-a-batch; what is not here goes on. Together writes them in capitals."""
FILE_STATES: Mapping[str, BatchState] = {"processed": ENDED, "error": FAILED, "deleted": FAILED}
UNMADE = ("batch_expired", "batch_cancelled", "server_error", "rate_limit_exceeded", "timeout")
"""Codes of lines without an answer which say nothing against the request."""
REFUSED = 400
JSON_TYPE = {"content-type": "application/json"}


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest:
    head = (
        dumps({"method": "POST", "url": f"{call.rules.url_prefix}{call.path}"})[1:-1] + b"," if call.rules.lines_have_url else b""
    )
    lines = b"".join(b'{"custom_id":%s,%s"body":%s}\n' % (dumps(item.custom_id), head, item.body) for item in items)  # type: ignore[arg-type]
    return upload(lines, call)


def upload(lines: bytes, call: BatchCall) -> UpstreamRequest:
    file = UploadedFile(f"{call.name}.jsonl", "application/jsonl", lines)
    fields = (
        [("purpose", call.rules.purpose), ("file_name", file.name)] if call.rules.upload != "/files" else [("purpose", "batch")]
    )
    if call.rules.files_last_s:
        fields += [(f"expires_after[{name}]", str(value)) for name, value in _expiry(call).items()]
    content_type, body = multipart.encode(fields, [("file", file)])
    return UpstreamRequest(call.rules.upload, body, {"content-type": content_type})


def read_upload(body: JSON, call: BatchCall) -> str:
    return str(body["id"])


def to_readiness(file_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/files/{file_id}", b"", method="GET")


def read_readiness(body: JSON) -> BatchState:
    """https://learn.microsoft.com/rest/api/azureopenai/files/get#filestate"""
    return FILE_STATES.get(as_text(body.get("status")), RUNNING)


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    body: JSON = {"input_file_id": file_id, "endpoint": f"{call.rules.url_prefix}{call.path}", "completion_window": "24h"}
    if call.rules.files_last_s:
        body["output_expires_after"] = _expiry(call)
    return UpstreamRequest("/batches", dumps(body), JSON_TYPE)


def _expiry(call: BatchCall) -> JSON:
    return {"anchor": "created_at", "seconds": call.rules.files_last_s}


def read_batch(body: JSON) -> BatchStatus:
    batch = as_object(body.get("job")) or body  # Together's answer to a new one
    state = STATES.get(str(batch["status"]).lower(), RUNNING)
    counts = as_object(batch.get("request_counts"))
    files = tuple(file for name in ("output_file_id", "error_file_id") if (file := as_text(batch.get(name))))
    data = as_object(batch.get("errors")).get("data")  # Azure's page has the object itself in the place of a list of them
    errors = [as_text(each.get("message")) for each in (as_objects(data) or [as_object(data)])]
    return BatchStatus(
        str(batch["id"]),
        state,
        files,
        completed=_count(counts, "completed"),
        failed=_count(counts, "failed"),
        error=" ".join(filter(None, (*errors, as_text(batch.get("error"))))),
    )


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/batches/{batch_id}", b"", method="GET")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/batches/{batch_id}/cancel", b"")


def to_list(call: BatchCall) -> UpstreamRequest:
    return UpstreamRequest(f"/batches?limit={LISTED}", b"", method="GET")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    listed = as_objects(body.get("data"))
    return next((str(each["id"]) for each in listed if each.get("input_file_id") == file_id and "id" in each), None)


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    return [UpstreamRequest(f"/files/{file_id}/content", b"", method="GET") for file_id in status.results]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    """…/api-reference/batch/request-output"""
    for line in to_lines(pieces):
        row = as_object(read_or_none(line))
        custom_id, response, error = as_text(row.get("custom_id")), as_object(row.get("response")), as_object(row.get("error"))
        status = response.get("status_code")
        if not custom_id:
            continue
        if isinstance(status, int) and "body" in response:
            body = response["body"]  # Mistral's of a failure is JSON in a text
            yield BatchAnswer(custom_id, status, body.encode() if isinstance(body, str) else dumps(body))
        elif error and error.get("code") not in UNMADE:
            yield BatchAnswer(custom_id, REFUSED, dumps({"error": error}))
        else:
            yield BatchAnswer(custom_id, None)


def _count(counts: JSON, name: str) -> int:
    found = counts.get(name)
    return found if isinstance(found, int) else 0
