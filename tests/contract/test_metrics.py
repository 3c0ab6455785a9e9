"""What Prometheus is shown: whether its own parser's grammar takes it, that it adds up with the records, and who may see it."""

import re
from pathlib import Path

import pytest

from haimaker.observability.prometheus import MAX_SERIES, PrometheusMetrics
from haimaker.store import Record
from tests.contract.money_support import ADMIN, Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

TOKEN = "collector's tökën"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'{NAME[:-1].replace(":", "")}*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?(?:[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|NaN))")
"""A line of https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""


def samples(text: str) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if re.fullmatch(rf"# (HELP {NAME} .+|TYPE {NAME} (counter|histogram))", line):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert (match[1], match[2] or "") not in found, line
        found[match[1], match[2] or ""] = float(match[3])
    return found


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory):
    with FakeUpstream() as upstream:
        upstream.answers(plays_openai("Hello"))
        with serving(tmp_path_factory.mktemp("metrics"), upstream, HAIMAKER_METRICS_TOKEN=TOKEN) as desk:
            yield desk


def ask(desk: Desk, token: str | None = TOKEN, scheme: str = "Bearer"):
    headers = {"authorization": f"{scheme} {token}".encode()} if token else {}
    return desk.http.get(desk.url.removesuffix("/v1") + "/metrics", headers=headers)


def test_requests_are_counted_as_the_records_have_them(counted: Desk) -> None:
    key = counted.key(max_budget=5)
    for _ in range(3):
        assert counted.chat(key).status_code == 200
    assert counted.chat(key, "nobody/else").status_code == 404
    counted.settled(key)
    answer = ask(counted)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    records = counted.records(key)
    ours = {name: value for (name, labels), value in found.items() if 'provider="openai"' in labels}
    assert ours["haimaker_requests_total"] == len(records) == 3
    assert ours["haimaker_cost_usd_total"] == pytest.approx(sum(record.cost_nanousd for record in records) / 10**9)
    assert ours["haimaker_request_duration_seconds_count"] == 3
    buckets = [value for (name, labels), value in found.items() if name.endswith("_duration_seconds_bucket")]
    assert buckets == sorted(buckets)
    refused = {labels: value for (name, labels), value in found.items() if name == "haimaker_refused_total"}
    assert any('code="404"' in labels and value == 1 for labels, value in refused.items())


@pytest.mark.parametrize(
    ("token", "scheme"),
    [(None, ""), ("", "Bearer"), ("other", "Bearer"), (ADMIN, "Bearer"), (TOKEN, "Basic"), (f"{TOKEN}x", "Bearer")],
)
def test_metrics_are_shown_to_their_own_token_only(counted: Desk, token: str | None, scheme: str) -> None:
    assert ask(counted, scheme="bearer").status_code == 200
    answer = ask(counted, token, scheme)
    assert answer.status_code == 401
    assert "haimaker_" not in answer.text


def test_without_a_token_there_are_none(desk: Desk) -> None:
    answer = ask(desk, ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "metrics_off")
    assert "CloudWatch" in answer.json()["error"]["message"]


def counted_of(metrics: PrometheusMetrics, name: str = "haimaker_requests_total") -> dict[str, float]:
    return {labels: value for (found, labels), value in samples(metrics.text().decode()).items() if found == name}


def add(metrics: PrometheusMetrics, model: str, status: int = 200, code: str | None = None) -> None:
    attempt = {"target": f"x/{model}", "status": status, "code": code}
    detail = {"operation": "chat", "provider": "x", "model": model, "duration_ms": 10, "attempts": [attempt]}
    metrics.request(Record("r", "key#1", 0.0, "ok" if status == 200 else "error", 1, detail))


def test_names_of_clients_own_are_bounded_and_escaped() -> None:
    metrics = PrometheusMetrics()
    for number in range(MAX_SERIES + 50):
        add(metrics, f'm"\\\n\0{number}')
    series = counted_of(metrics)
    assert len(series) == MAX_SERIES + 1
    assert sum(series.values()) == MAX_SERIES + 50
    assert "\0" not in metrics.text().decode()


def test_names_that_never_answered_take_no_place() -> None:
    metrics = PrometheusMetrics()
    for number in range(MAX_SERIES + 50):
        add(metrics, f"made-up-{number}", 404, "model_not_found")
    add(metrics, "good")
    add(metrics, "good", 500)
    assert counted_of(metrics) == {
        'operation="chat",provider="x",model="other",status="error"': MAX_SERIES + 50,
        'operation="chat",provider="x",model="good",status="ok"': 1,
        'operation="chat",provider="x",model="good",status="error"': 1,
    }
    assert counted_of(metrics, "haimaker_reservations_lost_total") == {"": 0}


def test_what_processes_share_adds_up_whoever_tells_it(tmp_path: Path) -> None:
    shared = [PrometheusMetrics() for _ in range(3)]
    shared[0].reservations_lost(2)
    for place, metrics in enumerate(shared):
        metrics.share(tmp_path / f"{place}.json")
        for number in range(MAX_SERIES - 1 if place else 1):
            add(metrics, f"{place}-{number}")
    for place, metrics in enumerate(shared):
        metrics._write(tmp_path / f"{place}.json")
    told = [counted_of(metrics) for metrics in shared]
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 1 + 2 * (MAX_SERIES - 1)
    assert counted_of(shared[2], "haimaker_reservations_lost_total") == {"": 2}
    (tmp_path / "1.json").unlink()
    shared[1]._write(tmp_path / "nowhere" / "1.json")  # a folder on a full disk, or one that is gone
