"""A scene for the tests of the stores: one store with a clock of its own, and short ways to make accounts, holds and records."""

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.aws_lambda.rollup import DailyTotals
from haimaker.observability.observer import Observer
from haimaker.store import Account, Granted, ModelHold, Record, Reservation, Store
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.ledger import IRREPARABLE, grant
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.tables import (
    create_tables,
    expired_reservations,
    limits_of_item,
    record_item,
    to_attributes,
    total_counters,
)
from tests.support import dynamodb_emulators

START_S = 1_790_000_000.0
"""20 seconds into a minute."""
TABLES = {"accounts": "test-accounts", "records": "test-records"}


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Scene:
    store: Store
    clock: Clock
    name: str
    kind: str = field(default_factory=lambda: f"k{uuid.uuid4().hex[:12]}")
    numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def many(self) -> int:
        """Who want something at once, of whom ten get it. An emulator takes milliseconds for each."""
        return 60 if self.name == "sqlite" else 30

    def account(self, **settings) -> Account:
        """A new account in the store; budgets are in nano-dollars."""
        account_id = f"{self.kind}#{next(self.numbers):03d}"
        account = Account(account_id, "sk-hm-abcd...wxyz", int(self.clock.now_s), **settings)
        assert self.store.put(account)
        return account

    def reservation(
        self, account: Account, amount: int = 100, tokens: int = 10, lasts_s: int = 300, models: Sequence[str] = ()
    ) -> Reservation:
        """Of the models the same is held."""
        request_id = f"{self.kind}-{next(self.numbers)}"
        now_s = self.clock.now_s
        held = tuple(ModelHold(model, amount, tokens, account.model_limits[model]) for model in models)
        return Reservation(request_id, account.id, account.version, amount, tokens, now_s, int(now_s) + lasts_s, models=held)

    def reservations(self, *accounts: Account, **options: int) -> list[Reservation]:
        """Of one request on several accounts."""
        billed = tuple(account.id for account in accounts)
        first = self.reservation(accounts[0], **options)
        return [
            replace(
                first,
                account_id=account.id,
                version=account.version,
                billed=billed,
                alerts_at=account.alerts_at,
            )
            for account in accounts
        ]

    def admitted(self, account: Account, *arguments: int, **options: int) -> Reservation:
        outcome = self.store.reserve(self.reservation(account, *arguments, **options))
        assert isinstance(outcome, Granted), outcome
        return outcome.reservation

    def settle(
        self, reservation: Reservation, cost: int = 0, tokens: int = 10, models: Mapping[str, list[int]] | None = None
    ) -> bool:
        """`models` are the cost and tokens of those that were used; all of them have used all where it is not given."""
        used = {hold.model: [cost, tokens] for hold in reservation.models} if models is None else dict(models)
        detail = {"model_limits": used} if reservation.models else {}
        return self.store.settle(reservation, record(reservation, cost, **detail), tokens) is not None

    def roll_up(self, since_s: float, until_s: float) -> None:
        """What the stream of new records brings about where totals are rolled up from it."""
        if self.name == "moto":
            found, _ = self.store.records(None, since_s, until_s)
            rollup = DailyTotals(self.store.dynamo, TABLES["accounts"], TABLES["records"], Observer())
            changes = [{"eventName": "INSERT", "dynamodb": {"NewImage": to_attributes(record_item(one))}} for one in found]
            rollup.add({"Records": changes})

    def money(self, account: Account) -> tuple[int, int, int]:
        """Spent in this window, held, and spent in all."""
        balance = self.store.get(account.id)
        assert balance is not None
        return balance.spend_nanousd, balance.held_nanousd, balance.total_spend_nanousd


def record(reservation: Reservation, cost: int = 0, **detail) -> Record:
    return Record(reservation.request_id, reservation.account_id, reservation.now_s, "ok", cost, detail)


def client(endpoint: str, kind: type[AWSClient] = AWSClient, **options) -> AWSClient:
    return kind("dynamodb", "us-east-1", Credentials("AKID", "secret"), endpoint, timeout_s=60, **options)


def _tables_in(emulator):
    with emulator() as endpoint:
        create_tables(client(endpoint), TABLES)
        yield endpoint


@pytest.fixture(scope="session")
def moto():
    yield from _tables_in(dynamodb_emulators.moto_locked)


@pytest.fixture(scope="session")
def dynalite():
    try:
        yield from _tables_in(dynamodb_emulators.dynalite)
    except dynamodb_emulators.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["moto", "dynalite"])
def endpoint(request):
    return request.getfixturevalue(request.param)


class SplitStore(DynamoStore):
    """Every account has four shards from the start. What other requests would do at the shards that one does not meet is done here,
    and a grant tells what all shards have left."""

    def put(self, account: Account, spent_as=None) -> bool:
        made = super().put(account, spent_as)
        for _ in range(2 if made else 0):
            self.shards.grow(account.id)
        return made

    def reserve(self, reservation: Reservation):
        outcome = super().reserve(reservation)
        if isinstance(outcome, Granted) or outcome.reason not in IRREPARABLE:
            for item in self.shards.read_all(reservation.account_id):
                self._renew(item, reservation.now_s)
                self._charge(expired_reservations(item, reservation.now_s))
        if not isinstance(outcome, Granted):
            return outcome
        items = self.shards.read_all(reservation.account_id)
        limits = {name: limit for name, limit in limits_of_item(items[0]).items() if name != "budget"}
        return grant(total_counters(items, reservation.now_s)._replace(**limits), outcome.reservation)


@pytest.fixture(params=["sqlite", "moto", "dynalite", "split"])
def scene(request, tmp_path, monkeypatch):
    clock = Clock()
    if request.param == "sqlite":
        store = SQLiteStore(tmp_path / "home" / "store.sqlite", clock)
        yield Scene(store, clock, "sqlite")
        store.close()
    else:
        emulator = "moto" if request.param == "split" else request.param
        monkeypatch.setattr("haimaker.store.dynamo_shards.GROW_EVERY_S", 0)
        dynamo = client(request.getfixturevalue(emulator))
        rolled_up = emulator == "moto"  # dynalite has no transactions
        kind = SplitStore if request.param == "split" else DynamoStore
        store = kind(TABLES["accounts"], TABLES["records"], dynamo, clock, rolled_up=rolled_up)
        yield Scene(store, clock, emulator)
        dynamo.close()
        if emulator == "moto":
            dynamodb_emulators.empty_in_moto(TABLES.values())
