"""The answers of providers' batches are read in whatever pieces they come, and what is none is nobody's answer."""

import json
from typing import Any

import pytest

from haimaker.adapters import batch_formats
from haimaker.adapters.batch_formats import BatchAnswer, BatchCall
from haimaker.providers.provider import NativeBatches

OK: dict[str, Any] = {"choices": [{"message": {"content": "é\u2028"}}]}
BAD = {"error": {"message": "no"}}
OPENAI = [
    ({"custom_id": "a-1", "response": {"status_code": 200, "body": OK}, "error": None}, BatchAnswer("a-1", 200)),
    ({"custom_id": "a-2", "response": {"status_code": 400, "body": BAD}, "error": None}, BatchAnswer("a-2", 400)),
    ({"custom_id": "a-3", "response": None, "error": {"code": "batch_expired", "message": "late"}}, BatchAnswer("a-3", None)),
    ({"custom_id": "a-4", "response": None, "error": {"code": "invalid_request", "message": "no"}}, BatchAnswer("a-4", 400)),
    ({"custom_id": "a-5", "response": None, "error": None}, BatchAnswer("a-5", None)),
    ({"custom_id": "a-6", "response": {"status_code": 400, "body": json.dumps(BAD)}, "error": None}, BatchAnswer("a-6", 400)),
    ({"custom_id": 6, "response": {"status_code": 200, "body": OK}}, None),
    ({"response": {"status_code": 200, "body": OK}}, None),
]
ANTHROPIC = [
    ({"custom_id": "a-1", "result": {"type": "succeeded", "message": OK}}, BatchAnswer("a-1", 200)),
    (
        {"custom_id": "a-2", "result": {"type": "errored", "error": {"error": {"type": "invalid_request_error"}}}},
        BatchAnswer("a-2", 400),
    ),
    (
        {"custom_id": "a-3", "result": {"type": "errored", "error": {"error": {"type": "overloaded_error"}}}},
        BatchAnswer("a-3", 529),
    ),
    ({"custom_id": "a-4", "result": {"type": "errored", "error": {"error": {"type": "new"}}}}, BatchAnswer("a-4", 500)),
    ({"custom_id": "a-5", "result": {"type": "canceled"}}, BatchAnswer("a-5", None)),
    ({"custom_id": "a-6", "result": {"type": "expired"}}, BatchAnswer("a-6", None)),
    ({"result": {"type": "expired"}}, None),
]

FIREWORKS = [
    ({"custom_id": "a-1", "response": OK}, BatchAnswer("a-1", 200)),
    ({"custom_id": "a-2", "error": {"code": 400, "message": "no"}}, BatchAnswer("a-2", 400)),
    ({"custom_id": "a-3", "response": {"error": {"code": 422}}}, BatchAnswer("a-3", 422)),
    ({"custom_id": "a-4", "error": "no"}, BatchAnswer("a-4", None)),
    ({"custom_id": "a-5", "error": {"code": 503}}, BatchAnswer("a-5", None)),
    ({"response": OK}, None),
]
BAD_REQUEST = 'Bad Request: {"error": {"code": 400, "message": "no"}}'
GEMINI = [
    ({"request": {"labels": {"haimaker_line": "a-1"}}, "status": "", "response": OK}, BatchAnswer("a-1", 200)),
    ({"request": {"labels": {"haimaker_line": "a-2"}}, "status": BAD_REQUEST, "response": {}}, BatchAnswer("a-2", 400)),
    ({"request": {"labels": {"haimaker_line": "a-3"}}, "status": "Internal", "response": {}}, BatchAnswer("a-3", 500)),
    ({"custom_id": "a-4", "request": {}, "status": "", "response": OK}, BatchAnswer("a-4", 200)),
    ({"custom_id": "a-5", "response": {"type": "error", "error": {"type": "invalid_request_error"}}}, BatchAnswer("a-5", 400)),
    ({"custom_id": "a-6", "response": {"type": "error", "error": {"type": "api_error"}}}, BatchAnswer("a-6", 500)),
    ({"custom_id": "a-7", "status": {"message": "later {"}}, BatchAnswer("a-7", 500)),
    ({"request": {"labels": "none"}, "response": OK}, None),
]
BEDROCK = [
    ({"recordId": "a-1", "modelInput": {}, "modelOutput": OK}, BatchAnswer("a-1", 200)),
    ({"recordId": "a-2", "error": {"errorCode": 400, "errorMessage": "bad request"}}, BatchAnswer("a-2", 400)),
    ({"recordId": "a-3", "error": {"errorCode": "x"}}, BatchAnswer("a-3", 500)),
    ({"recordId": "a-4"}, BatchAnswer("a-4", None)),
    ({"modelOutput": OK}, None),
]
ROWS = {
    "openai": OPENAI,
    "mistral": OPENAI,
    "anthropic": ANTHROPIC,
    "fireworks": FIREWORKS,
    "vertex": GEMINI,
    "bedrock": BEDROCK,
}


