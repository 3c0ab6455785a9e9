"""Fireworks' batch inference jobs: a dataset of lines, a job of one model, and a dataset of answers.

https://docs.fireworks.ai/guides/batch-inference, https://docs.fireworks.ai/api-reference/create-batch-inference-job,
…/create-dataset, …/upload-dataset-files, …/get-dataset-download-endpoint. A job can't be cancelled, only deleted. A row of answers
is the bare completion: https://github.com/oumi-ai/oumi/blob/main/src/oumi/inference/fireworks_inference_engine.py
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from haimaker.adapters.batch_formats import (
    ENDED,
    FAILED,
    LINK,
    RUNNING,
    BatchAnswer,
    BatchCall,
    BatchItem,
    BatchStatus,
    to_lines,
    to_row,
)
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.http import multipart
from haimaker.http.json import as_object, as_text, read_or_none
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

STATES: Mapping[str, BatchState] = {
    "COMPLETED": ENDED,
    "EARLY_STOPPED": ENDED,
    "EXPIRED": ENDED,
    "CANCELLED": ENDED,
    "DELETING": ENDED,
    "DELETING_CLEANING_UP": ENDED,
    "FAILED": FAILED,
}
"""…/get-batch-inference-job, after `JOB_STATE_`; what is not here goes on."""
HOST = "control"
READY = "READY"


def to_preparation(call: BatchCall) -> UpstreamRequest:
    body = {"datasetId": _name(call), "dataset": {"userUploaded": {}, "exampleCount": str(call.size)}}
    return _post(f"{_account(call)}/datasets", body)


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest:
    """The job names the model, and the lines do not."""
    lines = bytearray()
    for item in items:
        body = {name: value for name, value in json.loads(item.body).items() if name != "model"}
        lines += dumps({"custom_id": item.custom_id, "body": body}) + b"\n"
    file = UploadedFile(f"{_name(call)}.jsonl", "application/jsonl", bytes(lines))
    content_type, form = multipart.encode([], [("file", file)])
    return UpstreamRequest(f"/{_dataset(call)}:upload", form, {"content-type": content_type}, host=HOST)


def read_upload(body: JSON, call: BatchCall) -> str:
    return _dataset(call)


def to_readiness(file_id: str) -> UpstreamRequest:
    return _get(f"/{file_id}")


def read_readiness(body: JSON) -> BatchState:
    return ENDED if body.get("state") == READY else RUNNING


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    body = {"model": call.model, "inputDatasetId": file_id, "outputDatasetId": _answers(file_id), "displayName": _name(call)}
    return _post(f"{_account(call)}/batchInferenceJobs?batchInferenceJobId={_name(call)}", body)


def read_batch(body: JSON) -> BatchStatus:
    """The state that the answer tells. A batch that ended early without any answered line counts as failed."""
    name, progress = str(body["name"]), as_object(body.get("jobProgress"))
    state = STATES.get(as_text(body.get("state")).removeprefix("JOB_STATE_"), RUNNING)
    completed, failed = (_count(progress, field) for field in ("successfullyProcessedRequests", "failedRequests"))
    if state == ENDED and not completed and not failed and body.get("state") != "JOB_STATE_COMPLETED":
        state = FAILED
    error = as_text(as_object(body.get("status")).get("message"))
    return BatchStatus(name, state, (str(body["outputDatasetId"]),) if state == ENDED else (), completed, failed, error)


def to_status(batch_id: str) -> UpstreamRequest:
    return _get(f"/{batch_id}")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/{batch_id}", b"", method="DELETE", host=HOST)


def after_deletion(batch_id: str, completed: int) -> BatchStatus:
    """Its answers are in a dataset of their own, which stays."""
    answers = _answers(batch_id.replace("/batchInferenceJobs/", "/datasets/"))
    return BatchStatus(batch_id, ENDED if completed else FAILED, (answers,) if completed else (), completed)


def to_list(call: BatchCall) -> UpstreamRequest:
    return _get(f"{_account(call)}/batchInferenceJobs/{_name(call)}")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    return as_text(body.get("name")) if body.get("inputDatasetId") == file_id else None


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    return [_get(f"/{dataset}:getDownloadEndpoint") for dataset in status.results]


def from_listing(body: bytes, status: BatchStatus) -> Sequence[UpstreamRequest]:
    """Links to the answers and to the failures, which hold for ten minutes."""
    links = as_object(as_object(read_or_none(body)).get("filenameToSignedUrls"))
    return [UpstreamRequest(link, b"", method="GET", host=LINK) for link in links.values() if isinstance(link, str)]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    """How a failure is written is on no page: one that has no status of a refusal says nothing against its line."""
    for row in map(to_row, to_lines(pieces)):
        custom_id, response = as_text(row.get("custom_id")), as_object(row.get("response"))
        if not custom_id:
            continue
        if "choices" in response:
            yield BatchAnswer(custom_id, 200, dumps(response))
            continue
        error = as_object(row.get("error")) or as_object(response.get("error"))
        code = next((each for each in (error.get("code"), row.get("status_code"), error.get("status")) if isinstance(each, int)), 0)
        yield BatchAnswer(custom_id, code, dumps({"error": error})) if 400 <= code < 500 else BatchAnswer(custom_id, None)


def _name(call: BatchCall) -> str:
    return f"haimaker-{call.name}"


def _account(call: BatchCall) -> str:
    return f"/accounts/{quote(call.own.account, safe='')}"


def _dataset(call: BatchCall) -> str:
    return f"accounts/{quote(call.own.account, safe='')}/datasets/{_name(call)}"


def _answers(dataset: str) -> str:
    return f"{dataset}-answers"


def _get(path: str) -> UpstreamRequest:
    return UpstreamRequest(path, b"", method="GET", host=HOST)


def _post(path: str, body: JSON) -> UpstreamRequest:
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, host=HOST)


def _count(progress: JSON, name: str) -> int:
    found = progress.get(name)
    return found if isinstance(found, int) else 0
