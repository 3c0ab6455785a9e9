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


@pytest.mark.parametrize(("name", "rows"), [("openai", OPENAI), ("mistral", OPENAI), ("anthropic", ANTHROPIC)])
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_answers_are_lines_in_any_pieces(name: str, rows: list[tuple[Any, BatchAnswer | None]], size: int) -> None:
    raw = b"\n\n".join(json.dumps(row, ensure_ascii=False).encode() for row, _ in rows) + b"\nnot json\n[]"
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    found = list(batch_formats.find(name).from_results(pieces, []))
    assert [answer._replace(body=b"") for answer in found] == [wanted for _, wanted in rows if wanted]
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
        ("anthropic", {"data": [{"id": "b1", "created_at": "2026-01-01T00:00:00Z", "request_counts": MADE}]}, "b1"),
        ("anthropic", {"data": [{"id": "b1", "created_at": "1970-01-01T00:00:00Z", "request_counts": MADE}]}, None),
        ("anthropic", {"data": [{"id": "b1", "created_at": "2026-01-01T00:00:00Z", "request_counts": {"processing": 4}}]}, None),
        ("anthropic", {"data": [{"id": "b1", "created_at": "soon", "request_counts": MADE}]}, None),
    ],
)
def test_a_batch_whose_id_was_never_learnt_is_found_in_the_list(name: str, listed: Any, found: str | None) -> None:
    assert batch_formats.find(name).find(listed, "f1", CALL) == found
