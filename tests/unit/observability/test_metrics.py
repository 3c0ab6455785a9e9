import pytest

from haimaker.observability import metrics
from haimaker.store import Record

DETAIL = {
    "duration_ms": 900, "first_token_ms": None, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_usd": 0.0,
    "cost_estimated": False, "unpriced": False, "over_hold": False, "http_status": 200, "error": None,
    "attempts": [{"target": "openai/gpt-4o-mini"}],
}  # fmt: skip


def counts(**detail: object) -> dict[str, float]:
    """Besides what every request counts."""
    found = metrics.record_counts(Record("r", "key#1", 1.0, "ok", 0, DETAIL | detail))
    assert (found.pop("Requests"), found.pop("Latency")) == (1, 900)
    return found


ERRORS = [
    (400, "invalid_value", False, "RequestErrors"),
    (404, "model_not_found", True, "RequestErrors"),
    (400, "context_length_exceeded", True, "RequestErrors"),
    (401, "invalid_api_key", False, "KeyErrors"),
    (403, "model_not_allowed", False, "KeyErrors"),
    (402, "budget_exceeded", False, "BudgetErrors"),
    (429, "rate_limit_exceeded", False, "RateLimitErrors"),
    (429, "rate_limit_exceeded", True, "RateLimitErrors"),
    (499, "client_left", True, "ClientsLeft"),
    (504, "provider_timeout", True, "TimeoutErrors"),
    (502, "provider_auth_failed", True, "ProviderErrors"),
    (500, None, True, "ProviderErrors"),
    (529, "overloaded", True, "ProviderErrors"),
    (500, "internal_error", True, "GatewayErrors"),
    (500, "internal_error", False, "GatewayErrors"),
    (503, "store_unavailable", False, "GatewayErrors"),
]
FAULTS = ("TimeoutErrors", "ProviderErrors", "GatewayErrors")


@pytest.mark.parametrize(("status", "code", "asked", "expected"), ERRORS)
def test_errors_are_counted_by_class_and_by_whose_fault_they_are(status: int, code: str | None, asked: bool, expected: str) -> None:
    found = counts(http_status=status, error=code) if asked else metrics.denial_counts(status, code)
    found.pop("Requests", None)
    assert found == {"Errors": 1, expected: 1} | ({"Faults": 1} if expected in FAULTS else {})


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({}, {}),
        ({"cost_usd": None}, {"CostUnknown": 1}),
        ({"cost_usd": 1.5, "cost_estimated": True}, {"CostUsd": 1.5, "CostEstimated": 1}),
        ({"unpriced": True}, {"Unpriced": 1}),
        ({"over_hold": True}, {"OverHold": 1}),
        ({"attempts": [{"target": "a/b"}, {"target": "a/b"}]}, {}),
        ({"attempts": [{"target": "a/b"}, {"target": "c/d"}]}, {"Fallbacks": 1}),
        ({"attempts": []}, {}),
        ({"first_token_ms": 250}, {"TimeToFirstToken": 250}),
    ],
)
def test_what_is_zero_is_not_counted(detail: dict[str, object], expected: dict[str, float]) -> None:
    assert counts(**detail) == expected


def test_each_metric_has_its_unit() -> None:
    written = metrics.embed(dict.fromkeys(metrics.METRICS, 1), (), 1.5)["_aws"]
    assert written["Timestamp"] == 1500
    units = {metric["Name"]: metric["Unit"] for metric in written["CloudWatchMetrics"][0]["Metrics"]}
    assert units == metrics.METRICS
    assert set(units.values()) <= {"Count", "Milliseconds", "None"}, "what CloudWatch knows"
    assert [metric["Name"] for metric in written["CloudWatchMetrics"][1]["Metrics"]] == list(metrics.OF_THE_SERVICE)
