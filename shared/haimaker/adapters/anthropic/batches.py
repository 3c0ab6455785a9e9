"""Anthropic's batches of messages: the requests come with the call, the answers are lines.

https://platform.claude.com/docs/en/build-with-claude/batch-processing, https://platform.claude.com/docs/en/api/creating-message-batches
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from haimaker.adapters.anthropic.failures import STATUS
from haimaker.adapters.batch_formats import ENDED, LISTED, RUNNING, BatchAnswer, BatchCall, BatchItem, BatchStatus, to_lines
from haimaker.http.json import as_object, as_objects, as_text, read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest

PATH = "/messages/batches"
CLOCKS_DIFFER_S = 60


def to_upload(items: Iterable[BatchItem], call: BatchCall) -> None:
    return None


def read_upload(body: JSON, call: BatchCall) -> str:
    raise KeyError("id")


def to_batch(items: Iterable[BatchItem], file_id: str, call: BatchCall) -> UpstreamRequest:
    requests = b",".join(b'{"custom_id":%s,"params":%s}' % (dumps(item.custom_id), item.body) for item in items)  # type: ignore[arg-type]
    return UpstreamRequest(PATH, b'{"requests":[%s]}' % requests, {"content-type": "application/json"})


def read_batch(body: JSON) -> BatchStatus:
    counts = as_object(body.get("request_counts"))
    has_ended = body["processing_status"] == "ended"
    return BatchStatus(
        str(body["id"]),
        ENDED if has_ended else RUNNING,
        (str(body["id"]),) if has_ended else (),
        _count(counts, "succeeded"),
        sum(_count(counts, name) for name in ("errored", "canceled", "expired")),
    )


def to_status(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{batch_id}", b"", method="GET")


def to_cancel(batch_id: str) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}/{batch_id}/cancel", b"")


def to_list(call: BatchCall) -> UpstreamRequest:
    return UpstreamRequest(f"{PATH}?limit={LISTED}", b"", method="GET")


def find(body: JSON, file_id: str, call: BatchCall) -> str | None:
    """A batch has no name: it is one of as many requests, made since then. Its answers tell by their custom ids whether it is
    ours."""
    for each in reversed(as_objects(body.get("data"))):
        counts = as_object(each.get("request_counts"))
        if sum(_count(counts, name) for name in counts) == call.size and _made_s(each) >= call.begun_s - CLOCKS_DIFFER_S:
            return str(each["id"])
    return None


def to_results(status: BatchStatus) -> Sequence[UpstreamRequest]:
    """The calls that fetch the answers. They go to the provider's own address, not to the one that the batch names."""
    return [UpstreamRequest(f"{PATH}/{batch_id}/results", b"", method="GET") for batch_id in status.results]


def from_results(pieces: Iterable[bytes], custom_ids: Sequence[str]) -> Iterator[BatchAnswer]:
    """https://platform.claude.com/docs/en/api/retrieving-message-batch-results"""
    for line in to_lines(pieces):
        row = as_object(read_or_none(line))
        custom_id, result = as_text(row.get("custom_id")), as_object(row.get("result"))
        if not custom_id:
            continue
        if result.get("type") == "succeeded":
            yield BatchAnswer(custom_id, 200, dumps(as_object(result.get("message"))))
        elif result.get("type") == "errored":
            error = as_object(result.get("error"))
            kind = as_text(as_object(error.get("error")).get("type"))
            # An answer in a batch has the error's type alone.
            yield BatchAnswer(custom_id, STATUS.get(kind, 500), dumps(error))
        else:  # canceled, expired
            yield BatchAnswer(custom_id, None)


def _made_s(batch: JSON) -> float:
    try:
        return datetime.fromisoformat(as_text(batch.get("created_at"))).timestamp()
    except ValueError:
        return 0.0


def _count(counts: JSON, name: str) -> int:
    found = counts.get(name)
    return found if isinstance(found, int) else 0