@pytest.mark.parametrize(("name", "rows"), ROWS.items())
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_answers_are_lines_in_any_pieces(name: str, rows: list[tuple[Any, BatchAnswer | None]], size: int) -> None:
    raw = b"\n\n".join(json.dumps(row, ensure_ascii=False).encode() for row, _ in rows) + b"\nnot json\n[]"
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    found = list(batch_formats.find(name).from_results(pieces, []))
    assert [answer._replace(body=b"") for answer in found] == [wanted for _, wanted in rows if wanted]
    assert [json.loads(answer.body)["error"]["message"] for answer in found if answer.status == 400 and name == "mistral"] in (
        [],
        ["no", "no", "no"],
    )
    assert json.loads(found[0].body) == OK


CALL = BatchCall("a" * 16, "/chat/completions", "m", NativeBatches("openai", ()), 3, 1_000.0)
MADE = {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


@pytest.mark.parametrize(
    ("name", "listed", "found"),
    [
        ("openai", {"data": [{"id": "b1", "input_file_id": "f0"}, {"id": "b2", "input_file_id": "f1"}]}, "b2"),
        ("openai", {"data": [{"id": "b1", "input_file_id": "f0"}]}, None),
        ("openai", {"data": "none"}, None),
        ("mistral", {"data": [{"id": "b1", "input_files": None}, {"id": "b2", "input_files": ["f1"]}]}, "b2"),
        ("gemini", {"operations": [{"name": "batches/1", "metadata": {"displayName": "a" * 16}}]}, "batches/1"),
        ("gemini", {}, None),
        (
            "fireworks",
            {"name": "accounts/a/batchInferenceJobs/haimaker-b", "inputDatasetId": "f1"},
            "accounts/a/batchInferenceJobs/haimaker-b",
        ),
        ("fireworks", {"name": "accounts/a/batchInferenceJobs/haimaker-b", "inputDatasetId": "f0"}, None),
        ("vertex", {"batchPredictionJobs": [{"name": "p/1", "displayName": "b"}, {"name": "p/2", "displayName": "a" * 16}]}, "p/2"),
        ("vertex", {}, None),
        ("bedrock", {"invocationJobSummaries": [{"jobArn": "arn:1", "jobName": f"haimaker-{'a' * 16}"}]}, "arn:1"),
        ("bedrock", {"invocationJobSummaries": [{"jobArn": "arn:1", "jobName": f"haimaker-{'a' * 16}-2"}]}, None),
        ("anthropic", {"data": [{"id": "b1", "created_at": "2026-01-01T00:00:00Z", "request_counts": MADE}]}, "b1"),
        ("anthropic", {"data": [{"id": "b1", "created_at": "1970-01-01T00:00:00Z", "request_counts": MADE}]}, None),
        ("anthropic", {"data": [{"id": "b1", "created_at": "2026-01-01T00:00:00Z", "request_counts": {"processing": 4}}]}, None),
        ("anthropic", {"data": [{"id": "b1", "created_at": "soon", "request_counts": MADE}]}, None),
    ],
)
def test_a_batch_whose_id_was_never_learnt_is_found_in_the_list(name: str, listed: Any, found: str | None) -> None:
    assert batch_formats.find(name).find(listed, "f1", CALL) == found


@pytest.mark.parametrize(
    ("name", "body", "state", "results"),
    [
        ("fireworks", {"state": "JOB_STATE_WRITING_RESULTS"}, "running", ()),
        ("fireworks", {"state": "JOB_STATE_COMPLETED"}, "ended", ("out",)),
        ("fireworks", {"state": "JOB_STATE_EXPIRED"}, "failed", ()),
        ("fireworks", {"state": "JOB_STATE_EXPIRED", "jobProgress": {"successfullyProcessedRequests": 1}}, "ended", ("out",)),
        ("fireworks", {"state": "JOB_STATE_FAILED"}, "failed", ()),
        ("vertex", {"state": "JOB_STATE_QUEUED"}, "running", ()),
        ("vertex", {"state": "JOB_STATE_PARTIALLY_SUCCEEDED"}, "ended", ("gs://b/out",)),
        ("vertex", {"state": "JOB_STATE_FAILED"}, "failed", ()),
        ("vertex", {"state": "JOB_STATE_FAILED", "completionStats": {"successfulCount": "2"}}, "ended", ("gs://b/out",)),
        ("bedrock", {"status": "Stopping"}, "running", ()),
        ("bedrock", {}, "running", ()),
        ("bedrock", {"status": "PartiallyCompleted"}, "ended", ("s3://b/out/",)),
        ("bedrock", {"status": "Expired"}, "failed", ()),
        ("bedrock", {"status": "Failed", "successRecordCount": 3}, "ended", ("s3://b/out/",)),
    ],
)
def test_a_batch_that_did_something_is_read_however_it_ended(name: str, body: Any, state: str, results: tuple[str, ...]) -> None:
    told = {
        "fireworks": {"name": "id", "outputDatasetId": "out"},
        "vertex": {"name": "id", "outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://b/out"}}},
        "bedrock": {"jobArn": "id", "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://b/out/"}}},
    }
    status = batch_formats.find(name).read_batch({**told[name], **body})
    assert (status.id, status.state, status.results) == ("id", state, results)
