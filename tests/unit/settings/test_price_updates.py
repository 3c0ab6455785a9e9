"""Newer prices out of the store: when they are read, which are taken, and that a request keeps to one version."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from haimaker.gateway import Gateway
from haimaker.http.values import Request
from haimaker.models.catalog import find_model
from haimaker.models.table import TABLE, Table, current_table, packaged_table, use_table
from haimaker.settings import price_updates
from haimaker.settings.price_updates import KIND, LINES, VERSION, PriceUpdates, publish
from haimaker.settings.settings import Settings
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents
from haimaker.store.sqlite import SQLiteStore
from local.command_line.prices import check_table
from local.command_line.stack import OperatorError
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import Reply


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, message: str, **fields: object) -> None:
        self.lines.append(message)

    def audit(self, event: dict) -> None:
        self.lines.append(event["action"])


class Counting:
    """Documents whose reads are counted, and which can fail."""

    def __init__(self, documents: Documents) -> None:
        self._documents, self.read, self.fails = documents, list[str](), False

    def get(self, kind: str, name: str) -> Document | None:
        if self.fails:
            raise StoreUnavailable("gone")
        self.read.append(name)
        return self._documents.get(kind, name)


def lines(date: str = "2099-01-01", rate: str = "0.001") -> bytes:
    rates = {"input_cost_per_token": rate, "output_cost_per_token": rate, "fast_multiplier": "2"}
    row = {"mode": "chat", "supports": [], "rates": rates}
    table = [("", {"date": date}), ("openai/gpt-4o-mini", row), ("openai/other", row)]
    return "".join(f"{name}\t{json.dumps(said)}\n" for name, said in table).encode()


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    store = SQLiteStore(tmp_path / "haimaker.sqlite")
    yield store.documents
    store.close()
    use_table(None)


@pytest.fixture
def log() -> Log:
    return Log()


def updates(documents: Documents | Counting, log: Log) -> PriceUpdates:
    return PriceUpdates(documents, log)  # type: ignore[arg-type]


def rate_of(model: str = "gpt-4o-mini") -> str | None:
    found = find_model("openai", model)
    return found and found.rates["input_cost_per_token"]


def test_a_newer_table_is_taken_once_and_asked_for_every_ten_minutes(
    documents: Documents, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr(price_updates.time, "monotonic", lambda: now_s[0])
    counting = Counting(documents)
    prices, before = updates(counting, log), find_model("openai", "gpt-4o-mini")
    assert publish(documents, lines())
    assert not publish(documents, lines())
    prices.refresh()
    assert (rate_of(), rate_of("gpt-4o"), current_table().date) == ("0.001", None, "2099-01-01")
    assert before is not None
    assert before.served_as("gpt-4o").priced, "a request keeps to the table that it was reserved by"
    prices.refresh()
    now_s[0] += 599
    prices.refresh()
    assert counting.read == [VERSION, LINES]
    now_s[0] += 1
    prices.refresh()
    assert counting.read == [VERSION, LINES, VERSION]
    assert publish(documents, lines(rate="0.002"))
    now_s[0] += 600
    prices.refresh()
    assert (rate_of(), log.lines) == ("0.002", ["prices renewed"] * 2)


def test_a_table_that_is_older_than_the_packages_is_left(documents: Documents, log: Log) -> None:
    publish(documents, lines(date="2020-01-01"))
    updates(documents, log).refresh()
    assert current_table() is packaged_table()


@pytest.mark.parametrize(
    "body",
    [{"lines": "AAAA"}, {"lines": 7}, {}, {"lines": "eJzLSM3JyVcozy/KSQEAGgsEXQ=="}],
    ids=["broken", "number", "none", "other"],
)
def test_what_is_no_table_is_told_and_left(documents: Documents, log: Log, body: dict) -> None:
    publish(documents, lines())
    kept = documents.get(KIND, LINES)
    assert kept is not None
    assert documents.put(KIND, kept._replace(body=body))
    updates(documents, log).refresh()
    assert (current_table() is packaged_table(), log.lines) == (True, ["the store's prices are no table of prices"])


def test_a_store_that_fails_fails_nothing(documents: Documents, log: Log) -> None:
    counting = Counting(documents)
    counting.fails = True
    updates(counting, log).refresh()
    assert log.lines == ["newer prices could not be read"]


class Slow(Counting):
    """Documents that answer when they are told to."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.may_answer = Event()

    def get(self, kind: str, name: str) -> Document | None:
        assert self.may_answer.wait(10)
        return super().get(kind, name)


