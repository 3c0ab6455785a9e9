"""What a collector gets over OTLP: the spans of a request as it went, metrics that add up, and nothing that was said."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from haimaker.observability import otlp
from haimaker.observability.observer import Observer
from tests.contract.money_support import Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import error, plays_openai
from tests.support.reply import Reply

CONFIG = """
[routes.pair]
targets = ["openai/gpt-4o-mini"]
fallbacks = ["deepseek/deepseek-chat"]
retries = 0
"""
SECRETS = ("tell nobody", "Hello there", "sk-")
ROUNDING_NS = 2 * 10**6
"""Records have milliseconds."""
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REFUSED = f"00-{'1' * 32}-{'2' * 16}-01"


class Collector:
    """Takes what an exporter posts, by the path. https://opentelemetry.io/docs/specs/otlp/#otlphttp-request"""

    def __init__(self) -> None:
        posted: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.posted = posted
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def bodies(self, path: str) -> list[bytes]:
        return [body for found, body in self.posted if found == path]


class Span(NamedTuple):
    name: str
    kind: str
    about: dict[str, Any]
    error: str
    id: str
    parent: str
    trace: str
    begin_ns: int
    end_ns: int


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def spans(collector: Collector) -> list[Span]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Proto

    found = []
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            assert plain(resource.resource.attributes)["service.name"] == "haimaker"
            for span in (each for scope in resource.scope_spans for each in scope.spans):
                found.append(
                    Span(
                        span.name, Proto.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"), plain(span.attributes),
                        span.status.message if span.status.code == 2 else "", span.span_id.hex(), span.parent_span_id.hex(),
                        span.trace_id.hex(), span.start_time_unix_nano, span.end_time_unix_nano,
                    )
                )  # fmt: skip
    return sorted(found, key=lambda span: (span.trace, span.begin_ns, -span.end_ns))


