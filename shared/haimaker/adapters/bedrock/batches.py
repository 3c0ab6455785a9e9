"""Bedrock's batch inference: lines and answers are objects in a bucket of S3, which Bedrock reads and writes as a role.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html, …/batch-inference-data.html,
…/batch-inference-results.html, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, …/API_ListObjectsV2.html
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from haimaker.adapters.batch_formats import (
    ENDED,
    FAILED,
    RUNNING,
    BatchAnswer,
    BatchCall,
    BatchItem,
    BatchStatus,
    to_lines,
    to_row,
)
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

STATES: Mapping[str, BatchState] = {
    "Completed": ENDED,
    "PartiallyCompleted": ENDED,
    "Stopped": ENDED,
    "Failed": FAILED,
    "Expired": FAILED,
}
"""…/API_GetModelInvocationJob.html; what has expired did not begin."""
CONTROL, STORAGE = "control", "storage"
PATH = "/model-invocation-job"
HOURS = 24
BUSY = 500
KEY = re.compile(rb"<Key>([^<]+\.jsonl\.out)</Key>")


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> UpstreamRequest:
    lines = b"".join(
        b'{"recordId":%s,"modelInput":%s}\n' % (dumps(item.custom_id), item.body)  # type: ignore[arg-type]
        for item in items
    )
    return _at_storage("PUT", f"{_folder(call)}/lines.jsonl", lines)


def read_upload(body: JSON, call: BatchCall) -> str:
    return f"s3://{_folder(call)}/lines.jsonl"


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    """The token makes it one job, however often it is asked for."""
    body = {
        "jobName": f"haimaker-{call.name}",
        "clientRequestToken": call.name,
        "roleArn": call.own.role,
        "modelId": call.model,
        "modelInvocationType": "Converse" if call.path.endswith("/converse") else "InvokeModel",
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": file_id}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"{file_id.rpartition('/')[0]}/answers/"}},
        "timeoutDurationInHours": HOURS,
    }
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, host=CONTROL)


def read_batch(body: JSON) -> BatchStatus:
    """The answer to a new one has its name alone."""
    state = STATES.get(as_text(body.get("status")), RUNNING)
    completed, failed = (_count(body, name) for name in ("successRecordCount", "errorRecordCount"))
    if state == FAILED and completed:
        state = ENDED
    place = as_object(as_object(body.get("outputDataConfig")).get("s3OutputDataConfig"))
    results = (str(place["s3Uri"]),) if state == ENDED else ()
    return BatchStatus(str(body["jobArn"]), state, results, completed, failed, as_text(body.get("message")))


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{quote(batch_id, safe='')}", b"", method="GET", host=CONTROL)


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{quote(batch_id, safe='')}/stop", b"", host=CONTROL)


def to_list(call: BatchCall) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}s?nameContains=haimaker-{call.name}", b"", method="GET", host=CONTROL)


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    listed = as_objects(body.get("invocationJobSummaries"))
    return next(
        (str(each["jobArn"]) for each in listed if each.get("jobName") == f"haimaker-{call.name}" and "jobArn" in each), None
    )


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    """The lists of objects in which they are."""
    calls = []
    for uri in status.results:
        bucket, _, folder = uri.removeprefix("s3://").partition("/")
        calls.append(_at_storage("GET", f"{bucket}?list-type=2&prefix={quote(folder, safe='')}"))
    return calls


def from_listing(body: bytes, status: BatchStatus) -> Sequence[UpstreamRequest]:
    bucket = status.results[0].removeprefix("s3://").partition("/")[0]
    return [_at_storage("GET", f"{bucket}/{quote(key.decode(), safe='/')}") for key in KEY.findall(body)]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    """…/batch-inference-results.html"""
    for row in map(to_row, to_lines(pieces)):
        custom_id, error = as_text(row.get("recordId")), as_object(row.get("error"))
        if not custom_id:
            continue
        if isinstance(row.get("modelOutput"), dict):
            yield BatchAnswer(custom_id, 200, dumps(row["modelOutput"]))
        elif error:
            code = error.get("errorCode")
            status = code if isinstance(code, int) and 400 <= code < 600 else BUSY
            yield BatchAnswer(custom_id, status, dumps({"message": as_text(error.get("errorMessage"))}))
        else:
            yield BatchAnswer(custom_id, None)


def _folder(call: BatchCall) -> str:
    """The bucket, and the folder of the batch in it."""
    return f"{call.own.bucket}/{call.name}"


def _at_storage(method: str, path: str, body: bytes = b"") -> UpstreamRequest:
    headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    return UpstreamRequest(f"/{path}", body, headers, method=method, host=STORAGE)


def _count(body: JSON, name: str) -> int:
    found = body.get(name)
    return found if isinstance(found, int) else 0
