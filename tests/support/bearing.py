"""How many requests of one account a store bears: each is admitted, takes its time, and is settled, as in the gateway."""

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.store import Account, Granted, Record, Reservation, StoreUnavailable
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import create_tables
from tests.support.capacity import CapacityFront
from tests.support.dynamodb_emulators import moto_locked

TABLES = {"accounts": "capacity-accounts", "records": "capacity-records"}
MOST_AT_ONCE = 200
AMOUNT_NANOUSD, COST_NANOUSD = 2_000_000, 1_000_000
TIMEOUT_S = 30.0


@dataclass
class Borne:
    """What became of the requests of a load."""

    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    units: int = 0
    spent_nanousd: int = 0
    held_nanousd: int = 0

    @property
    def admitted_a_second(self) -> float:
        return self.counts["admitted"] / self.seconds


def bear(requests_a_second: float, answer_s: float, seconds: float, scale: float, *, before_s: float = 0.0) -> Borne:
    """Asks for so many requests a second of one account, where DynamoDB has `scale` of its throughput. Those of
    the first `before_s` seconds fill it with what is in flight and do not count."""
    with moto_locked() as moto, CapacityFront(moto, TABLES, scale).serving() as front, ThreadPoolExecutor(MOST_AT_ONCE) as threads:
        create_tables(_client(moto), TABLES)
        store = DynamoStore(TABLES["accounts"], TABLES["records"], _client(front.url))
        account = Account(f"key#{uuid.uuid4().hex}{uuid.uuid4().hex}", "sk-hm-abcd...wxyz", int(time.time()), budget_nanousd=10**15)
        DynamoStore(TABLES["accounts"], TABLES["records"], _client(moto)).put(account)
        borne, lock, begun_s = Borne(seconds), threading.Lock(), time.monotonic()

        def ask(counts: bool) -> None:
            outcome = _request(store, account, answer_s)
            with lock:
                borne.counts.update(outcome if counts else {each for each in outcome if each == "lost"})

        for number in range(round(requests_a_second * (before_s + seconds))):
            due_s = number / requests_a_second
            time.sleep(max(0.0, begun_s + due_s - time.monotonic()))
            threads.submit(ask, due_s >= before_s)
        threads.shutdown(wait=True)
        borne.throttled, borne.units = sum(front.throttled.values()), sum(front.units.values())
        balance = store.get(account.id)
        assert balance is not None
        borne.spent_nanousd, borne.held_nanousd = balance.total_spend_nanousd, balance.held_nanousd
        return borne


def _request(store: DynamoStore, account: Account, answer_s: float) -> set[str]:
    """What happened of `admitted`, `refused`, `settled` and `lost`, which is admitted and not settled."""
    now_s, request_id = time.time(), str(uuid.uuid4())
    reservation = Reservation(request_id, account.id, account.version, AMOUNT_NANOUSD, 100, now_s, int(now_s) + 900)
    try:
        granted = store.reserve(reservation)
    except StoreUnavailable:
        return {"refused"}
    assert isinstance(granted, Granted)
    time.sleep(answer_s)
    record = Record(request_id, account.id, now_s, "ok", COST_NANOUSD, {"model": "openai/gpt-4o-mini"})
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        try:
            store.settle(granted.reservation, record, 100)
        except StoreUnavailable:
            continue
        return {"admitted", "settled"}
    return {"admitted", "lost"}


def _client(endpoint: str) -> AWSClient:
    return AWSClient("dynamodb", "us-east-1", Credentials("AKID", "secret"), endpoint, timeout_s=20)
