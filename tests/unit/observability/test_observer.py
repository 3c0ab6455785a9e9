import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.http.errors import APIError, AuthenticationError
from haimaker.observability import metrics
from haimaker.observability.observer import Observer
from haimaker.operations.operation import TELEMETRY_NAMES
from haimaker.providers import registry
from haimaker.store import BudgetAlert
from tests.support.builders import record


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def metrics_of(line: dict[str, Any]) -> dict[str, float]:
    """As CloudWatch reads them; each has to have its dimensions in the line."""
    directives = line["_aws"]["CloudWatchMetrics"]
    assert all(directive["Namespace"] == "haimaker" for directive in directives)
    assert all(isinstance(line[name], str) for directive in directives for some in directive["Dimensions"] for name in some)
    assert abs(line["_aws"]["Timestamp"] - 1.8e12) < 1e12, "milliseconds"
    return {metric["Name"]: line[metric["Name"]] for metric in directives[0]["Metrics"]}


def test_a_request_is_one_line_in_opentelemetrys_names(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-line").request(record())
    captured = capsys.readouterr()
    [line] = lines(captured.err)
    assert captured.out == ""
    assert line.items() >= {
        "message": "request",
        "service": "test-line",
        "operation": "chat",
        "request_id": "req-1",
        "status": "ok",
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "fast",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.response.time_to_first_chunk": 0.55,
        "gen_ai.usage.input_tokens": 15,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "duration_ms": 1000,
        "first_token_ms": 600,
        "cost_estimated": False,
    }.items()  # fmt: skip
    assert line["cost_usd"] == record().detail["cost_usd"] > 0
    assert [tried["first_byte_ms"] for tried in line["attempts"]] == [None, 40]
    assert "_aws" not in line
    assert not {"error.type", "key_alias", "user", "tags"} & line.keys(), "what is not known is left out, and who the user is"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://man7.org/linux/man-pages/man4/full.4.html"""
    with open("/dev/full", "w", buffering=1) as full:
        with pytest.raises(OSError, match="No space"):
            full.write("a line\n")
        monkeypatch.setattr("sys.stderr", full)
        Observer("test-full").request(record())
        with suppress(OSError):
            full.close()
    Observer("test-closed").error("nobody reads it")


def test_the_guide_shows_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text("utf-8")
    [shown] = [json.loads(line) for line in guide.splitlines() if line.startswith('{"level"')]
    Observer("test-guide").request(record())
    [line] = lines(capsys.readouterr().err)
    exclusions = {
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
    }
    assert [*shown] == [name for name in line if name not in exclusions], "which are there when they are not zero"
    assert [[*tried] for tried in shown["attempts"]] == [[*tried] for tried in line["attempts"]]
    [query] = re.findall(r"^filter message = .*$", guide, re.MULTILINE)
    assert {"provider", "cost_usd", "first_token_ms", "model"} <= set(re.findall(r"\w+", query)) & line.keys()


@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        ("bedrock", "aws.bedrock"),
        ("azure", "azure.ai.openai"),
        ("gemini", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("mistral", "mistral_ai"),
        ("xai", "x_ai"),
        ("together_ai", "together_ai"),
    ],
)
def test_providers_have_opentelemetrys_names_where_it_has_them(capsys: pytest.CaptureFixture[str], prefix: str, told: str) -> None:
    assert prefix in registry.NAMES
    Observer(f"test-{prefix}").request(record(target=f"{prefix}/a-model"))
    [line] = lines(capsys.readouterr().err)
    assert (line["gen_ai.provider.name"], line["provider"]) == (told, prefix)


def test_only_operations_have_other_names() -> None:
    assert TELEMETRY_NAMES.keys() <= MODEL_OPERATIONS.keys()


def test_where_metrics_are_collected_the_line_holds_them(capsys: pytest.CaptureFixture[str]) -> None:
    observer = Observer("test-metrics", metrics_on=True)
    observer.request(record())
    observer.denied("chat_completions", "req-2", AuthenticationError("No."))
    served, refused = lines(capsys.readouterr().out)
    assert metrics_of(served) == {
        "Requests": 1,
        "Latency": 1000,
        "TimeToFirstToken": 600,
        "InputTokens": 15,
        "OutputTokens": 9,
        "CachedTokens": 3,
        "CostUsd": served["cost_usd"],
        "Fallbacks": 1,
        "ColdStarts": 1,
    }
    assert metrics_of(refused) == {"Requests": 1, "Errors": 1, "KeyErrors": 1}
    assert served["_aws"]["CloudWatchMetrics"][1] == {
        "Namespace": "haimaker",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Requests", "Unit": "Count"}, {"Name": "CostUsd", "Unit": "None"}],
    }
    for line in (served, refused):
        assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "operation"]]
        assert (line["service"], line["operation"]) == ("test-metrics", "chat")


