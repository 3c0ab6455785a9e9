"""Requests whose calls of DynamoDB meet in any order and fail in any way: in the end the accounts have spent what the records say,
and nothing is held.

A seed says who is next at each call and what becomes of it. More of them: `INTERLEAVINGS=1000 make test ARGS=…`.
"""

import os
import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from haimaker.aws.client import AWSClient
from haimaker.billing import admission
from haimaker.store import Account, Granted, ModelHold, ModelLimit, Record, Reservation, StoreUnavailable, limits_of, tables
from haimaker.store.dynamodb import DynamoStore
from tests.unit.store.conftest import START_S, TABLES, Clock, client

SEEDS = range(int(os.environ.get("INTERLEAVINGS", "0"))) or (32, 91, 202, 221, 228, 302)
"""Those that have found something."""
FAULTS = {
    "throttled": (400, b'{"__type": "ProvisionedThroughputExceededException"}'),
    "failing": (500, b'{"__type": "InternalServerError"}'),
    "dropped": ConnectionResetError(),
}
"""Of a call that is not carried out."""
LOST = {"failed": FAULTS["failing"], "lost": ConnectionResetError(), "late": TimeoutError()}
"""Of one that is."""
LIMIT = ModelLimit(budget_nanousd=5_000)
TOO_LATE_S = 10_000


class Turns:
    """One party moves at a time, from one of its calls to the next, and chance says who."""

    def __init__(self, source: random.Random, parties: int) -> None:
        self.source, self.parties = source, parties
        self._waiting: list[str] = []
        self._next: str | None = None
        self._changed = threading.Condition()

    def wait_for(self, name: str) -> None:
        with self._changed:
            self._waiting.append(name)
            self._choose()
            assert self._changed.wait_for(lambda: self._next == name, 60), f"{name} was never next"

    def end(self, *, ended: bool = False) -> None:
        with self._changed:
            self._next = None
            self.parties -= ended
            self._choose()

    def _choose(self) -> None:
        if self._next is None and self._waiting and len(self._waiting) == self.parties:
            self._next = self.source.choice(sorted(self._waiting))
            self._waiting.remove(self._next)
            self._changed.notify_all()


