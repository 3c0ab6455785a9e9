"""The metrics of a request, and the form in which CloudWatch reads them out of the log line, which costs no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Each metric costs $0.30 a month in every combination of its dimensions, for the hours in which it was written. So what is zero
is not written, and a provider or a model is a dimension only where the deployer wants it. Pure.
"""

from collections.abc import Mapping, Sequence

from haimaker.http.values import JSON
from haimaker.store import Record

NAMESPACE = "haimaker"
DIMENSIONS = ("service", "operation")
BY_PROVIDER: Mapping[str, tuple[str, ...]] = {"none": (), "provider": ("provider",), "model": ("provider", "model")}
"""The dimensions besides DIMENSIONS, by the value of HAIMAKER_METRICS_BY."""

METRICS: Mapping[str, str] = {
    "Requests": "Count",
    "Errors": "Count",
    "Faults": "Count",
    "RequestErrors": "Count",
    "KeyErrors": "Count",
    "BudgetErrors": "Count",
    "RateLimitErrors": "Count",
    "TimeoutErrors": "Count",
    "ProviderErrors": "Count",
    "GatewayErrors": "Count",
    "ClientsLeft": "Count",
    "Latency": "Milliseconds",
    "TimeToFirstToken": "Milliseconds",
    "InputTokens": "Count",
    "OutputTokens": "Count",
    "CachedTokens": "Count",
    "CostUsd": "None",
    "CostUnknown": "Count",
    "CostEstimated": "Count",
    "Unpriced": "Count",
    "OverHold": "Count",
    "HoldsLost": "Count",
    "SettlesFailed": "Count",
    "AccessDenied": "Count",
    "StoreProblems": "Count",
    "SoftBudgetsCrossed": "Count",
    "BudgetPartsSpent": "Count",
    "Fallbacks": "Count",
    "ColdStarts": "Count",
}
"""Each metric and its unit. Errors counts all errors, Faults those of the gateway and of providers. Unpriced counts requests that
were charged nothing although their model has prices, CostUnknown those whose model has none. StoreProblems is the sum of
SettlesFailed and AccessDenied, so that one alarm can watch both."""
OF_THE_SERVICE = ("Requests", "Faults", "CostUsd", "CostUnknown", "Unpriced", "HoldsLost", "StoreProblems")
"""Metrics that are counted over all operations as well, for the alarms."""

ERROR_CLASSES: Mapping[int, str] = {
    401: "KeyErrors",
    402: "BudgetErrors",
    403: "KeyErrors",
    408: "TimeoutErrors",
    429: "RateLimitErrors",
    499: "ClientsLeft",
    504: "TimeoutErrors",
}
FAULTS = ("TimeoutErrors", "ProviderErrors", "GatewayErrors")
OUR_DEFECT = "internal_error"


def record_counts(record: Record) -> dict[str, float]:
    """The metrics of a request that reached a provider."""
    detail = record.detail
    targets = {attempt["target"] for attempt in detail["attempts"]}
    counts = {
        "Requests": 1,
        "Latency": detail["duration_ms"],
        "TimeToFirstToken": detail["first_token_ms"],
        "InputTokens": detail["input_tokens"],
        "OutputTokens": detail["output_tokens"],
        "CachedTokens": detail["cached_tokens"],
        "CostUsd": detail["cost_usd"],
        "CostUnknown": int(detail["cost_usd"] is None),
        "CostEstimated": int(detail["cost_estimated"]),
        "Unpriced": int(detail["unpriced"]),
        "OverHold": int(detail["over_hold"]),
        "Fallbacks": max(0, len(targets) - 1),
        **error_counts(detail["http_status"], detail["error"], asked=True),
    }
    return {name: count for name, count in counts.items() if count}


def denial_counts(status: int, code: str | None) -> dict[str, float]:
    """The metrics of a request that was answered without asking a provider."""
    return {"Requests": 1, **error_counts(status, code, asked=False)}


def error_counts(status: int, code: str | None, *, asked: bool) -> dict[str, float]:
    """Counts an answer by the class of its error; a success counts nothing. `asked` says whether a provider was asked."""
    if status < 400:
        return {}
    of_500 = "ProviderErrors" if asked and code != OUR_DEFECT else "GatewayErrors"
    error_class = ERROR_CLASSES.get(status, "RequestErrors" if status < 500 else of_500)
    return {"Errors": 1, error_class: 1, **({"Faults": 1} if error_class in FAULTS else {})}


def embed(counts: Mapping[str, float], further: Sequence[str], now_s: float) -> JSON:
    """The `_aws` field that makes CloudWatch read metrics out of a log line; the line has to have the dimensions among its fields.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    sets = [DIMENSIONS, (*DIMENSIONS, *further)] if further else [DIMENSIONS]
    directives = [_directive(sets, counts)]
    of_the_service = [name for name in OF_THE_SERVICE if name in counts]
    if of_the_service:
        directives.append(_directive([DIMENSIONS[:1]], of_the_service))
    return {"_aws": {"Timestamp": int(now_s * 1000), "CloudWatchMetrics": directives}, **counts}


def _directive(dimensions: Sequence[Sequence[str]], names: Mapping[str, float] | Sequence[str]) -> JSON:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [list(some) for some in dimensions],
        "Metrics": [{"Name": name, "Unit": METRICS[name]} for name in names],
    }
