"""Traces and metrics over OTLP, by OpenTelemetry's SDK, where its `OTEL_*` variables name who collects them and it is installed.

Names are those of the semantic conventions for generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/). A span is made
after its request has ended, from what the record knows: no prompt, answer, address or key is in it. The variables themselves are
read by the SDK (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from threading import Thread
from typing import Any, Literal
from urllib.parse import urlsplit

from haimaker.billing.settlement import AttemptLog
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from haimaker.store import Record

SIGNALS = ("traces", "metrics")
HTTP, DEFAULT_ENDPOINT = "http/protobuf", "http://localhost:4318"
Say = Callable[..., object]
"""Takes a sentence, and fields of a log line."""
SAY_AGAIN_S, MAX_REASON = 300.0, 500
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
SCOPE = "haimaker"
TRACE_CONTEXT = ("traceparent", "tracestate")
"""Headers of a client that is traced itself. https://www.w3.org/TR/trace-context/"""
SPAN_NAMES = ("gen_ai.", "http.response.", "error.")
"""How the fields of the log line begin that a span has as well."""
LABELS_OF_FAILURE = ("gen_ai.operation.name", "gen_ai.provider.name", "error.type")
LABELS = (*LABELS_OF_FAILURE, "gen_ai.request.model", "gen_ai.response.model")
"""Of metrics."""
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864)
"""The buckets that the conventions ask for. https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/"""
NS = 10**9
CLOSE_S = 3.0


def open_telemetry(environment: Mapping[str, str], version: str, say: "Say") -> "OpenTelemetry | None":
    """What sends the signals that the variables want; None of none. `say` is told what keeps one from being sent."""
    signals = []
    for signal in wanted_signals(environment):
        if problem := why_not(signal, environment):
            say(f"{signal} are not sent: {problem}")
        else:
            signals.append(signal)
    if not signals:
        return None
    _listen(say)
    try:
        return OpenTelemetry(signals, version)
    except ValueError as error:  # of a variable that the SDK reads; it names the setting
        say(f"{' and '.join(signals)} are not sent: a variable of OpenTelemetry's can't be used: {error}")
        return None


