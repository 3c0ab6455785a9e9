"""Gemini's batches: the requests come with the call, and their answers with the batch when it has ended.

https://ai.google.dev/gemini-api/docs/batch-api, https://ai.google.dev/api/batch-api
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from haimaker.adapters.batch_formats import ENDED, FAILED, LISTED, RUNNING, BatchAnswer, BatchCall, BatchItem, BatchStatus
from haimaker.adapters.batch_formats import State as BatchState
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

STATES: Mapping[str, BatchState] = {"SUCCEEDED": ENDED, "CANCELLED": ENDED, "EXPIRED": ENDED, "FAILED": FAILED}
"""…/api/batch-api#BatchState, after `BATCH_STATE_`; older answers have `JOB_STATE_`."""
STATUS: Mapping[int, int] = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 12: 501, 13: 500, 14: 503, 16: 401}
"""https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto: an answer in a batch has the code alone."""


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> None:
    return None


def read_upload(body: JSON, call: BatchCall) -> str:
    raise KeyError("name")


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    requests = b",".join(
        b'{"request":%s,"metadata":{"key":%s}}' % (item.body, dumps(item.custom_id))  # type: ignore[arg-type]
        for item in items
    )
    name = dumps(call.name)  # type: ignore[arg-type]
    body = b'{"batch":{"displayName":%s,"inputConfig":{"requests":{"requests":[%s]}}}}' % (name, requests)
    path = call.path.replace(":generateContent", ":batchGenerateContent")
    return UpstreamRequest(path, body, {"content-type": "application/json"})


def read_batch(body: JSON) -> BatchStatus:
    """An operation, whose metadata is the batch."""
    name, batch = str(body["name"]), as_object(body.get("metadata"))
    word = as_text(batch.get("state")).rpartition("STATE_")[2]
    state = STATES.get(word, RUNNING)
    error = as_text(as_object(body.get("error")).get("message"))
    if state == RUNNING and body.get("done"):
        state = FAILED if body.get("error") else ENDED
    stats = as_object(batch.get("batchStats"))
    completed, failed = (_count(stats, name) for name in ("successfulRequestCount", "failedRequestCount"))
    return BatchStatus(name, state, (name,) if state == ENDED else (), completed, failed, error)


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/{batch_id}", b"", method="GET")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"/{batch_id}:cancel", b"")


def to_list(call: BatchCall) -> UpstreamRequest:
    return UpstreamRequest(f"/batches?pageSize={LISTED}", b"", method="GET")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    listed = as_objects(body.get("operations"))
    named = (each for each in listed if as_object(each.get("metadata")).get("displayName") == call.name)
    return next((str(each["name"]) for each in named if "name" in each), None)


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    return [to_status(name) for name in status.results]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    """The answers. Where one does not tell the key of its request, it is that of the same place:
    https://discuss.ai.google.dev/t/gemini-batch-api-doesnt-return-the-user-metadata-back/112386"""
    body = as_object(json.loads(b"".join(pieces)))  # of more values than any request may have
    output = as_object(body.get("response")) or as_object(as_object(body.get("metadata")).get("output"))
    listed = as_object(output.get("inlinedResponses")).get("inlinedResponses")
    for number, each in enumerate(as_objects(listed)):
        custom_id = as_text(as_object(each.get("metadata")).get("key")) or (custom_ids[number] if number < len(custom_ids) else "")
        if isinstance(each.get("response"), dict):
            yield BatchAnswer(custom_id, 200, dumps(each["response"]))
            continue
        error = as_object(each.get("error"))
        code = error.get("code")
        status = STATUS.get(code, code) if isinstance(code, int) else 500
        if code == 1:  # cancelled
            yield BatchAnswer(custom_id, None)
        else:
            yield BatchAnswer(
                custom_id, status if 400 <= status < 600 else 500, json.dumps({"error": {**error, "code": status}}).encode()
            )


def _count(stats: JSON, name: str) -> int:
    """Such as Google writes 64 bits: as text."""
    found = str(stats.get(name) or "")
    return int(found) if found.isdigit() and len(found) < 10 else 0
