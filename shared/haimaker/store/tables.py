"""The DynamoDB store's tables and items: keys, plain values, DynamoDB's typed form. `create_tables` alone does I/O.

    item             table     pk              sk            attributes                        read by
    key              accounts  key#<sha256>    account       config, counters, holds           reserve, settle, get; by_kind
    team, user       accounts  team#<id> ...   account       the same                          the same
    daily totals     accounts  <account id>    day#<date>    requests, tokens, cost            one account: pk and a range of sk
    totals of all    accounts  total           day#<date>    the same                          pk and a range of sk
    totals by name   accounts  total           <by>#<date>#  the same; by model, provider and  pk and a range of sk
                                               <name>        tag
    health           accounts  health          <target>      body (open until), version        pk: all targets in one Query
    auto-router      accounts  router          <id>          body (definition), version        pk and sk; pk: all of them
    record           records   <request id>                  account, cost, status, detail     record; by_account, by_day

    index            of        hash            range         answers
    by_kind          accounts  kind            created       the keys (teams, users), oldest first
    by_account       records   account         started       one account's records by time
    by_day           records   day             started       everybody's records by time, a UTC day after the other

Indexes hold keys only, so that writing a counter does not write an index. Counters hold what is left; those of a minute
are the attributes `r<minute>` and `t<minute>`, dropped by a later settle. A reservation is a text under `holds.<request id>`.
Counters of a model that an account limits hold what is taken: `b/<model>` of its budget, which is renewed at `e/<model>`, and
`r<minute>/<model>` and `t<minute>/<model>`.
"""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from haimaker.aws.client import AWSClient, AWSError
from haimaker.http.values import JSON
from haimaker.store import Account, Balance, Granted, Record, Reservation, StoreUnavailable, dynamo_models, ledger, minute_of
from haimaker.store.ledger import Counters
from haimaker.store.model_counters import model_restarts

Item = Mapping[str, Any]
"""An item in plain values."""

DAY_S = 86_400
RETENTION_S = 400 * 86_400
"""How long a record is kept; DynamoDB then deletes it by its `delete_at`."""
RECORDS_SORT_KEY = "account"
OF_A_MINUTE = re.compile(r"[rt](\d+)(?:/.*)?", re.DOTALL)
MOST_DROPPED = 100
STORED_COUNTERS = tuple(name for name in Counters._fields if name not in ("account_id", "requests_left", "tokens_left", "models"))
"""The counters that are attributes by the same name."""


def _keys(hash_key: str, range_key: str | None = None) -> list[JSON]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else keys


def _texts(*names: str) -> list[JSON]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _index(name: str, hash_key: str, range_key: str) -> JSON:
    return {"IndexName": name, "KeySchema": _keys(hash_key, range_key), "Projection": {"ProjectionType": "KEYS_ONLY"}}


CONFIGURE = (
    "SET config = :config, version = version + :one, blocked = :blocked, expires_s = :expires_s, budget = :budget, "
    "rpm_limit = :rpm_limit, tpm_limit = :tpm_limit, parallel_limit = :parallel_limit, "
    "remaining = remaining + :more_budget, free_slots = free_slots + :more_slots, "
    "#rpm = if_not_exists(#rpm, rpm_limit) + :more_requests, #tpm = if_not_exists(#tpm, tpm_limit) + :more_tokens"
)
"""In a minute's counters: what they were, full if there were none, and the difference of the limits."""

TABLES: Mapping[str, JSON] = {
    "accounts": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": _texts("pk", "sk", "kind", "created"),
        "KeySchema": _keys("pk", "sk"),
        "GlobalSecondaryIndexes": [_index("by_kind", "kind", "created")],
    },
    "records": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": _texts("id", "account", "day", "started"),
        "KeySchema": _keys("id"),
        "GlobalSecondaryIndexes": [_index("by_account", "account", "started"), _index("by_day", "day", "started")],
    },
}
"""As CreateTable takes them, but for their names."""
ROLLED_UP = "rolled_up"
"""The attribute of a record that was added to the daily totals."""
TTL_ATTRIBUTE = "delete_at"
"""Of the table of records."""