class Chancy(AWSClient):
    """Waits for its turn before each call, of which some fail."""

    name: str
    turns: Turns

    def _exchange(self, connection, credentials, operation, body):
        self.turns.end()
        self.turns.wait_for(self.name)
        fault = self.turns.source.choice([*FAULTS, *LOST]) if self.turns.source.random() < 0.25 else None
        answer = FAULTS[fault] if fault in FAULTS else super()._exchange(connection, credentials, operation, body)
        answer = LOST.get(fault, answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Play:
    """Up to three requests of a key, its team and a user, which may draw from a pool, beside what charges lost requests."""

    def __init__(self, moto: str, seed: int) -> None:
        self.moto, self.source, self.clock = moto, random.Random(seed), Clock()
        self.kind, chance = f"i{uuid.uuid4().hex[:12]}", self.source.random
        self.store = DynamoStore(TABLES["accounts"], TABLES["records"], client(moto), self.clock)
        made = [
            Account(f"{self.kind}#key", "key", int(START_S), budget_nanousd=self.source.choice([None, 5_000]), parallel_limit=9),
            Account(f"{self.kind}#team", "team", int(START_S), model_limits={"m": LIMIT}, tpm_limit=10**6),
            Account(f"{self.kind}#user", "user", int(START_S), budget_nanousd=4_000),
        ]
        self.payers = made[: self.source.choice([1, 2, 2, 3])]
        assert all(self.store.put(account) for account in self.payers)
        if chance() < 0.25:
            self.store.shards.grow(self.payers[0].id)
        self.pool = f"{self.kind}-pool" if chance() < 0.4 else ""
        for reservation in self.reservations(self.pool, 300) if self.pool else ():
            assert self.store.open_pool(reservation) is None
        self.ids = [f"{self.kind}-{number}" for number in range(self.source.choice([1, 2, 3]))]
        self.unanswered = len(self.ids)

    def reservations(self, request_id: str, amount: int = 100) -> list[Reservation]:
        ids, now_s = tuple(account.id for account in self.payers), self.clock.now_s
        pool = self.pool if request_id != self.pool else ""
        return [
            Reservation(
                *(request_id, account.id, 1, amount, 10, now_s, int(now_s) + 60, ids),
                models=(ModelHold("m", amount, 10, LIMIT),) if account.model_limits and request_id != self.pool else (),
                pool=pool,
            )
            for account in self.payers
        ]

    def parties(self) -> dict[str, Callable[[DynamoStore], object]]:
        ends = ["settled", "settled", "failed", "given back", "killed"]
        found: dict[str, Callable[[DynamoStore], object]] = {
            request_id: partial(
                self.request,
                request_id,
                self.source.choice(ends),
                self.source.choice([0, 58, 70]),
                self.source.choice([0, 30, 130]),
            )
            for request_id in self.ids
        }
        if self.source.random() < 0.7:
            found |= {name: partial(self.charge_lost, self.source.choice([0, 55, 100])) for name in ("first", "second")}
        if self.source.random() < 0.3:
            found["grow"] = lambda store: store.shards.grow(self.payers[0].id)
        if self.pool and self.source.random() < 0.5:
            found["close"] = self.close_pool
        return found

    def pass_time(self, seconds: int) -> None:
        """Once all are admitted or refused: an admission takes no minutes."""
        self.clock.now_s += 0 if self.unanswered else seconds

    def request(self, request_id: str, end: str, takes_s: int, cost: int, store: DynamoStore) -> None:
        try:
            outcome = admission.reserve(store, self.reservations(request_id))
        finally:
            self.unanswered -= 1
        self.pass_time(takes_s)
        if not isinstance(outcome, Granted) or end == "killed":
            return
        reservation = outcome.reservation
        if end == "given back":
            admission.release(store, [reservation, *reservation.siblings])
            return
        first, *others = (account.id for account in self.payers)
        detail = {"charged": others, "model_limits": {"m": [cost, 10]}}
        record = Record(request_id, first, START_S, "error" if end == "failed" else "ok", cost, detail)
        for _ in range(3):
            with suppress(StoreUnavailable):
                store.settle(reservation, record, 10)
                break

    def charge_lost(self, after_s: int, store: DynamoStore) -> None:
        self.pass_time(after_s)
        for account in self.payers:
            store.charge_lost(account.id, self.clock.now_s)

    def close_pool(self, store: DynamoStore) -> None:
        for account in self.payers:
            store.close_pool(account.id, self.pool)

    def run(self) -> None:
        parties = self.parties()
        turns = Turns(self.source, len(parties))
        patience_s = self.source.choice([0.0, 60.0])

        def move(name: str, act: Callable[[DynamoStore], object]) -> None:
            dynamo = client(self.moto, Chancy, total_timeout_s=patience_s)
            dynamo.name, dynamo.turns = name, turns
            turns.wait_for(name)
            try:
                with suppress(StoreUnavailable):
                    act(DynamoStore(TABLES["accounts"], TABLES["records"], dynamo, self.clock))
            finally:
                turns.end(ended=True)
                dynamo.close()

        with ThreadPoolExecutor(len(parties)) as pool:
            list(pool.map(move, parties, parties.values()))
        self.unanswered = 0
        if self.pool:
            self.close_pool(self.store)
        for _ in range(2):
            self.charge_lost(TOO_LATE_S, self.store)

    def check(self) -> None:
        records = [record for request_id in self.ids if (record := self.store.record(request_id))]
        for account in self.payers:
            charged = [one.cost_nanousd for one in records if account.id in (one.account_id, *one.detail.get("charged", ()))]
            items = self.store.shards.read_all(account.id)
            counters = tables.total_counters(items, self.clock.now_s)
            assert counters.total_spend == sum(charged), (account.name, records)
            limits = limits_of(account)
            assert (counters.remaining, counters.free_slots) == (limits["budget"] - sum(charged), limits["parallel"])
            assert (counters.pooled, [item["holds"] for item in items]) == (0, [{}] * len(items))
            assert [each.taken for each in counters.models.values()] == [sum(charged)] * len(account.model_limits)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_meets_and_fails_the_accounts_have_spent_what_the_records_say(moto: str, monkeypatch, seed: int) -> None:
    monkeypatch.setattr("haimaker.aws.client.FIRST_BACKOFF_S", 0.0005)
    monkeypatch.setattr("haimaker.store.dynamo_shards.PAUSE_S", 0.001)
    play = Play(moto, seed)
    try:
        play.run()
        play.check()
    finally:
        play.store.dynamo.close()