def test_holds_that_were_lost_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-lost", metrics_on=True).reservations_lost(3)
    [line] = lines(capsys.readouterr().out)
    assert metrics_of(line) == {"HoldsLost": 3, "ColdStarts": 1}
    assert line["level"] == "ERROR"


def test_a_soft_budget_that_was_crossed_is_told_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-soft", metrics_on=True).budget_alert(BudgetAlert("team#growth", 5 * 10**9, 10**9))
    [line] = lines(capsys.readouterr().out)
    assert metrics_of(line) == {"SoftBudgetsCrossed": 1, "ColdStarts": 1}
    assert (line["message"], line["account"]) == ("soft budget crossed", "team#growth")
    assert (line["spend_usd"], line["soft_budget_usd"]) == (5.0, 1.0)


def test_a_part_of_a_budget_is_told_to_the_log_and_to_the_webhook(capsys: pytest.CaptureFixture[str]) -> None:
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        observer = Observer("test-parts", metrics_on=True, alert_webhook=f"http://127.0.0.1:{server.server_port}/alerts")
        observer.budget_alert(BudgetAlert("key#1", 9 * 10**8, 8 * 10**8, 80, 1_798_761_600), "ada")
        observer.budget_alert(BudgetAlert("team#growth", 5 * 10**9, 10**9))
        observer.reservations_lost(3)
        observer.circuit_opened("groq/a", 1_798_761_600)
        gone_s = time.monotonic() + 10
        while len(received) < 4 and time.monotonic() < gone_s:
            time.sleep(0.01)
        server.shutdown()
    line, _, _, opened = lines(capsys.readouterr().out)
    assert (opened["message"], opened["target"]) == ("circuit opened", "groq/a")
    assert metrics_of(line) == {"BudgetPartsSpent": 1, "ColdStarts": 1}
    assert (line["message"], line["budget_percent"], line["reached_usd"]) == ("budget part spent", 80, 0.8)
    told = [json.loads(body) for body in received]
    assert [body["text"] for body in told[1:]] == [
        "The team growth has spent $5.00: its soft budget, $1.00, is reached.",
        "3 requests were lost, and charged in full: haimaker reconcile proves what they cost.",
        "groq/a keeps failing: until 00:00:00 UTC others are asked before it, where there are others.",
    ]
    assert [body["event"] for body in told[1:]] == ["soft_budget_crossed", "reservations_lost", "circuit_opened"]
    assert told[:1] == [
        {
            "text": "The key ada has spent $0.90: 80 % of its budget, $0.80, is reached. It is renewed 2027-01-01.",
            "account_name": "ada",
            "event": "budget_threshold_crossed",
            "account": "key#1",
            "percent": 80,
            "threshold": 0.8,
            "spend": 0.9,
            "budget_reset_at": "2027-01-01T00:00:00+00:00",
        }
    ]


MADE_UP = APIError("No such model.", status=404, code="model_not_found")


@pytest.mark.parametrize(
    ("by", "tell", "dimensions"),
    [
        ("none", lambda seen: seen.request(record()), []),
        ("provider", lambda seen: seen.request(record()), [["provider"]]),
        ("model", lambda seen: seen.request(record()), [["provider", "model"]]),
        ("model", lambda seen: seen.request(record("error", MADE_UP)), []),
        ("model", lambda seen: seen.request(record("error", APIError("", status=502))), [["provider", "model"]]),
        ("model", lambda seen: seen.denied("completions", "req-1", AuthenticationError("No.")), []),
    ],
)
def test_providers_and_models_are_dimensions_on_request(
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    by: str,
    tell: Callable[[Observer], None],
    dimensions: list[list[str]],
) -> None:
    """But no name that a client made up, which would cost."""
    tell(Observer(request.node.name, True, metrics.BY_PROVIDER[by]))
    [line] = lines(capsys.readouterr().out)
    told = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert told == [["service", "operation"], *(["service", "operation", *further] for further in dimensions)]
    assert all(line[name] for some in dimensions for name in some)


def test_a_refusal_is_told_by_its_code_not_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-refusal").denied("chat_completions", "req-1", AuthenticationError("sk-hm-secret is wrong"))
    [line] = lines(capsys.readouterr().err)
    assert (line["http.response.status_code"], line["error.type"], line["request_id"]) == (401, "invalid_api_key", "req-1")
    assert "secret" not in repr(line)


def test_a_crash_is_told_by_its_place_not_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(prompt: str) -> None:
        raise ValueError(prompt)

    try:
        fails("what a client wrote")
    except ValueError as error:
        Observer("test-crash").exception(error, request_id="req-1")
    [line] = lines(capsys.readouterr().err)
    assert (line["error.type"], line["request_id"], line["level"]) == ("ValueError", "req-1", "ERROR")
    assert line["place"][-1].startswith("test_observer.py:")
    assert "client wrote" not in repr(line)


def test_a_problem_is_an_error_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Observer("test-problem").error("the store is gone", request_id="req-1")
    [line] = lines(capsys.readouterr().err)
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "the store is gone", "req-1")