def create_tables(dynamo: AWSClient, names: Mapping[str, str]) -> None:
    """Makes the tables that do not exist yet, `names` by the keys of TABLES, and waits until they can be used."""
    for table, name in names.items():
        try:
            dynamo.call("CreateTable", {"TableName": name, **TABLES[table]})
        except AWSError as error:
            if error.code != "ResourceInUseException":
                raise StoreUnavailable(f"DynamoDB {error}") from error
    for name in names.values():
        while dynamo.call("DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
            time.sleep(0.05)


def to_attributes(item: Item) -> JSON:
    """DynamoDB's form of an item, or of the values of an expression."""
    return {name: _to_attribute(value) for name, value in item.items()}


def _to_attribute(value: object) -> JSON:
    if isinstance(value, Mapping):
        return {"M": to_attributes(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}


def from_attributes(typed_item: JSON) -> Item:
    return {name: _from_attribute(*next(iter(value.items()))) for name, value in typed_item.items()}


def _from_attribute(kind: str, value: Any) -> Any:
    if kind == "M":
        return from_attributes(value)
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value


def key(account_id: str) -> JSON:
    return {"pk": {"S": account_id}, "sk": {"S": RECORDS_SORT_KEY}}


def minute_names(now_s: float) -> dict[str, str]:
    return {"#rpm": f"r{minute_of(now_s)}", "#tpm": f"t{minute_of(now_s)}"}


def start_key(cursor: str | None) -> str:
    """The first sort key after a cursor: ids have no space in them."""
    return f"{cursor} " if cursor else "0"


def day(time_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time_s))


def days(first_s: float, last_s: float) -> Iterator[str]:
    """The UTC days from one time to just before another."""
    for number in range(int(first_s // DAY_S), math.ceil(last_s / DAY_S)):
        yield day(number * DAY_S)


def account_item(account: Account, spent_as: Balance | None = None) -> JSON:
    kind, counters = account.id.partition("#")[0], ledger.initial_counters(account, spent_as)._asdict()
    place = {"pk": account.id, "sk": RECORDS_SORT_KEY, "kind": kind, "created": ledger.sort_key(account.created_s, account.id)}
    return place | {name: counters[name] for name in STORED_COUNTERS} | {"holds": {}} | dynamo_models.attributes(counters["models"])


def configuration(
    account: Account, old: Counters, reservations: Sequence[Reservation], now_s: float
) -> tuple[str, JSON, dict[str, str]]:
    """The update that replaces an account's configuration, its values and its names; a budget window of another length starts
    now."""
    held = sum(reservation.amount_nanousd for reservation in reservations)
    new, restart = ledger.initial_counters(account), ledger.restart(account, old, held, now_s)
    names = ("config", "blocked", "expires_s", "budget", "rpm_limit", "tpm_limit", "parallel_limit", "version")
    values: JSON = {f":{name}": getattr(new, name) for name in names} | {
        ":one": 1,
        ":more_budget": new.budget - old.budget + (restart.returned if restart else 0),
        ":more_slots": new.parallel_limit - old.parallel_limit,
        ":more_requests": new.rpm_limit - old.rpm_limit,
        ":more_tokens": new.tpm_limit - old.tpm_limit,
    }
    update = CONFIGURE
    if restart:
        update += ", window_end_s = :window_end_s"
        values[":window_end_s"] = restart.window_end_s
    more = dynamo_models.restart(model_restarts(account, old.account, old.models, reservations, now_s))
    return update + more.update, values | more.values, minute_names(now_s) | more.names


def counters(item: Item, now_s: float) -> Counters:
    names = minute_names(now_s)
    left = (item.get(names["#rpm"], item["rpm_limit"]), item.get(names["#tpm"], item["tpm_limit"]))
    models = dynamo_models.counters(item, minute_of(now_s))
    return Counters._make((item["pk"], *(item[name] for name in STORED_COUNTERS), *left, models))


def reservations_of(item: Item) -> list[Reservation]:
    return [ledger.decode_reservation(item["pk"], request_id, text) for request_id, text in item["holds"].items()]


def expired_reservations(item: Item, now_s: float) -> list[Reservation]:
    return [reservation for reservation in reservations_of(item) if ledger.is_expired(reservation, now_s)]


def balance(item: Item, now_s: float) -> Balance:
    return ledger.balance(counters(item, now_s), reservations_of(item), now_s)


def grant(item: Item, reservation: Reservation) -> Granted:
    """Counters of minutes in which no request is counted any more may be dropped; a clock that is a minute late is allowed for."""
    minutes = {name: int(found[1]) for name in item if (found := OF_A_MINUTE.fullmatch(name))}
    stale = [name for name, minute in minutes.items() if minute < minute_of(reservation.now_s) - 1]
    stale = sorted(stale, key=minutes.__getitem__)[:MOST_DROPPED]
    return ledger.grant(counters(item, reservation.now_s), replace(reservation, stale=tuple(stale)))


def record_item(record: Record) -> JSON:
    return {
        "id": record.request_id,
        "account": record.account_id,
        "started": ledger.sort_key(record.started_s, record.request_id),
        "day": day(record.started_s),
        "started_s": record.started_s,
        "status": record.status,
        "cost_nanousd": record.cost_nanousd,
        "detail": json.dumps(record.detail),
        TTL_ATTRIBUTE: int(record.started_s) + RETENTION_S,
    }


def record(item: Item) -> Record:
    detail, started_s = json.loads(item["detail"]), float(item["started_s"])
    return Record(item["id"], item["account"], started_s, item["status"], item["cost_nanousd"], detail)
