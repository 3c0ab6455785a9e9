import json
from typing import Any

import pytest

from haimaker.errors import AuthenticationError
from haimaker.observability import Observer
from haimaker.settlement import Settlement, Trial
from haimaker.store import Hold, Record
from haimaker.usage import Tokens
from tests.support.builders import attempt

ASKED = {
    "operation": "chat",
    "asked_model": "fast",
    "stream": True,
    "user": "u",
    "key_name": "sk-hm-a...z",
    "key_alias": None,
    "tags": [],
}


class Nowhere:
    """A store for records that nobody reads again."""

    def settle(self, hold: Hold, record: Record, tokens: int) -> bool:
        return True


def record() -> Record:
    tried = [
        Trial(attempt("groq/llama-3.3-70b-versatile"), 1.0, 503),
        Trial(attempt(), 1.5, 200, tokens=Tokens(input=10, output=5)),
    ]
    return Settlement(Nowhere(), Hold("req-1", "key#1", 1, 10**9, 0, 1.0, 2), ASKED, 1.0, tried).settle("ok", 2.0)  # type: ignore[arg-type]


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_a_request_is_one_line_in_opentelemetrys_names(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-line").request(record())
    captured = capsys.readouterr()
    [line] = lines(captured.err)
    assert captured.out == ""
    assert line.items() >= {
        "message": "request",
        "service": "test-line",
        "request_id": "req-1",
        "status": "ok",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "fast",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "duration_ms": 1000,
        "cost_estimated": False,
    }.items()  # fmt: skip
    assert line["cost_usd"] == record().detail["cost_usd"] > 0


def test_where_metrics_are_collected_they_are_written_in_the_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    observer = Observer("test-metrics", metrics_on=True)
    observer.request(record())
    observer.refusal("chat", "req-2", AuthenticationError("No."))
    embedded = [line for line in lines(capsys.readouterr().out) if "_aws" in line]
    assert len(embedded) == 2
    assert all(line["operation"] == "chat" and line["service"] == "test-metrics" for line in embedded)
    told = {
        name: embedded[0][name]
        for name in ("Requests", "Errors", "InputTokens", "OutputTokens", "CostUnknown", "Fallbacks", "Latency")
    }
    assert told == {
        "Requests": [1],
        "Errors": [0],
        "InputTokens": [10],
        "OutputTokens": [5],
        "CostUnknown": [0],
        "Fallbacks": [1],
        "Latency": [1000],
    }
    assert {metric["Name"]: metric["Unit"] for metric in embedded[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]}[
        "Latency"
    ] == "Milliseconds"
    assert embedded[1]["Refusals"] == [1]
    assert "InputTokens" not in embedded[1]


def test_a_refusal_is_told_by_its_code_not_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-refusal").refusal("chat", "req-1", AuthenticationError("sk-hm-secret is wrong"))
    [line] = lines(capsys.readouterr().err)
    assert (line["http.response.status_code"], line["error.type"], line["request_id"]) == (401, "invalid_api_key", "req-1")
    assert "secret" not in repr(line)


def test_a_crash_is_told_by_its_place_not_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(prompt: str) -> None:
        raise ValueError(prompt)

    try:
        fails("what a client wrote")
    except ValueError as error:
        Observer("test-crash").crash(error, request_id="req-1")
    [line] = lines(capsys.readouterr().err)
    assert (line["error.type"], line["request_id"], line["level"]) == ("ValueError", "req-1", "ERROR")
    assert line["place"][-1].startswith("test_observability.py:")
    assert "client wrote" not in repr(line)


def test_a_problem_is_an_error_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-problem").problem("the store is gone", request_id="req-1")
    [line] = lines(capsys.readouterr().err)
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "the store is gone", "req-1")