def test_no_start_waits_and_what_runs_for_long_asks_beside_its_requests(
    documents: Documents, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr(price_updates.time, "monotonic", lambda: now_s[0])
    publish(documents, lines())
    slow = Slow(documents)
    prices = updates(slow, log)
    for later_s in (0, 59):
        now_s[0] += later_s
        prices.refresh_in_background()
    now_s[0] += 1
    prices.refresh_in_background()
    assert current_table() is packaged_table()
    slow.may_answer.set()
    prices.finish(10)
    assert (rate_of(), slow.read) == ("0.001", [VERSION, LINES])


def test_a_function_that_is_frozen_asks_after_an_answer_if_it_charged_by_its_prices(documents: Documents, log: Log) -> None:
    publish(documents, lines())
    counting = Counting(documents)
    prices = updates(counting, log)
    prices.finish(10)
    assert counting.read == []
    prices.used = True
    for _ in range(2):
        prices.finish(10)
        assert (rate_of(), counting.read) == ("0.001", [VERSION, LINES])


def test_a_function_without_time_after_its_answer_asks_before_its_second(documents: Documents, log: Log) -> None:
    counting = Counting(documents)
    prices = updates(counting, log)
    prices.refresh_before_answer()
    assert counting.read == []
    prices.refresh_before_answer()
    assert counting.read == [VERSION]


def test_a_request_is_charged_by_the_newest_prices(documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the local gateway, a while after its start: the first that meets newer ones is served beside the asking."""
    monkeypatch.setattr(price_updates, "FIRST_S", 0.0)
    publish(documents, lines())
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    with FakeUpstream() as upstream:
        upstream.answers(Reply.json(200, completion("Hi", usage=usage)))
        environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.url, "HAIMAKER_ADMIN_KEY": "sk-local"}
        gateway = Gateway.local(Settings.from_environment({**environment, "HAIMAKER_HOME": str(tmp_path)}))
        body = json.dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        for request_id in ("first", "second"):
            response = gateway.handle("chat_completions", Request(request_id, {"authorization": "Bearer sk-local"}, body))
            gateway.prices.finish(10)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["usage"]["cost"] == 0.015
    second = gateway.store.record("second")
    assert second is not None
    assert second.cost_nanousd == 15_000_000


def test_an_old_table_is_told_once(documents: Documents, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_updates, "ASK_EVERY_S", 0)
    use_table(Table(lines(date="2020-01-01")))
    prices = updates(documents, log)
    prices.refresh()
    prices.refresh()
    assert log.lines == ["the prices are old: see make prices"]


def test_the_packages_own_table_can_be_given(tmp_path: Path) -> None:
    assert check_table(TABLE) == TABLE.read_bytes()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"", "is no table"),
        (b"\t{}\n", "is no table"),
        (lines().replace(b"fast_multiplier", b"fast_price"), "line 2: fast_price"),
        (lines().replace(b"0.001", b"-1"), "line 2: not an amount"),
        (lines().replace(b"openai/other", b"a"), "not in the order"),
        (lines().replace(b'"chat"', b"1"), "line 2: mode"),
    ],
)
def test_what_is_no_table_is_not_given(tmp_path: Path, wrong: bytes, why: str) -> None:
    file = tmp_path / "models.tsv"
    file.write_bytes(wrong)
    with pytest.raises(OperatorError, match=why):
        check_table(file)