def points(collector: Collector) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """By the metric's name: labels, and the sum."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    found: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for resource in ExportMetricsServiceRequest.FromString(collector.bodies("/v1/metrics")[-1]).resource_metrics:
        for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
            data = getattr(metric, metric.WhichOneof("data")).data_points
            found[metric.name] = [
                (plain(point.attributes), point.sum if metric.HasField("histogram") else point.as_double or point.as_int)
                for point in data
            ]
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Collector, str]]:
    """A gateway that has answered a few requests, and was closed."""
    home, collector = tmp_path_factory.mktemp("otlp"), Collector()
    (home / "gateway.toml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch, FakeUpstream() as upstream:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "HAIMAKER_CONFIG": str(home / "gateway.toml")}
        with serving(home, upstream, **more) as desk:
            key = desk.key(max_budget=5)
            headers = {"authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{PARENT}-01"}
            body = {"model": "pair", "messages": [{"role": "user", "content": "tell nobody"}]}
            ok = plays_openai("Hello there")
            upstream.answers(lambda call: Reply.json(500, error("it broke")) if call.json["model"] == "gpt-4o-mini" else ok(call))
            answer = desk.http.post("/chat/completions", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            upstream.answers(ok)
            with desk.http.stream("POST", "/chat/completions", json={**body, "stream": True}, headers=headers) as answer:
                assert b"[DONE]" in answer.read()
            body["model"] = "nobody/else"
            assert desk.http.post("/chat/completions", json=body, headers={**headers, "traceparent": REFUSED}).status_code == 404
            assert desk.ask("GET", "/nowhere").status_code == 404
            desk.settled(key)
            desk.gateway.observer.close()
            yield desk, collector, key
    collector.server.shutdown()


def test_a_request_that_fell_back_is_a_trace_of_its_calls(told: tuple[Desk, Collector, str]) -> None:
    root, plan, failed, answered = [span for span in spans(told[1]) if span.trace == TRACE][:4]
    assert (root.name, root.kind, root.parent, root.error) == ("chat pair", "SERVER", PARENT, "")
    assert root.about["gen_ai.operation.name"] == "chat"
    assert root.about["gen_ai.request.model"] == "pair"
    assert root.about["gen_ai.response.model"] == "deepseek-chat"
    assert root.about["gen_ai.usage.input_tokens"] > 0
    assert root.about["haimaker.cost_usd"] > 0
    assert (plan.name, plan.kind) == ("plan", "INTERNAL")
    assert [(span.name, span.kind) for span in (failed, answered)] == [
        ("chat gpt-4o-mini", "CLIENT"),
        ("chat deepseek-chat", "CLIENT"),
    ]
    assert [span.about["gen_ai.provider.name"] for span in (failed, answered)] == ["openai", "deepseek"]
    assert [span.about["http.response.status_code"] for span in (failed, answered)] == [500, 200]
    assert (failed.error, answered.error) == (failed.about["error.type"], "")
    assert {span.parent for span in (plan, failed, answered)} == {root.id}
    moments = (root.begin_ns, plan.begin_ns, plan.end_ns, failed.begin_ns, failed.end_ns, answered.begin_ns)
    assert all(after > before - ROUNDING_NS for before, after in pairwise(moments))
    assert answered.end_ns <= root.end_ns + ROUNDING_NS


def test_a_refused_request_is_a_span_of_its_clients_trace(told: tuple[Desk, Collector, str]) -> None:
    [span] = [span for span in spans(told[1]) if span.trace != TRACE]
    assert (span.trace, span.parent, span.name, span.kind) == ("1" * 32, "2" * 16, "chat", "SERVER")
    assert (span.error, span.about["http.response.status_code"]) == ("model_not_found", 404)
    assert span.about["haimaker.request.id"]


def test_the_call_of_a_stream_lasts_as_long_as_it(told: tuple[Desk, Collector, str]) -> None:
    root, _, call = [span for span in spans(told[1]) if span.trace == TRACE][4:]
    assert root.about["gen_ai.request.stream"] is True
    assert call.end_ns == root.end_ns
    assert call.about["gen_ai.response.time_to_first_chunk"] >= 0


def test_metrics_add_up_with_the_records(told: tuple[Desk, Collector, str]) -> None:
    desk, collector, key = told
    found = points(collector)
    records = desk.records(key)
    assert len(records) == 2
    assert sum(cost for _, cost in found["haimaker.cost"]) == pytest.approx(sum(record.cost_nanousd for record in records) / 10**9)
    tokens = {
        kind: sum(n for about, n in found["gen_ai.client.token.usage"] if about["gen_ai.token.type"] == kind)
        for kind in ("input", "output")
    }
    assert tokens == {kind: sum(record.detail[f"{kind}_tokens"] for record in records) for kind in ("input", "output")}
    [failed] = [about for about, _ in found["gen_ai.client.operation.duration"] if "error.type" in about]
    assert "gen_ai.request.model" not in failed
    [(refused, count)] = found["haimaker.refusals"]
    assert (refused, count) == ({"gen_ai.operation.name": "chat", "error.type": "model_not_found"}, 1)


def test_names_are_the_conventions(told: tuple[Desk, Collector, str]) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

    known = {value for module in (gen_ai_attributes, gen_ai_metrics) for value in vars(module).values() if isinstance(value, str)}
    used = {name for span in spans(told[1]) for name in span.about} | set(points(told[1]))
    assert {name for name in used if name.startswith("gen_ai.")} - known == set()


def test_nothing_that_was_said_is_in_it(told: tuple[Desk, Collector, str]) -> None:
    whole = b"".join(body for _, body in told[1].posted)
    assert len(whole) > 1_000
    assert [secret for secret in SECRETS if secret.encode() in whole] == []
    assert told[0].upstream.url.partition("//")[2].encode() not in whole


@pytest.mark.parametrize(
    ("variables", "signals", "problem"),
    [
        ({}, (), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, ("traces", "metrics"), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, (), ""),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, ("traces",), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_METRICS_EXPORTER": "none"}, ("traces",), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "console, OTLP"}, ("traces", "metrics"), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "console"}, ("metrics",), ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("traces",), ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_SDK_DISABLED": "TRUE"}, (), ""),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ("traces", "metrics"),
            "OTEL_EXPORTER_OTLP_PROTOCOL has to be http/protobuf, not grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            ("traces", "metrics"),
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL has to be http/protobuf, not http/json",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, ("traces", "metrics"), "OTEL_EXPORTER_OTLP_ENDPOINT has to be"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "grpc://x:4317"}, ("traces", "metrics"), "an http or https URL such as http://l"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:99999"}, ("traces",), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has to be"),
    ],
    ids=str,
)
def test_the_standard_variables_turn_it_on(variables: dict[str, str], signals: tuple[str, ...], problem: str) -> None:
    assert otlp.wanted_signals(variables) == signals
    said = otlp.why_not("traces", variables)
    assert problem in said
    assert bool(problem) == bool(said)


@pytest.mark.parametrize(
    ("variables", "sends", "sentence"),
    [
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, True, "traces are not sent: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        (
            {"OTEL_BSP_SCHEDULE_DELAY": "-5"},
            False,
            "traces and metrics are not sent: a variable of OpenTelemetry's can't be used: sch",
        ),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5000"}, False, "max_export_batch_size must be less than or equal to"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, False, "interval value 0"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "abc"}, True, "Found invalid value for export interval"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said_and_the_rest_is_sent(
    variables: dict[str, str], sends: bool, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **variables}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(otlp, "CLOSE_S", 0.0)
    opened = otlp.open_telemetry(environment, "1", lambda message, reason="": said.append(message + reason))
    assert bool(opened) == sends
    assert any(sentence in each for each in said), said
    if opened:
        opened.close()


def test_a_collector_that_is_gone_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(Observer, "error", lambda _, message, **fields: lines.append(f"{message}: {fields}"))
    gone = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    for name, value in gone.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(otlp, "CLOSE_S", 0.1)
    with FakeUpstream() as upstream, serving(tmp_path, upstream, **gone) as desk:
        upstream.answers(plays_openai("Hello"))
        key = desk.key(max_budget=5)
        while not lines or len(desk.records(key)) < 20:
            assert desk.chat(key).status_code == 200
            time.sleep(0.02)
        desk.gateway.observer.close()
    assert len(lines) == len(set(lines)) <= 3, lines
    assert "traces or metrics may be missing: {'reason': " in lines[0]


def test_no_request_waits_for_a_collector_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream() as collector, FakeUpstream() as upstream:
        gate = collector.gate()
        collector.answers(Reply.json(200, {}).after(gate))
        slow = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/traces", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        slow["OTEL_BSP_SCHEDULE_DELAY"] = "20"
        for name, value in slow.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(otlp, "CLOSE_S", 0.1)
        upstream.answers(plays_openai("Hello"))
        with serving(tmp_path, upstream, **slow) as desk:
            key = desk.key(max_budget=5)
            assert desk.chat(key).status_code == 200
            collector.wait_for_calls(1)
            assert [desk.chat(key).status_code for _ in range(5)] == [200] * 5
            assert len(collector.calls) == 1, "it still waits for the first answer"
            gate.open()
            desk.gateway.observer.close()


def test_without_the_sdk_it_is_said_and_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Observer, "error", lambda _, message, **fields: told.append(message))
    monkeypatch.setattr(otlp, "PACKAGES", ("opentelemetry.of_nobody", "nobody.of_nothing"))
    with FakeUpstream() as upstream, serving(tmp_path, upstream, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as desk:
        assert desk.gateway.observer.otlp is None
    assert ["not installed (pip install 'haimaker[otlp]')" in said for said in told] == [True, True]
