"""Alerts reach a real receiver: each once, again where that helps, nowhere else, and whatever the receiver does is bounded."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from haimaker.http import proxies
from haimaker.observability import alerts, observer
from haimaker.observability.observer import Observer
from haimaker.services import Services
from haimaker.settings.settings import Settings
from haimaker.store import Account, BudgetAlert, Granted, Record, Reservation, StoreUnavailable
from haimaker.store.sqlite import SQLiteStore
from tests.contract.money_support import wait_until
from tests.support.builders import record
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

ALERT = BudgetAlert("key#1", 9 * 10**8, 8 * 10**8, 80)
OK = Reply.json(200, {})
SECRET = "T0/B0/a-secret"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerts, "PAUSES_S", (0.0, 0.0))
    with FakeUpstream() as receiver:
        yield receiver


def log(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("replies", "calls", "reason"),
    [
        ([OK], 1, None),
        ([Reply.json(204, {})], 1, None),
        ([Reply.json(503, {}), OK], 2, None),
        ([Reply.json(429, {}), Reply.json(500, {}), OK], 3, None),
        ([Reply.json(500, {})] * 4, 3, "The receiver answers with status 500."),
        ([Reply.json(404, {})], 1, "The receiver answers with status 404."),
        ([Reply.json(302, {}, headers={"location": "http://169.254.169.254/"})], 1, "The receiver answers with status 302."),
    ],
)
def test_an_alert_is_sent_again_where_that_helps(
    receiver: FakeUpstream, capsys: pytest.CaptureFixture[str], replies: list[Reply], calls: int, reason: str | None
) -> None:
    receiver.answers(*replies)
    Observer(alert_webhook=f"{receiver.url}/{SECRET}?sig=s").budget_alert(ALERT, "ada")
    assert [(call.method, call.path, call.json["event"]) for call in receiver.calls] == [
        ("POST", f"/v1/{SECRET}?sig=s", "budget_threshold_crossed")
    ] * calls
    failures = [line for line in log(capsys) if line["message"] == "an alert could not be sent"]
    assert [(line["reason"], line["account"], line["event"]) for line in failures] == (
        [(reason, "key#1", "budget_threshold_crossed")] if reason else []
    )
    assert SECRET not in repr(failures)


def test_a_receiver_that_is_gone_is_told_to_the_log(receiver: FakeUpstream, capsys: pytest.CaptureFixture[str]) -> None:
    Observer(alert_webhook=f"http://127.0.0.1:9/{SECRET}").budget_alert(ALERT)
    [line] = [line for line in log(capsys) if line["message"] == "an alert could not be sent"]
    assert SECRET not in repr(line)
    assert "127.0.0.1" not in repr(line)


def test_alerts_go_through_the_proxy(receiver: FakeUpstream) -> None:
    receiver.answers(OK)
    through = proxies.from_environment({"HTTP_PROXY": receiver.url.removesuffix("/v1")})
    Observer(alert_webhook=f"http://hooks.example/{SECRET}", proxies=through).reservations_lost(1)
    assert [call.path for call in receiver.calls] == [f"http://hooks.example/{SECRET}"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("R&D <b>", "R&amp;D &lt;b&gt;"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("@everyone", "@\u200beveryone"),
        ("@here", "@\u200bhere"),
        ("ada@example.com", "ada@example.com"),
    ],
)
def test_a_name_is_no_markup_and_calls_for_nobody(receiver: FakeUpstream, name: str, shown: str) -> None:
    receiver.answers(OK)
    Observer(alert_webhook=receiver.url).budget_alert(ALERT, name)
    [call] = receiver.calls
    assert call.json["text"].startswith(f"The key {shown} has spent $0.90")
    assert call.json["account_name"] == name, "which programs read"


def test_a_team_is_called_as_people_call_it(receiver: FakeUpstream, tmp_path: Path) -> None:
    receiver.answers(OK)
    store = SQLiteStore(tmp_path / "haimaker.sqlite")
    team = Account("team#4f0c", "4f0c", 0, alias="Growth", budget_nanousd=100)
    store.put(team)
    granted = store.reserve(Reservation("r", team.id, 1, 90, 0, 1.8e9, int(1.9e9), alerts_at=team.alerts_at))
    assert isinstance(granted, Granted)
    settled = store.settle(granted.reservation, Record("r", team.id, 1.8e9, "ok", 85, {}), 0)
    store.close()
    assert settled
    assert [alert.percent for alert in settled.alerts] == [50, 80]
    Observer(alert_webhook=receiver.url).budget_alert(settled.alerts[1])
    assert receiver.calls[0].json["text"].startswith("The team Growth has spent")


def test_a_receiver_that_hangs_holds_up_ten_alerts_at_most(
    receiver: FakeUpstream, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "ALERT_WAIT_S", 0)
    goes_on = threading.Event()

    def hang(_: Call) -> Reply:
        assert goes_on.wait(10)
        return OK

    receiver.answers(hang)
    sending = Observer(alert_webhook=receiver.url)
    for _ in range(observer.MAX_ALERTS + 3):
        sending._alert({"event": "e", "text": "t"}, wait_s=0)
    goes_on.set()
    assert all(sending._room.acquire(timeout=10) for _ in range(observer.MAX_ALERTS)), "all of them end"
    failures = [line["reason"] for line in log(capsys) if line["message"] == "an alert could not be sent"]
    assert failures == ["Too many alerts are being sent."] * 3


def test_a_target_that_keeps_failing_is_told_once_an_hour_by_all_processes(receiver: FakeUpstream, tmp_path: Path) -> None:
    receiver.answers(OK)
    settings = Settings.from_environment({"HAIMAKER_HOME": str(tmp_path), "HAIMAKER_ALERT_WEBHOOK": receiver.url})
    stores = [SQLiteStore(tmp_path / "haimaker.sqlite") for _ in range(2)]
    processes = [Services(settings, store, SimpleNamespace(current=dict)) for store in stores]
    for target in ("openai/a", "openai/b"):
        for services in processes:
            for until_s in (1_798_761_600, 1_798_761_660):
                services._tell_of_circuit(target, until_s, until_s == 1_798_761_600)
                wait_until(lambda observed=services.observer: observed._room._value == observer.MAX_ALERTS)
    assert [call.json["target"] for call in receiver.calls] == ["openai/a", "openai/b"]
    later_s = time.time() + alerts.TOLD_AGAIN_S
    assert [alerts.claim_circuit(stores[0].documents, "openai/a", later_s) for _ in range(2)] == [True, False]
    for store in stores:
        store.close()

    class Failing:
        def get(self, *_: str) -> None:
            raise StoreUnavailable("gone")

    assert alerts.claim_circuit(Failing(), "openai/a", 0.0), "better twice than never"  # type: ignore[arg-type]


def test_what_a_killed_gateway_had_reserved_is_told_when_it_starts_again(receiver: FakeUpstream, tmp_path: Path) -> None:
    from haimaker.gateway import Gateway

    receiver.answers(OK)
    store = SQLiteStore(tmp_path / "haimaker.sqlite")
    team, key = Account("team#t", "t", 0), Account("key#k", "k", 0)
    store.put(team)
    store.put(key)
    sibling = Reservation("r", team.id, 1, 10, 0, 1.8e9, int(1.9e9))
    store.reserve(Reservation("r", key.id, 1, 10, 0, 1.8e9, int(1.9e9)))
    store.reserve(sibling)
    store.close()
    settings = Settings.from_environment(
        {"HAIMAKER_HOME": str(tmp_path), "HAIMAKER_ALERT_WEBHOOK": f"{receiver.url}/hook/?sig=a%2Fb&v=1"}
    )
    gateway = Gateway.local(settings)
    [call] = receiver.calls
    assert call.path.endswith("/hook/?sig=a%2Fb&v=1"), "as it is: a secret may stand in its query"
    assert (call.json["event"], call.json["count"]) == ("reservations_lost", 1)
    assert call.json["text"].startswith("1 request was lost")
    gateway.observer.request(record())
    assert len(receiver.calls) == 1
