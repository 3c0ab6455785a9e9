"""Mistral's batch jobs: a file of lines, and a job of one model. https://docs.mistral.ai/capabilities/batch,
https://docs.mistral.ai/api/endpoint/batch
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from haimaker.adapters.batch_formats import ENDED, FAILED, LISTED, RUNNING, BatchAnswer, BatchCall, BatchItem, BatchStatus
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.adapters.openai import batches as openai_batches
from haimaker.adapters.openai.batches import read_upload
from haimaker.http.json import as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

__all__ = [
    "find",
    "from_results",
    "read_batch",
    "read_upload",
    "to_batch",
    "to_cancel",
    "to_list",
    "to_results",
    "to_status",
    "to_upload",
]

PATH = "/batch/jobs"
STATES: Mapping[str, BatchState] = {"SUCCESS": ENDED, "TIMEOUT_EXCEEDED": ENDED, "CANCELLED": ENDED, "FAILED": FAILED}
TIMEOUT_HOURS = 24


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest:
    """The job names the model, and the lines do not."""
    lines = []
    for item in items:
        body = {name: value for name, value in json.loads(item.body).items() if name != "model"}
        lines.append(dumps({"custom_id": item.custom_id, "body": body}) + b"\n")
    return openai_batches.upload(b"".join(lines), call)


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    body = {
        "input_files": [file_id],
        "model": call.model,
        "endpoint": f"{call.rules.url_prefix}{call.path}",
        "metadata": {"name": call.name},
        "timeout_hours": TIMEOUT_HOURS,
    }
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"})


def read_batch(body: JSON) -> BatchStatus:
    files = tuple(file for name in ("output_file", "error_file") if (file := as_text(body.get(name))))
    state = STATES.get(str(body["status"]), RUNNING)
    if state == FAILED and files:
        state = ENDED  # some of it was done
    errors = " ".join(as_text(each.get("message")) for each in as_objects(body.get("errors")))
    completed, failed = (body.get(name) or 0 for name in ("succeeded_requests", "failed_requests"))
    return BatchStatus(str(body["id"]), state, files, int(completed), int(failed), errors)


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{batch_id}", b"", method="GET")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{batch_id}/cancel", b"")


def to_list(call: BatchCall) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}?page_size={LISTED}&order_by=-created", b"", method="GET")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    listed = as_objects(body.get("data"))
    return next((str(each["id"]) for each in listed if file_id in (each.get("input_files") or ()) and "id" in each), None)


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    return openai_batches.to_results(status)


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    return openai_batches.from_results(pieces, custom_ids)
