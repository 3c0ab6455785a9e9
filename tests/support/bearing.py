"""How many requests of one account a store bears: each is admitted, takes its time, and is settled, as the gateway does it.

Time is virtual, so that what comes out is DynamoDB's throughput and the store's, not this machine's.
"""

import json
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

from haimaker.aws import client as aws_client
from haimaker.aws.sigv4 import Credentials
from haimaker.billing import admission, settlement
from haimaker.http.values import JSON
from haimaker.store import Account, Granted, Record, Reservation, StoreUnavailable, dynamo_shards
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import create_tables
from tests.support.capacity import Capacity
from tests.support.virtual_time import VirtualTime

BEGINS_S = 1_790_000_000.0
AMOUNT_NANOUSD, COST_NANOUSD = 2_000_000, 1_000_000
ANSWER_S = (0.002, 0.008)
"""Of DynamoDB."""


@dataclass
class Borne:
    """What became of the requests of a load."""

    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    """`asked`, `admitted`, `refused`, `settled` of those that count; `lost`, and `broken` by an error of another kind, of all."""
    throttled: int = 0
    units: int = 0
    shards: int = 1
    spent_nanousd: int = 0
    held_nanousd: int = 0
    records_nanousd: int = 0

    @property
    def admitted_a_second(self) -> float:
        return self.counts["admitted"] / self.seconds


class _Client(aws_client.AWSClient):
    """Calls the emulator, with the tries and the pauses of the gateway's own client."""

    def __init__(self, capacity: Capacity, clock: VirtualTime) -> None:
        super().__init__("dynamodb", "us-east-1", Credentials("AKID", "secret"))
        self.capacity, self.clock = capacity, clock

    def _try(self, operation: str, body: bytes) -> JSON:
        self.clock.sleep(random.uniform(*ANSWER_S))
        status, answer = self.capacity.call(operation, json.loads(body))
        self.clock.sleep(random.uniform(*ANSWER_S))
        return aws_client._parse_answer(operation, status, json.dumps(answer).encode())


def bear(requests_a_second: float, answer_s: float, seconds: float, scale: float, *, before_s: float = 0.0) -> Borne:
    """Asks for so many requests a second of one account, where DynamoDB has `scale` of its throughput. Those of
    the first `before_s` seconds fill it with what is in flight, and let it grow; they count where they are lost. Chance is the
    same each time."""
    before = random.getstate()
    random.seed(requests_a_second)
    try:
        return _bear(requests_a_second, answer_s, seconds, scale, before_s)
    finally:
        random.setstate(before)


def _bear(requests_a_second: float, answer_s: float, seconds: float, scale: float, before_s: float) -> Borne:
    clock, name = VirtualTime(BEGINS_S), uuid.uuid4().hex
    tables = {kind: f"{kind}-{name}" for kind in ("accounts", "records")}
    capacity = Capacity(tables, scale, clock.time)
    client = _Client(capacity, clock)
    store = DynamoStore(tables["accounts"], tables["records"], client, clock.time)
    account = Account(f"key#{name}{name}", "sk-hm-abcd...wxyz", int(BEGINS_S), budget_nanousd=10**15)
    borne = Borne(seconds)

    def prepare() -> None:
        create_tables(client, tables)
        assert store.put(account)

    def ask(counts: bool) -> None:
        outcome = _request(store, account, answer_s, clock)
        borne.counts.update(outcome if counts else outcome & {"lost", "broken"})

    def look() -> None:
        balance = store.get(account.id)
        assert balance is not None
        borne.shards = store.shards.number(account.id)
        borne.spent_nanousd, borne.held_nanousd = balance.total_spend_nanousd, balance.held_nanousd

    with clock.standing_for_time(aws_client, settlement, dynamo_shards):
        clock.start(BEGINS_S, prepare)
        clock.pass_by()
        capacity.units.clear()
        for number in range(round(requests_a_second * (before_s + seconds))):
            due_s = number / requests_a_second
            clock.start(clock.time() + 1 + due_s, lambda counts=due_s >= before_s: ask(counts))  # type: ignore[misc]
        clock.pass_by()
        borne.throttled, borne.units = sum(capacity.throttled.values()), sum(capacity.units.values())
        clock.start(clock.time() + 60, look)
        clock.pass_by()
    return borne


def _request(store: DynamoStore, account: Account, answer_s: float, clock: VirtualTime) -> set[str]:
    """What happened of `admitted`, `refused`, `settled` and `lost`, which is admitted and not settled."""
    now_s, request_id = clock.time(), str(uuid.UUID(int=random.getrandbits(128), version=4))
    reservation = Reservation(request_id, account.id, account.version, AMOUNT_NANOUSD, 100, now_s, int(now_s) + 900)
    try:
        granted = admission.reserve(store, [reservation])
    except StoreUnavailable:
        return {"asked", "refused"}
    if not isinstance(granted, Granted):
        return {"asked", "broken"}
    clock.sleep(answer_s)
    record = Record(request_id, account.id, now_s, "ok", COST_NANOUSD, {"model": "openai/gpt-4o-mini"})
    settling = SimpleNamespace(store=store, reservation=granted.reservation, extra=(), store_failed=False, alerts=())
    settlement.Settlement._store(settling, record, 100)  # type: ignore[arg-type]
    return {"asked", "admitted", "lost" if settling.store_failed else "settled"}
