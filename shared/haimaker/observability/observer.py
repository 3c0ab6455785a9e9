"""One JSON line per request, from which CloudWatch makes metrics where it collects them. Prompts, answers and keys never come here.

Names are OpenTelemetry's where it has them (https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/). Locally the
line goes to standard error, without metrics.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, TextIO

from haimaker.http.errors import APIError
from haimaker.http.proxies import NO_PROXIES, Proxies
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability import metrics
from haimaker.operations.operation import TELEMETRY_NAMES
from haimaker.providers.registry import find
from haimaker.store import NEVER_S, BudgetAlert, Record

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from haimaker.billing.settlement import AttemptLog
    from haimaker.observability.otlp import OpenTelemetry
    from haimaker.observability.prometheus import PrometheusMetrics
    from haimaker.observability.provider_calls import ProviderCalls

NO_HEADERS: Mapping[str, str] = {}
ALERT_WAIT_S = 2.0
"""How long the request that reached an amount waits at its end for the receiver of the alert."""
MAX_ALERTS = 10
"""The most alerts that are being sent at a time: one more is told to the log alone."""

_to_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

MADE_UP = frozenset({"RequestErrors", "KeyErrors"})
"""Errors with which a model's name may be the client's own: such a name must not become a dimension of a metric, which costs."""


@dataclass
class Observer:
    """Writes one line per event. `service` is the stack's name; metrics are added only where CloudWatch collects them."""

    service: str = "haimaker"
    metrics_on: bool = False
    dimensions: Sequence[str] = ()
    """Dimensions of metrics besides service and operation."""
    alert_webhook: str = field(default="", repr=False)
    """The URL to which alerts are sent besides the log; empty for none."""
    proxies: Proxies = NO_PROXIES
    """Through which they are sent."""
    prometheus: "PrometheusMetrics | None" = None
    """Counts the same for Prometheus; None where nobody collects it."""
    otlp: "OpenTelemetry | None" = None
    """Sends traces and metrics over OTLP; None where nobody collects them."""
    provider_calls: "ProviderCalls | None" = None
    """Counts the calls of providers by the hour; None in a function, whose metrics CloudWatch has."""
    _cold: bool = field(default=True, repr=False)
    _room: Semaphore = field(default_factory=lambda: Semaphore(MAX_ALERTS), repr=False)

    def request(self, record: Record, attempts: "Sequence[AttemptLog]" = (), headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Logs the record of a request that reached a provider. Traces have its attempts, and go on from its client's."""
        if self.prometheus:
            self.prometheus.request(record)
        if self.provider_calls:
            self.provider_calls.add(record, time.time())
        fields = fields_of(record)
        if self.otlp:
            self.otlp.request(record, fields, attempts, headers)
        self._count("request", fields, metrics.record_counts(record) if self.metrics_on else {})

    def denied(
        self, operation: str, request_id: str, error: APIError, headers: Mapping[str, str] = NO_HEADERS, *, is_traced: bool = False
    ) -> None:
        """Logs a request that was answered without asking a provider. Traces have those of what models serve."""
        name = TELEMETRY_NAMES.get(operation, operation)
        if self.prometheus:
            self.prometheus.denied(name, error)
        if self.otlp:
            self.otlp.denied(name, request_id, error, headers, is_traced=is_traced)
        fields: JSON = {"request_id": request_id, "operation": name, "gen_ai.operation.name": name}
        fields |= {"http.response.status_code": error.status, "error.type": error.code or error.type}
        self._count("refused", fields, metrics.denial_counts(error.status, error.code))

    def reservations_lost(self, reservations: int) -> None:
        """Counts requests that nobody settled and that were charged in full: the function was killed, or the store failed to the
        end."""
        if self.prometheus:
            self.prometheus.reservations_lost(reservations)
        self._count("lost", {"operation": "settle"}, {"HoldsLost": reservations}, level="ERROR")
        what = "1 request was" if reservations == 1 else f"{reservations:,} requests were"
        text = f"{what} lost, and charged in full: haimaker reconcile proves what they cost."
        self._alert({"event": "reservations_lost", "count": reservations, "text": text})

    def circuit_opened(self, target: str, until_s: float, is_told: Callable[[], bool] = lambda: True) -> None:
        """Logs that a target failed so often that others are asked before it, and sends it to the deployer's webhook where
        `is_told` returns True, which may take a while."""
        rests = datetime.fromtimestamp(until_s, UTC).isoformat()
        self._log("ERROR", "circuit opened", {"operation": "route", "target": target, "until": rests})
        text = f"{target} keeps failing: until {rests[11:19]} UTC others are asked before it, where there are others."
        self._alert({"event": "circuit_opened", "target": target, "until": rests, "text": text}, wait_s=0, is_told=is_told)

    def settle_failed(self, request_id: str) -> None:
        """Logs a request whose reservation stays until it is settled after all, or charged as lost, since the store failed to the
        end."""
        fields = {"operation": "settle", "request_id": request_id}
        message = "settling failed; the reservation stays until it is settled after all, or charged as lost"
        self._count(message, fields, {"SettlesFailed": 1, "StoreProblems": 1}, level="ERROR")

    def settled_late(self, record: Record, alerts: Sequence[BudgetAlert]) -> None:
        """Logs a request that was settled after `settle_failed`."""
        self._log("INFO", "settled after all", {"operation": "settle", "request_id": record.request_id})
        self.budget_alerts(record, alerts)

    def access_denied(self, call: str) -> None:
        """Logs a call of AWS, such as `dynamodb:Query`, that the role does not allow: the template or a policy lacks it."""
        self._count("access denied", {"operation": "store", "call": call}, {"AccessDenied": 1, "StoreProblems": 1}, level="ERROR")

    def budget_alerts(self, record: Record, alerts: Sequence[BudgetAlert]) -> None:
        """Tells of what a request reached."""
        for alert in alerts:
            name = record.detail["key_alias"] or record.detail["key_name"] if alert.account_id == record.account_id else ""
            self.budget_alert(alert, name or "")

    def budget_alert(self, alert: BudgetAlert, name: str = "") -> None:
        """Logs that an account, which people know by `name`, has spent a part of its budget, or all of its soft budget, and sends
        it to the deployer's webhook, which may take `ALERT_WAIT_S`. It blocks nothing."""
        name = name or alert.alias
        usd = {"spend_usd": alert.spend_nanousd / 10**9, "reached_usd": alert.reached_nanousd / 10**9}
        fields: JSON = {"operation": "settle", "account": alert.account_id, **({"account_name": name} if name else {}), **usd}
        is_soft = alert.percent is None
        fields |= {"soft_budget_usd": usd["reached_usd"]} if is_soft else {"budget_percent": alert.percent}
        message, metric = ("soft budget crossed", "SoftBudgetsCrossed") if is_soft else ("budget part spent", "BudgetPartsSpent")
        self._count(message, fields, {metric: 1}, level="ERROR" if is_soft or alert.percent == 100 else "INFO")
        self._alert(alert_body(alert, name))

    def _alert(self, body: JSON, wait_s: float = ALERT_WAIT_S, is_told: Callable[[], bool] = lambda: True) -> None:
        """Sends a body, whose `text` is all that Slack reads, to the webhook if there is one.
        https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""
        if not self.alert_webhook:
            return
        if not self._room.acquire(blocking=False):
            self._not_sent(body, "Too many alerts are being sent.")
            return
        sending = Thread(target=self._send, args=(body, is_told), daemon=True)
        sending.start()
        sending.join(wait_s)

    def _send(self, body: JSON, is_told: Callable[[], bool]) -> None:
        from haimaker.observability import alerts

        try:
            if is_told():
                alerts.post(self.alert_webhook, {**body, "text": alerts.to_text(body["text"])}, self.proxies)
        except alerts.AlertError as error:
            self._not_sent(body, str(error))
        finally:
            self._room.release()

    def _not_sent(self, body: JSON, reason: str) -> None:
        account = {"account": body["account"]} if "account" in body else {}
        self.error("an alert could not be sent", reason=reason, event=body["event"], **account)

    def close(self) -> None:
        """Sends what waits, before the process ends."""
        if self.otlp:
            self.otlp.close()

    def audit(self, event: JSON) -> None:
        """Logs a change that an administrator made."""
        self._log("INFO", "audit", event)

    def error(self, message: str, **fields: object) -> None:
        """Logs something that the deployer has to look at."""
        self._log("ERROR", message, fields)

    def exception(self, error: BaseException, **fields: object) -> None:
        """Logs a defect of the gateway by its type and place, never by its message, which may hold what a client sent."""
        self._log("ERROR", "unexpected error", {"error.type": type(error).__name__, "place": _place(error), **fields})

    @cached_property
    def _logger(self) -> "Logger":
        from aws_lambda_powertools import Logger

        return Logger(service=self.service, stream=self._stream, location=None)

    @cached_property
    def _stream(self) -> TextIO:
        return sys.stdout if self.metrics_on else sys.stderr

    def _count(self, message: str, fields: JSON, counts: dict[str, float], level: str = "INFO") -> None:
        if self.metrics_on:
            if self._cold:
                self._cold = False
                fields, counts = {**fields, "faas.coldstart": True}, {**counts, "ColdStarts": 1}
            known = MADE_UP.isdisjoint(counts) and all(fields.get(name) for name in self.dimensions)
            fields = {**fields, **metrics.embed(counts, self.dimensions if known else (), time.time())}
        self._log(level, message, fields)

    def _log(self, level: str, message: str, fields: JSON) -> None:
        if self.metrics_on:  # Lambda's, which adds what X-Ray finds it by
            (self._logger.error if level == "ERROR" else self._logger.info)(message, extra=fields)
            return
        with suppress(OSError, ValueError):  # a full disk, or nobody who reads: no request is to fail for its log line
            self._stream.write(_line(level, message, self.service, fields))


@lru_cache(maxsize=1)
def _local_second(now_s: int) -> tuple[str, str]:
    """The second in words, and the zone, between which its thousandths stand."""
    local = time.localtime(now_s)
    return time.strftime("%Y-%m-%d %H:%M:%S", local), time.strftime("%z", local)


def _line(level: str, message: str, service: str, fields: JSON) -> str:
    """The line that Powertools' Logger writes, made in a third of its time and without the 3 MB that it takes."""
    now_s = time.time()
    second, zone = _local_second(int(now_s))
    moment = f"{second},{int(now_s % 1 * 1000):03d}{zone}"
    line = {"level": level, "message": message, "timestamp": moment, "service": service, **fields}
    return _to_line({name: value for name, value in line.items() if value is not None}) + "\n"


def alert_body(alert: BudgetAlert, name: str) -> JSON:
    """The JSON that a receiver gets: money in USD, the time as ISO 8601, and a sentence for people."""
    ends = None if alert.window_end_s >= NEVER_S else datetime.fromtimestamp(alert.window_end_s, UTC).isoformat()
    kind, _, known = alert.account_id.partition("#")
    whose = f"The {kind} {name or known[:12]}"
    part = "its soft budget" if alert.percent is None else f"{alert.percent} % of its budget"
    spent, reached = (f"${amount / 10**9:,.2f}" for amount in (alert.spend_nanousd, alert.reached_nanousd))
    return {
        "text": f"{whose} has spent {spent}: {part}, {reached}, is reached." + (f" It is renewed {ends[:10]}." if ends else ""),
        "account_name": name or None,
        "event": "soft_budget_crossed" if alert.percent is None else "budget_threshold_crossed",
        "account": alert.account_id,
        "percent": alert.percent,
        "threshold": alert.reached_nanousd / 10**9,
        "spend": alert.spend_nanousd / 10**9,
        "budget_reset_at": ends,
    }


def fields_of(record: Record) -> JSON:
    """The log line's fields of a request's record. Unknown values are left out, except an unknown cost."""
    detail = record.detail
    provider = find(detail["provider"] or "")
    first_chunk_ms = detail["first_chunk_ms"]
    fields = {
        "request_id": record.request_id,
        "operation": detail["operation"],
        "status": record.status,
        "http.response.status_code": detail["http_status"],
        "error.type": detail["error"],
        "gen_ai.operation.name": detail["operation"],
        "gen_ai.provider.name": provider and (provider.catalog.telemetry_name or provider.name),
        "gen_ai.request.model": detail["asked_model"],
        "gen_ai.request.stream": detail["stream"],
        "gen_ai.response.model": detail["model"],
        "gen_ai.response.time_to_first_chunk": first_chunk_ms and first_chunk_ms / 1000,
        "gen_ai.usage.input_tokens": detail["input_tokens"],
        "gen_ai.usage.output_tokens": detail["output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": detail["cached_tokens"] or None,
        "gen_ai.usage.cache_creation.input_tokens": detail["cache_write_tokens"] or None,
        "gen_ai.usage.reasoning.output_tokens": detail["reasoning_tokens"] or None,
        "provider": detail["provider"],
        "model": detail["model"],
        "cost_estimated": detail["cost_estimated"],
        "duration_ms": detail["duration_ms"],
        "first_token_ms": detail["first_token_ms"],
        "key": detail["key_name"],
        "key_alias": detail["key_alias"],
        "attempts": detail["attempts"],
    }
    return {"cost_usd": detail["cost_usd"], **{name: value for name, value in fields.items() if value is not None}}


def _place(error: BaseException) -> list[str]:
    """File, line and function of the innermost calls."""
    from traceback import extract_tb

    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)[-5:]]
