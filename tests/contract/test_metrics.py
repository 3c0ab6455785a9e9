"""What Prometheus is shown: whether its own parser's grammar takes it, that it adds up with the records, and who may see it."""

import re

import pytest

from haimaker.observability.prometheus import MAX_SERIES, PrometheusMetrics
from haimaker.store import Record
from tests.contract.money_support import ADMIN, Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai

TOKEN = "collector's token"
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


def ask(desk: Desk, token: str | None = TOKEN):
    return desk.http.get(desk.url.removesuffix("/v1") + "/metrics", headers={"authorization": f"Bearer {token}"} if token else {})


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


@pytest.mark.parametrize("token", [None, "", "other", ADMIN])
def test_metrics_are_shown_to_their_own_token_only(counted: Desk, token: str | None) -> None:
    answer = ask(counted, token)
    assert answer.status_code == 401
    assert "haimaker_" not in answer.text


def test_without_a_token_there_are_none(desk: Desk) -> None:
    answer = ask(desk, ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "metrics_off")
    assert "CloudWatch" in answer.json()["error"]["message"]


def test_names_of_clients_own_are_bounded_and_escaped() -> None:
    metrics = PrometheusMetrics()
    for number in range(MAX_SERIES + 50):
        detail = {"operation": "chat", "provider": "x", "model": f'm"\\\n{number}', "duration_ms": 10}
        metrics.request(Record(str(number), "key#1", 0.0, "ok", 1, detail))
    found = samples(metrics.text().decode())
    series = {labels: value for (name, labels), value in found.items() if name == "haimaker_requests_total"}
    assert len(series) == MAX_SERIES + 1
    assert sum(series.values()) == MAX_SERIES + 50
