"""What people see of providers: which are on and why, how their calls went, whether they take their key; and adding a key."""

import json
import stat
import time
from dataclasses import replace

import pytest

from haimaker.gateway import Gateway
from haimaker.observability.provider_calls import BOUNDS_MS, HOUR_S, KEPT_DAYS, KIND, Calls, ProviderCalls, percentile, read
from haimaker.settings.settings import Settings
from haimaker.store import Record
from haimaker.store.documents import Document
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.totals import DAY_S, to_day
from tests.contract.money_support import Desk, environment, plays, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import error
from tests.support.reply import Reply

NOW_S = 1_790_000_000.0
FALLBACK = '[routes.safe]\ntargets = [{ model = "hosted_vllm/any" }]\nfallbacks = ["deepseek/deepseek-chat"]\n'


@pytest.fixture
def documents(tmp_path):
    return SQLiteStore(tmp_path / "store.sqlite").documents


def provider(desk: Desk, name: str, query: str = "") -> dict:
    [found] = [row for row in desk.ask("GET", f"/providers{query}").json()["data"] if row["provider"] == name]
    return found


def test_a_provider_that_fails_behind_a_fallback_is_seen(tmp_path, upstream: FakeUpstream) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(FALLBACK)
    with serving(tmp_path, upstream, HAIMAKER_CONFIG=str(file)) as desk:
        served = plays({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
        upstream.answers(lambda call: Reply.json(503, error("Down")) if call.json["model"] == "any" else served(call))
        assert [desk.chat("sk-local", "safe").status_code for _ in range(2)] == [200, 200]
        assert desk.chat("sk-local", "demo/echo").status_code == 200
        failing, serves = provider(desk, "hosted_vllm"), provider(desk, "deepseek")
        assert (failing["attempts"], failing["failures"], failing["health"]) == (2, 2, "failing")
        assert failing["last_error"]["status"] == 503
        assert failing["last_error"]["message"] == "It is not available."
        assert (serves["attempts"], serves["failures"], serves["health"]) == (2, 0, "ok")
        assert 0 < serves["duration_p50_ms"] <= serves["duration_p95_ms"] < 5_000
        assert [row["target"] for row in serves["models"]] == ["deepseek/deepseek-chat"]
        assert [row["attempts"] for row in serves["by_hour"]] in ([2], [1, 1])
        assert (serves["variable"], serves["from"]) == ("DEEPSEEK_API_KEY", "environment")
        assert provider(desk, "demo")["on"]
        off = provider(desk, "cerebras", "?all=true")
        assert (off["on"], off["variables"], off["health"]) == (False, ["CEREBRAS_API_KEY"], "unused")
        assert upstream.url not in desk.ask("GET", "/providers?all=true").text


def test_who_may_see_and_who_may_change(desk: Desk) -> None:
    user, viewer = desk.key(), desk.key(role="viewer")
    assert [desk.ask("GET", "/providers", key=key).status_code for key in (user, viewer, "sk-local")] == [403, 200, 200]
    for path, body in (("test", {"provider": "deepseek"}), ("credentials", {"variable": "CEREBRAS_API_KEY", "value": "x"})):
        assert [desk.ask("POST", f"/providers/{path}", body, key=key).status_code for key in (user, viewer)] == [403, 403]
    assert desk.ask("POST", "/providers/credentials", {"variable": "CEREBRAS_API_KEY", "value": "x"}).json()["error"]["code"] == (
        "credentials_fixed"
    )


@pytest.mark.parametrize(
    ("reply", "state", "says"),
    [
        (Reply.json(400, error("No model")), "ok", "deepseek takes the key"),
        (Reply.json(401, error("No")), "refused", "deepseek refuses the key (status 401)."),
        (Reply.json(429, error("Slow")), "limited", "deepseek takes the key, but answers 429"),
        (Reply.json(500, error("Oh")), "failing", "deepseek answers with status 500."),
        (Reply.hangup(), "unreachable", "deepseek can't be reached"),
    ],
)
def test_a_provider_is_tried(desk: Desk, upstream: FakeUpstream, reply: Reply, state: str, says: str) -> None:
    upstream.answers(reply)
    told = desk.ask("POST", "/providers/test", {"provider": "deepseek"}).json()
    assert (told["state"], told["ok"], told["message"].startswith(says)) == (state, state == "ok", True), told
    assert upstream.calls[-1].body == b"{}", "it costs nothing"


def test_a_provider_that_is_off_is_not_tried(desk: Desk) -> None:
    assert desk.ask("POST", "/providers/test", {"provider": "nobody"}).json()["error"]["code"] == "provider_off"


class TestAddingACredential:
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / ".env"

    @pytest.fixture
    def gateway_with_file(self, tmp_path, upstream, file, monkeypatch):
        """Serves with a file of variables, in which something stands already."""
        file.write_text("# mine\nexport CEREBRAS_API_KEY=old\nPORT=1\n")
        from_environment = Settings.from_environment

        def with_file(variables):
            settings = from_environment({**variables, "CEREBRAS_API_KEY": "old", "CEREBRAS_BASE_URL": upstream.url})
            return replace(settings, credentials_file=file, file_variables=frozenset({"CEREBRAS_API_KEY", "PORT"}))

        monkeypatch.setattr(Settings, "from_environment", with_file)
        with serving(tmp_path, upstream) as desk:
            yield desk

    def put(self, desk: Desk, variable: str, value: object) -> dict:
        return desk.ask("POST", "/providers/credentials", {"variable": variable, "value": value}).json()

    def test_it_is_used_at_once_and_after_the_next_start(self, gateway_with_file, file, upstream) -> None:
        desk = gateway_with_file
        upstream.answers(plays({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}))
        assert self.put(desk, "CEREBRAS_API_KEY", " csk-new ") == {
            "variable": "CEREBRAS_API_KEY",
            "action": "updated",
            "on": ["cerebras"],
        }
        assert desk.chat("sk-local", "cerebras/gpt-oss-120b").status_code == 200
        assert upstream.calls[-1].headers["authorization"] == "Bearer csk-new"
        assert file.read_text() == "# mine\nPORT=1\nCEREBRAS_API_KEY='csk-new'\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert self.put(desk, "XAI_API_KEY", "xai-1")["action"] == "created"
        assert provider(desk, "xai")["from"] == ".env"
        assert self.put(desk, "AZURE_API_KEY", "a-1")["on"] == [], "it needs an address as well"

    def test_it_is_shown_nowhere(self, gateway_with_file) -> None:
        desk = gateway_with_file
        self.put(desk, "CEREBRAS_API_KEY", "csk-secret")
        events = desk.ask("GET", "/audit").json()["data"]
        assert [(event["table_name"], event["object_id"], event["action"]) for event in events] == [
            ("credential", "CEREBRAS_API_KEY", "updated")
        ]
        assert "csk-secret" not in json.dumps(events) + desk.ask("GET", "/providers?all=true").text

    @pytest.mark.parametrize(
        ("variable", "value", "says"),
        [
            ("CEREBRAS_BASE_URL", "https://elsewhere.example", "Addresses are set where the gateway is started."),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/passwd", "is no variable of a provider's credential"),
            ("PATH", "/tmp", "is no variable of a provider's credential"),
            ("DEEPSEEK_API_KEY", "m-2", "is set where this gateway was started"),
            ("CEREBRAS_API_KEY", "a\nPATH=/tmp", "visible ASCII"),
            ("CEREBRAS_API_KEY", "a'b", "visible ASCII"),
            ("CEREBRAS_API_KEY", "", "Missing required parameter"),
            ("CEREBRAS_API_KEY", 7, "Missing required parameter"),
        ],
    )
    def test_what_is_not_taken(self, gateway_with_file, file, variable, value, says) -> None:
        before = file.read_text()
        assert says in self.put(gateway_with_file, variable, value)["error"]["message"]
        assert file.read_text() == before


def test_a_gateway_of_tests_has_no_file(tmp_path, upstream) -> None:
    gateway = Gateway.local(Settings.from_environment(environment(tmp_path, upstream)))
    assert gateway.credentials.current() is gateway.settings.access


def record(*attempts: tuple[str, int, int]) -> Record:
    told = [
        {"target": target, "status": status, "code": None if status == 200 else "x", "duration_ms": ms, "first_byte_ms": ms // 2}
        for target, status, ms in attempts
    ]
    return Record("r", "key#1", NOW_S, "ok", 0, {"attempts": told})


def test_calls_of_processes_and_hours_are_added_up_in_few_writes(documents) -> None:
    writes = []
    put = documents.put
    documents.put = lambda kind, document: writes.append(kind) or put(kind, document)
    first, second = ProviderCalls(documents), ProviderCalls(documents)
    for number in range(400):
        first.add(record(("a/m", 429, 5), ("b/m", 200, 100)), NOW_S + number / 20)
    second.add(record(("a/m", 400, 5)), NOW_S)
    second.add(record(("b/m", 200, 100)), NOW_S + HOUR_S)
    for counter in (first, second):
        counter.write(NOW_S + HOUR_S)
    assert len(writes) <= 6
    found = read(documents, NOW_S - HOUR_S, NOW_S + 2 * HOUR_S)
    assert {
        target: [(hours[hour].attempts, hours[hour].failures) for hour in sorted(hours)] for target, hours in found.items()
    } == {
        "a/m": [(401, 400)],
        "b/m": [(400, 0), (1, 0)],
    }
    assert read(documents, NOW_S + 2 * HOUR_S, NOW_S + 3 * HOUR_S) == {}


def test_old_calls_are_deleted_with_a_new_day(documents) -> None:
    old = KIND + to_day(NOW_S - KEPT_DAYS * DAY_S)
    documents.put(old, Document("x", {"hour": 0, "targets": {}}, 0))
    ProviderCalls(documents).add(record(("a/m", 200, 5)), NOW_S)
    assert documents.all(old) == []


def test_percentiles_are_right_to_a_third() -> None:
    calls = Calls()
    for milliseconds in range(1, 1_001):
        calls.add({"status": 200, "code": None, "duration_ms": milliseconds, "first_byte_ms": None}, time.time())
    assert percentile(calls.duration_ms, 0.5) == pytest.approx(500, rel=0.05)
    assert percentile(calls.duration_ms, 0.95) == pytest.approx(950, rel=0.2)
    assert percentile({}, 0.5) is None
    assert percentile({len(BOUNDS_MS): 1}, 0.5) == BOUNDS_MS[-1]