def wanted_signals(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Which of traces and metrics the variables want sent: those with an endpoint, or with the exporter named."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    wanted = []
    for signal in SIGNALS:
        exporters = environment.get(f"OTEL_{signal.upper()}_EXPORTER", "")
        names = [name.strip().lower() for name in exporters.split(",") if name.strip()]
        if "otlp" in names or (not names and any(environment.get(name) for name in _variables(signal, "ENDPOINT"))):
            wanted.append(signal)
    return tuple(wanted)


def why_not(signal: str, environment: Mapping[str, str]) -> str:
    """What keeps a signal that is wanted from being sent; empty if nothing does."""
    name, protocol = _find(environment, signal, "PROTOCOL", HTTP)
    if protocol.lower() != HTTP:
        return f"{name} has to be {HTTP}, not {protocol}."
    name, endpoint = _find(environment, signal, "ENDPOINT", DEFAULT_ENDPOINT)
    try:
        parts = urlsplit(endpoint)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in endpoint and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        return f"{name} has to be an http or https URL such as {DEFAULT_ENDPOINT}."
    if not all(map(_is_installed, PACKAGES)):
        return "OpenTelemetry's SDK is not installed (pip install 'haimaker[otlp]')."
    return ""


class _Listener(logging.Handler):
    """Passes on what the SDK logs, one kind of it once in SAY_AGAIN_S: a collector that is gone would be a line a second."""

    def __init__(self, say: "Say") -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind, now_s = (record.name, str(record.msg)), time.monotonic()
        if now_s >= self._said.get(kind, 0.0):
            self._said[kind] = now_s + SAY_AGAIN_S
            try:
                self._say("traces or metrics may be missing", reason=record.getMessage()[:MAX_REASON])
            except Exception:
                self.handleError(record)


def _listen(say: "Say") -> None:
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [_Listener(say)], False


class OpenTelemetry:
    """Sends what it is told of from threads of its own. Every method may be called from any thread."""

    def __init__(self, signals: Iterable[str], version: str = "") -> None:
        from opentelemetry.sdk.resources import Resource

        resource = Resource.create({"service.version": version} if version else {})
        if "service.name" not in resource.attributes or str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": SCOPE}))
        self._tracer: Any = None
        self._meter: Any = None
        self._providers: list[Any] = []
        if "traces" in signals:
            self._tracer = self._open_traces(resource).get_tracer(SCOPE, version)
        if "metrics" in signals:
            self._meter = self._open_metrics(resource).get_meter(SCOPE, version)
            self._instruments = self._make_instruments()

    def _open_traces(self, resource: Any) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._providers.append(provider)
        return provider

    def _open_metrics(self, resource: Any) -> Any:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._providers.append(provider)
        return provider

    def _make_instruments(self) -> Mapping[str, Any]:
        meter = self._meter
        tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=TOKENS)
        seconds = {
            name: meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SECONDS)
            for name in (
                "gen_ai.client.operation.duration",
                "gen_ai.server.request.duration",
                "gen_ai.server.time_to_first_token",
            )
        }
        cost = meter.create_counter("haimaker.cost", "{USD}", "What admitted requests cost.")
        refused = meter.create_counter("haimaker.refusals", "{request}", "Requests that were refused before a provider was asked.")
        return {**seconds, "gen_ai.client.token.usage": tokens, "haimaker.cost": cost, "haimaker.refusals": refused}

    def request(self, record: Record, fields: JSON, attempts: Sequence[AttemptLog], headers: Mapping[str, str]) -> None:
        """A request that has ended, with the fields of its log line."""
        if self._tracer:
            self._trace(record, fields, attempts, headers)
        if self._meter:
            self._measure(record, fields, attempts)

    def denied(self, operation: str, request_id: str, error: APIError, headers: Mapping[str, str], *, is_traced: bool) -> None:
        """A request that was refused before a provider was asked; its span is a moment."""
        about: JSON = {"gen_ai.operation.name": operation, "error.type": error.code or error.type}
        if self._meter:
            self._instruments["haimaker.refusals"].add(1, about)
        if self._tracer and is_traced:
            from opentelemetry.trace import SpanKind

            about |= {"http.response.status_code": error.status, "haimaker.request.id": request_id}
            now_s = time.time()
            parent = _parent_in(headers)
            span = self._tracer.start_span(operation, parent, SpanKind.SERVER, about, start_time=_to_ns(now_s))
            _end(span, now_s, error.code or error.type)

    def close(self) -> None:
        """Sends what waits, in `CLOSE_S` at most: a collector that is gone must not hold up an end."""
        closing = [Thread(target=provider.shutdown, daemon=True) for provider in self._providers]
        for thread in closing:
            thread.start()
        until_s = time.monotonic() + CLOSE_S
        for thread in closing:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _trace(self, record: Record, fields: JSON, attempts: Sequence[AttemptLog], headers: Mapping[str, str]) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        detail, parent = record.detail, _parent_in(headers)
        end_s = record.started_s + detail["duration_ms"] / 1_000
        about = {name: value for name, value in fields.items() if name.startswith(SPAN_NAMES)}
        about |= {"haimaker.request.id": record.request_id, "haimaker.request.status": record.status}
        if record.cost_nanousd is not None:
            about["haimaker.cost_usd"] = record.cost_nanousd / 10**9
        operation = str(fields["gen_ai.operation.name"])
        name = f"{operation} {detail['asked_model']}"
        root = self._tracer.start_span(name, parent, SpanKind.SERVER, about, start_time=_to_ns(record.started_s))
        _end(root, end_s, detail["error"])
        within = set_span_in_context(root, parent)
        planned_s = attempts[0].started_s if attempts else end_s
        plan = self._tracer.start_span("plan", within, SpanKind.INTERNAL, _planned(detail), start_time=_to_ns(record.started_s))
        _end(plan, max(planned_s, record.started_s))
        for number, attempt in enumerate(attempts):
            call = _call_attributes(operation, attempt)
            title = f"{operation} {attempt.attempt.model}"
            span = self._tracer.start_span(title, within, SpanKind.CLIENT, call, start_time=_to_ns(attempt.started_s))
            answers = number == len(attempts) - 1 and attempt.status == 200  # the end of its stream is the request's
            _end(span, end_s if answers else attempt.started_s + attempt.duration_ms / 1_000, call.get("error.type"))

    def _measure(self, record: Record, fields: JSON, attempts: Sequence[AttemptLog]) -> None:
        about = {name: fields[name] for name in (LABELS_OF_FAILURE if record.detail["error"] else LABELS) if name in fields}
        found, detail = self._instruments, record.detail
        found["gen_ai.server.request.duration"].record(detail["duration_ms"] / 1_000, about)
        if detail["first_token_ms"] is not None:
            found["gen_ai.server.time_to_first_token"].record(detail["first_token_ms"] / 1_000, about)
        kinds: tuple[Literal["input", "output"], ...] = ("input", "output")
        for kind in kinds:
            if count := detail[f"{kind}_tokens"]:
                found["gen_ai.client.token.usage"].record(count, {**about, "gen_ai.token.type": kind})
        if record.cost_nanousd:
            found["haimaker.cost"].add(record.cost_nanousd / 10**9, about)
        for attempt in attempts:
            call = _call_labels(str(fields["gen_ai.operation.name"]), attempt)
            found["gen_ai.client.operation.duration"].record(attempt.duration_ms / 1_000, call)


