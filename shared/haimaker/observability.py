"""One logger and one metrics object: a JSON line and CloudWatch metrics per request. Prompts, answers and keys never come here.

Names are OpenTelemetry's where it has them (https://opentelemetry.io/docs/specs/semconv/gen-ai/). Metrics are written in
CloudWatch's embedded format, which costs no call. Locally only the line is written, to standard error.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from haimaker.errors import APIError
from haimaker.store import Record
from haimaker.wire import JSON

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

NAMESPACE = "haimaker"


@dataclass(frozen=True)
class Observer:
    """Tells what happened. `service` names the function; metrics are written only where something collects them."""

    service: str = "haimaker"
    metrics_on: bool = False

    def request(self, record: Record) -> None:
        """One admitted request: a log line, and its counts as metrics."""
        detail = record.detail
        self._logger.info("request", extra=_fields_of(record))
        if self.metrics_on:
            self._count(detail["operation"], _counts_of(detail))

    def refusal(self, operation: str, request_id: str, error: APIError) -> None:
        """A request that was answered without asking a provider."""
        fields: dict[str, object] = {"request_id": request_id, "gen_ai.operation.name": operation}
        fields |= {"http.response.status_code": error.status, "error.type": error.code or error.type}
        self._logger.info("refused", extra=fields)
        if self.metrics_on:
            self._count(operation, {"Requests": 1, "Refusals": 1})

    def problem(self, message: str, **fields: object) -> None:
        """Something that the deployer has to look at."""
        self._logger.error(message, extra=fields)

    def crash(self, error: BaseException, **fields: object) -> None:
        """A defect of ours: its type and place, never its message, which may hold what a client sent."""
        self._logger.error("unexpected error", extra={"error.type": type(error).__name__, "place": _place(error), **fields})

    @cached_property
    def _logger(self) -> "Logger":
        from aws_lambda_powertools import Logger

        return Logger(service=self.service, stream=sys.stdout if self.metrics_on else sys.stderr)

    @cached_property
    def _metrics(self) -> "Metrics":
        from aws_lambda_powertools import Metrics

        return Metrics(namespace=NAMESPACE, service=self.service)

    def _count(self, operation: str, counts: Mapping[str, float]) -> None:
        self._metrics.add_dimension("operation", operation)
        for name, value in counts.items():
            self._metrics.add_metric(name=name, unit=UNITS.get(name, "Count"), value=value)
        self._metrics.flush_metrics()


UNITS = {"Latency": "Milliseconds", "TimeToFirstToken": "Milliseconds"}


def _place(error: BaseException) -> list[str]:
    """The innermost calls, without the values in them."""
    from traceback import extract_tb

    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)[-5:]]


def _fields_of(record: Record) -> dict[str, object]:
    detail = record.detail
    return {
        "request_id": record.request_id,
        "status": record.status,
        "error.type": detail["error"],
        "gen_ai.operation.name": detail["operation"],
        "gen_ai.provider.name": detail["provider"],
        "gen_ai.request.model": detail["asked_model"],
        "gen_ai.response.model": detail["model"],
        "gen_ai.usage.input_tokens": detail["input_tokens"],
        "gen_ai.usage.output_tokens": detail["output_tokens"],
        "stream": detail["stream"],
        "cost_usd": detail["cost_usd"],
        "cost_estimated": detail["cost_estimated"],
        "duration_ms": detail["duration_ms"],
        "key": detail["key_name"],
        "attempts": detail["attempts"],
    }


def _counts_of(detail: JSON) -> dict[str, float]:
    return {
        "Requests": 1,
        "Errors": int(detail["status"] != "ok"),
        "Latency": detail["duration_ms"],
        "InputTokens": detail["input_tokens"],
        "OutputTokens": detail["output_tokens"],
        "CostUnknown": int(detail["cost_usd"] is None),
        "CostEstimated": int(detail["cost_estimated"]),
        "OverHold": int(detail["over_hold"]),
        "Unpriced": int(detail["unpriced"]),
        "Fallbacks": max(0, len({attempt["target"] for attempt in detail["attempts"]}) - 1),
    }
