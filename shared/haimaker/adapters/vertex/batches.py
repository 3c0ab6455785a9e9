"""Vertex AI's batch predictions, of Gemini and of Claude: lines and answers are objects in a bucket of Cloud Storage.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-from-cloud-storage,
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/batch,
https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs,
https://docs.cloud.google.com/storage/docs/json_api/v1/objects

Rows come back in any order. Those of Claude have a custom id; a request of Gemini, which comes back with its answer, has a label.
What a line of Gemini has besides its request comes back as well, which is on no page.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from haimaker.adapters.batch_formats import (
    ENDED,
    FAILED,
    LISTED,
    RUNNING,
    BatchAnswer,
    BatchCall,
    BatchItem,
    BatchStatus,
    to_lines,
    to_row,
)
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.http.json import as_object, as_objects, as_text, read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

STATES: Mapping[str, BatchState] = {
    "JOB_STATE_SUCCEEDED": ENDED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": ENDED,
    "JOB_STATE_CANCELLED": ENDED,
    "JOB_STATE_EXPIRED": ENDED,
    "JOB_STATE_FAILED": FAILED,
}
"""https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState"""
HOST = "storage"
PATH = "/batchPredictionJobs"
LABEL = "haimaker_line"
"""https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/add-labels-to-api-calls; without a dash, as fields of the
lines become columns: https://docs.cloud.google.com/bigquery/docs/schemas#column_names"""
BUSY = 500


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest:
    lines, has_ids = bytearray(), call.path.startswith("/publishers/anthropic/")
    for item in items:
        if has_ids:
            lines += b'{"custom_id":%s,"request":%s}\n' % (dumps(item.custom_id), item.body)  # type: ignore[arg-type]
            continue
        request = json.loads(item.body)
        request["labels"] = {**as_object(request.get("labels")), LABEL: item.custom_id}
        lines += dumps({"custom_id": item.custom_id, "request": request}) + b"\n"
    bucket, folder = _place(call)
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(f'{folder}/lines.jsonl', safe='')}"
    return UpstreamRequest(path, bytes(lines), {"content-type": "application/jsonl"}, host=HOST)


def read_upload(body: JSON, call: BatchCall) -> str:
    return f"gs://{body['bucket']}/{body['name']}"


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    body = {
        "displayName": call.name,
        "model": call.path.removeprefix("/").partition(":")[0],
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [file_id]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"{file_id.rpartition('/')[0]}/answers"},
        },
    }
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"})


def read_batch(body: JSON) -> BatchStatus:
    """The state that the answer tells. A batch that ended early without any answered line counts as failed."""
    stats = as_object(body.get("completionStats"))
    completed, failed = (_count(stats, name) for name in ("successfulCount", "failedCount"))
    word = as_text(body["state"])
    state = STATES.get(word, RUNNING)
    if state == FAILED and completed:
        state = ENDED
    destination = as_object(as_object(body.get("outputConfig")).get("gcsDestination"))
    error = as_text(as_object(body.get("error")).get("message"))
    results = (str(destination["outputUriPrefix"]),) if state == ENDED else ()
    return BatchStatus(str(body["name"]), state, results, completed, failed, error)


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(_path(batch_id), b"", method="GET")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{_path(batch_id)}:cancel", b"{}", {"content-type": "application/json"})


def to_list(call: BatchCall) -> UpstreamRequest:
    wanted = quote(f'display_name="{call.name}"', safe="")
    return UpstreamRequest(f"{PATH}?pageSize={LISTED}&filter={wanted}", b"", method="GET")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    listed = as_objects(body.get("batchPredictionJobs"))
    return next((str(each["name"]) for each in listed if each.get("displayName") == call.name and "name" in each), None)


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    """The lists of objects in which they are."""
    calls = []
    for uri in status.results:
        bucket, _, folder = uri.removeprefix("gs://").partition("/")
        path = f"/storage/v1/b/{bucket}/o?prefix={quote(f'{folder}/', safe='')}"
        calls.append(UpstreamRequest(path, b"", method="GET", host=HOST))
    return calls


def from_listing(body: bytes, status: BatchStatus) -> Sequence[UpstreamRequest]:
    found = (
        each for each in as_objects(as_object(read_or_none(body)).get("items")) if as_text(each.get("name")).endswith(".jsonl")
    )
    paths = (f"/storage/v1/b/{each['bucket']}/o/{quote(each['name'], safe='')}?alt=media" for each in found)
    return [UpstreamRequest(path, b"", method="GET", host=HOST) for path in paths]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    for row in map(to_row, to_lines(pieces)):
        labels = as_object(as_object(row.get("request")).get("labels"))
        custom_id = as_text(row.get("custom_id")) or as_text(labels.get(LABEL))
        response = as_object(row.get("response"))
        if not custom_id:
            continue
        if response and not response.get("error"):
            yield BatchAnswer(custom_id, 200, dumps(response))
            continue
        yield _to_failure(custom_id, row.get("status"), response)


def _to_failure(custom_id: str, status: object, response: JSON) -> BatchAnswer:
    """Its status is text, in which the error is, as an ordinary request's would be; what does not say why is no refusal."""
    text = status if isinstance(status, str) else as_text(as_object(status).get("message"))
    found = response or as_object(read_or_none(text[text.find("{") :] if "{" in text else ""))
    error = as_object(found.get("error"))
    code = error.get("code")
    if not isinstance(code, int):
        code = 400 if error.get("type") == "invalid_request_error" else BUSY
    return BatchAnswer(custom_id, code if 400 <= code < 600 else BUSY, dumps(found or {"error": {"code": code, "message": text}}))


def _place(call: BatchCall) -> tuple[str, str]:
    """The bucket, and the folder of the batch in it."""
    bucket, _, folder = call.own.bucket.partition("/")
    return bucket, "/".join(filter(None, (folder, call.name)))


def _path(batch_id: str) -> str:
    return f"{PATH}/{batch_id.rpartition('/')[2]}"


def _count(stats: JSON, name: str) -> int:
    """Such as Google writes 64 bits: as text."""
    found = str(stats.get(name) or "")
    return int(found) if found.isdigit() and len(found) < 10 else 0