def _parent_in(headers: Mapping[str, str]) -> Any:
    """The context of the client's trace."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({name: headers[name] for name in TRACE_CONTEXT if name in headers})


def _planned(detail: JSON) -> JSON:
    """What the plan says that is short: the names that led to the targets."""
    return {f"haimaker.{name}": detail[name] for name in ("route", "team_id") if isinstance(detail.get(name), str)}


def _call_labels(operation: str, attempt: AttemptLog) -> JSON:
    """The labels of a call's metrics. Each combination is a series, so they are few: a model that no answer has proved may be any
    text."""
    provider = attempt.attempt.provider
    found: JSON = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider.catalog.telemetry_name or provider.name,
    }
    if attempt.status == 200:
        return {**found, "gen_ai.request.model": attempt.attempt.model}
    return {**found, "error.type": attempt.code or str(attempt.status or "cut")}


def _call_attributes(operation: str, attempt: AttemptLog) -> JSON:
    found = {**_call_labels(operation, attempt), "gen_ai.request.model": attempt.attempt.model}
    if attempt.status is not None:
        found["http.response.status_code"] = attempt.status
    if attempt.tokens:
        found["gen_ai.usage.input_tokens"] = attempt.tokens.prompt
        found["gen_ai.usage.output_tokens"] = attempt.tokens.completion
    if attempt.first_byte_ms is not None:
        found["gen_ai.response.time_to_first_chunk"] = attempt.first_byte_ms / 1_000
    return found


def _end(span: Any, end_s: float, error: str | None = None) -> None:
    from opentelemetry.trace import Status, StatusCode

    if error:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(_to_ns(end_s))


def _to_ns(moment_s: float) -> int:
    return round(moment_s * NS)


def _variables(signal: str, what: str) -> tuple[str, str]:
    """The variables that say it: the signal's own, which counts first, and the one for all signals."""
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"


def _find(environment: Mapping[str, str], signal: str, what: str, default: str) -> tuple[str, str]:
    """The variable that says it, and what it says."""
    for name in _variables(signal, what):
        if value := environment.get(name, "").strip():
            return name, value
    return _variables(signal, what)[1], default


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a parent
        return False
