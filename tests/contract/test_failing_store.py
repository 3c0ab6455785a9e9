"""A thousand requests while DynamoDB is throttled, slow, half-answering and unreachable: none is free, none is charged twice, and
no budget is overspent. While the gateway can't admit, it says when to come back."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock
from typing import NamedTuple

import pytest

from haimaker.accounts.keys import account_id_of, new_key
from haimaker.accounts.kinds import END_USER
from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.gateway import Gateway
from haimaker.http.values import Request
from haimaker.settings.settings import Settings
from haimaker.store import Account, ModelLimit, Store
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import create_tables
from local.command_line.reconcile import Reconciliation
from tests.contract.money_support import MODEL, chat_body, environment, nanousd
from tests.support import dynamodb_emulators, openai_wire
from tests.support.aws_front import AWSFront, Fault
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

ASKED = 1_000
FAULTS: tuple[Fault, ...] = ("throttled", "failing", "dropped", "lost", "half", "slow")
TABLES = {"accounts": "failing-accounts", "records": "failing-records"}
TIMEOUT_S = 0.4
BROWSING = "groq/openai/gpt-oss-20b"
SEARCHED = 5_000_000
"""What a search of Groq's browser costs, in nano-dollars."""


class Flaky(AWSFront):
    """Breaks calls by chance, and for a while all of them."""

    source, lock, failing, count = random.Random(7), Lock(), True, 0

    def fault(self, call: str) -> Fault | None:
        with self.lock:
            self.count += 1
            if not self.failing:
                return None
            if self.count % 1_000 < 60:
                return "dropped"
            return self.source.choice(FAULTS) if self.source.random() < 0.06 else None

    def wait(self) -> None:
        time.sleep(1.5 * TIMEOUT_S)


def later() -> float:
    """When the deadlines of all holds have passed."""
    return time.time() + 10**5


def client(url: str, timeout_s: float) -> AWSClient:
    return AWSClient(
        "dynamodb", "us-east-1", Credentials("AKID", "secret"), url, timeout_s=timeout_s, total_timeout_s=timeout_s / 2
    )


@contextmanager
def stores() -> Iterator[tuple[Flaky, Store, Store]]:
    """The front that fails, the store behind it, and the same tables reached directly."""
    with dynamodb_emulators.dynalite() as url, Flaky(url, url).serving() as front:
        direct = client(url, 20)
        create_tables(direct, TABLES)
        names = (TABLES["accounts"], TABLES["records"])
        yield front, DynamoStore(*names, client(front.url, TIMEOUT_S)), DynamoStore(*names, direct, later)


class Answer(NamedTuple):
    request_id: str
    status: int
    comes_back: bool
    """Whether an error says when to come back."""
    searches: bool
    cost_nanousd: int | None
    """As a whole answer tells it."""


def ask(gateway: Gateway, number: int, key: str, body: JSON) -> Answer:
    request = Request(f"r-{number}", {"authorization": f"Bearer {key}"}, json.dumps(body).encode())
    response = gateway.handle("chat_completions", request)
    cost = None
    if not isinstance(response.body, bytes):
        b"".join(response.body)
    elif response.status == 200:
        cost = nanousd(json.loads(response.body, parse_float=Decimal)["usage"]["cost"])
    comes_back = int(response.headers.get("retry-after", 0)) > 0
    return Answer(request.id, response.status, comes_back, body["model"] == BROWSING, cost)


def browses(call: Call) -> Reply:
    """What Groq's browser did is billed by the piece, beside tokens."""
    if call.json["model"] != BROWSING.partition("/")[2]:
        return openai_wire.plays_openai()(call)
    completion = openai_wire.completion(usage=openai_wire.usage(10, 5))
    completion["choices"][0]["message"]["executed_tools"] = [{"index": 0, "type": "browser.search"}]
    return Reply.json(200, completion)


def test_a_store_that_fails_in_every_way_costs_nobody_a_nano_dollar(tmp_path):
    try:
        with stores() as (front, failing, direct), FakeUpstream() as upstream:
            upstream.answers(browses)
            gateway = Gateway.from_store(Settings.from_environment(environment(tmp_path, upstream)), failing)
            accounts = make_accounts(direct)
            answers = send_all(gateway, list(accounts)[:4])
            front.failing = False
            front.wait()  # for calls that were given up, and are still to come
            check(answers, direct, accounts, len(upstream.calls))
    except dynamodb_emulators.Unavailable as reason:
        pytest.skip(str(reason))


def make_accounts(store: Store) -> dict[str, Account]:
    """Four keys, two of them of a team whose budget some of their requests exceed, and a user."""
    made: dict[str, Account] = {}
    for number in range(4):
        key = new_key()
        made[key] = Account(
            account_id_of(key),
            f"key-{number}",
            int(time.time()),
            team_id="team" if number % 2 else None,
            model_limits={MODEL: ModelLimit(10**9)},
        )
    limits = {"gpt-4o-mini": ModelLimit(1_500_000)}
    made["team"] = Account("team#team", "team", int(time.time()), budget_nanousd=2_000_000, model_limits=limits)
    made["user"] = Account(END_USER.account_id("zoe"), "zoe", int(time.time()), budget_nanousd=10**9)
    assert all(store.put(account) for account in made.values())
    return made


def send_all(gateway: Gateway, keys: list[str]) -> list[Answer]:
    def send(number: int) -> Answer:
        options: JSON = {"max_tokens": 64, "stream": number % 3 == 0, **({"user": "zoe"} if number % 5 == 0 else {})}
        if number % 14 == 0:
            options |= {"model": BROWSING, "stream": False, "web_search_options": {"search_context_size": "low"}}
        return ask(gateway, number, keys[number % 4], chat_body(**options))

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(send, range(ASKED)))


def check(answers: list[Answer], store: Store, accounts: dict[str, Account], calls: int) -> None:
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {200, 402, 429, 503}, statuses
    assert statuses[200] > 300, statuses
    assert statuses[503] > 10, statuses
    assert all(answer.comes_back for answer in answers if answer.status in (429, 503))
    said: list[str] = []
    assert Reconciliation(store, False, said.append, later, lambda _: None).run() == 0, said
    assert sum(answer.searches and answer.status == 200 for answer in answers) > 20
    records = {answer.request_id: store.record(answer.request_id) for answer in answers}
    for answer in answers:
        record = records[answer.request_id]
        if answer.status == 200:
            assert record is not None, "it was answered, and would be free"
            assert record.cost_nanousd >= (SEARCHED if answer.searches else 4_500)
            assert record.status == "lost" or answer.cost_nanousd in (None, record.cost_nanousd)
        else:
            assert record is None or record.status == "lost", "it was not sent"
    assert calls == statuses[200], "nothing was sent that was not admitted"
    searched = {answer.request_id for answer in answers if answer.searches}
    for account in accounts.values():
        balance = store.get(account.id)
        assert balance is not None
        charged = [one for one in records.values() if one and account.id in (one.account_id, *one.detail.get("charged", ()))]
        assert balance.total_spend_nanousd == sum(one.cost_nanousd for one in charged)
        assert (balance.held_nanousd, balance.reservations) == (0, 0)
        assert balance.total_spend_nanousd <= (account.budget_nanousd or 10**18)
        of_model = sum(one.cost_nanousd for one in charged if one.request_id not in searched)
        for model, each in balance.models.items():
            assert of_model <= each.spend_nanousd <= (account.model_limits[model].budget_nanousd or 0)
            assert each.held_nanousd == 0
    assert Reconciliation(store, True, said.append, later, lambda _: None).run() == 0, said
