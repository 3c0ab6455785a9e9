"""A gateway that many people use, made up and always the same: with as many keys, end users, batches, changes and requests as are
asked for, all through the store, which takes two seconds for 5,000 of each."""

import random
import time
from typing import NamedTuple

from haimaker.accounts import keys as auth
from haimaker.accounts.kinds import END_USER, TEAM
from haimaker.api.audit import KIND as AUDIT
from haimaker.batches import BATCHES
from haimaker.billing.admission import reserve
from haimaker.gateway import Gateway
from haimaker.http.values import JSON
from haimaker.observability.refusals import KIND as REFUSALS
from haimaker.routing.auto_service import ROUTER_DOCUMENTS
from haimaker.store import Account, Granted, Record, Reservation, Store, ledger
from haimaker.store.documents import Document
from haimaker.store.totals import to_day
from tests.console.example import USD

DAY_S = 86_400
EACH_THAT_ASKED = 4
"""Which keys have asked for something: their requests take longer to make than all else."""
TARGETS = ("openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile", "deepseek/deepseek-chat")


class Crowd(NamedTuple):
    """How many there are; whatever is last has this number less one in its name."""

    size: int

    def name(self, of: str, number: int) -> str:
        """`key-04999`, so that names sort by their number."""
        return f"{of}-{number % self.size:05d}"


def fill(gateway: Gateway, admin_id: str, size: int) -> Crowd:
    """The first of each is the oldest and the dearest. Batches are the administrator's, whose account is `admin_id`."""
    crowd, store, now_s, chance = Crowd(size), gateway.store, time.time(), random.Random(5)
    teams = [crowd.name("team", number) for number in range(max(2, size // 10))]
    for number, team in enumerate(teams):
        store.put(
            Account(TEAM.account_id(team), team, int(now_s) - len(teams) + number, alias=team.title(), budget_nanousd=100 * USD)
        )
    keys = [_key(crowd, number, now_s, teams[number % len(teams)]) for number in range(size)]
    for number, key in enumerate(keys):
        store.put(key)
        name = crowd.name("user", number)
        store.put(Account(END_USER.account_id(name), name, int(now_s) - size + number, budget_nanousd=USD))
        _batch(store, admin_id, number, now_s - 60 * (size - number))
        _change(store, key, number, now_s - 10 * (size - number))
        if number % EACH_THAT_ASKED == 0:
            _request(store, key, number, crowd, chance)
    for number in range(max(2, size // 50)):
        name = crowd.name("router", number)
        rule = {"id": "rule_1", "name": "counting", "keywords": ["count"], "model": "demo/count"}
        body = {"router_name": name, "rules": [rule], "default_model": "demo/echo"}
        store.documents.put(ROUTER_DOCUMENTS, Document(f"router_{number:016x}", body, 0))
    refused: JSON = {
        key.id: {"budget_exceeded": [number + 1, now_s - 60, now_s - number / 100]} for number, key in enumerate(keys[:1000])
    }
    store.documents.put(REFUSALS + to_day(now_s), Document("crowd", refused, 0))
    return crowd


def _key(crowd: Crowd, number: int, now_s: float, team: str) -> Account:
    key = f"sk-hm-{number:043d}"
    return Account(
        auth.account_id_of(key), auth.display_name_of(key), int(now_s) - crowd.size + number, alias=crowd.name("key", number),
        team_id=team if number % 3 else None, budget_nanousd=10 * USD if number % 2 else None, rpm_limit=60 if number % 5 else None,
        blocked=number % 10 == 9, tags=("prod",) if number % 2 else (),
    )  # fmt: skip


def _batch(store: Store, owner: str, number: int, created_s: float) -> None:
    status = "failed" if number % 10 == 9 else "completed"
    body: JSON = {
        "endpoint": "/v1/chat/completions", "errors": None, "input_file_id": "file-1", "completion_window": "24h", "status": status,
        "output_file_id": None, "error_file_id": None, "created_at": int(created_s), "in_progress_at": None, "expires_at": None,
        "finalizing_at": None, "completed_at": None, "failed_at": None, "expired_at": None, "cancelling_at": None,
        "cancelled_at": None, "metadata": None, "total": 100, "completed": 90, "failed": 10, "cost_nanousd": 1_000_000 * number,
        "tokens": [100, 0, 20, 0],
    }  # fmt: skip
    store.documents.put(BATCHES + owner, Document(f"batch_hm{int(created_s * 1000):012x}{number:018x}", body, 0))


def _change(store: Store, key: Account, number: int, made_s: float) -> None:
    name = ledger.sort_key(made_s, f"crowd-{number:06d}")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made_s))
    event: JSON = {
        "id": name, "updated_at": moment, "operation": "key_generate", "request_id": "crowd", "changed_by": "admin",
        "changed_by_api_key": "0" * 64, "action": "created", "table_name": "key", "object_id": key.id.partition("#")[2],
        "object_name": key.alias, "before_value": {}, "updated_values": {"alias": key.alias, "budget": 10},
    }  # fmt: skip
    store.documents.put(AUDIT + to_day(made_s), Document(name, event, 0))


def _request(store: Store, key: Account, number: int, crowd: Crowd, chance: random.Random) -> None:
    started_s = time.time() - chance.random() * 29 * DAY_S
    target, failed = TARGETS[number // EACH_THAT_ASKED % len(TARGETS)], number % 40 == 36
    provider, _, model = target.partition("/")
    cost = 0 if failed else 1_000_000 + 10_000_000 * (crowd.size - number) // crowd.size
    attempt: JSON = {
        "target": target, "status": 503 if failed else 200, "code": "overloaded" if failed else None, "duration_ms": 800,
        "first_byte_ms": 200, "cost_usd": cost / USD,
    }  # fmt: skip
    detail: JSON = {
        "operation": "chat", "asked_model": target, "provider": provider, "model": model, "stream": True,
        "user": crowd.name("user", number), "team_id": key.team_id, "tags": list(key.tags), "key_name": key.name,
        "key_alias": key.alias, "input_tokens": 900, "output_tokens": 0 if failed else 120, "cached_tokens": 0,
        "cost_usd": cost / USD, "cost_estimated": False, "duration_ms": 900, "first_token_ms": 210, "attempts": [attempt],
        "error": "overloaded" if failed else None,
    }  # fmt: skip
    hold = Reservation(f"00000000-0000-4000-9000-{number:012d}", key.id, 1, cost, 900, started_s, int(started_s) + 60, (key.id,))
    if isinstance(granted := reserve(store, [hold]), Granted):
        store.settle(
            granted.reservation, Record(hold.request_id, key.id, started_s, "error" if failed else "ok", cost, detail), 900
        )
