"""The DynamoDB store's tables and items: keys, plain values, DynamoDB's typed form. `create_tables` alone does I/O.

    item             table     pk              sk            attributes                        read by
    key              accounts  key#<sha256>    account       config, counters, holds           reserve, settle, get; by_kind
    team, user       accounts  team#<id> ...   account       the same                          the same
    shard            accounts  shard#<number># account       the same but for its place in an  the account's, which has their
                               <account id>                  index: see `dynamo_shards.py`     number in `shards`
    daily totals     accounts  <account id>    day#<date>    requests, tokens, cost            one account: pk and a range of sk
    totals of all    accounts  total           day#<date>    the same                          pk and a range of sk
    totals by name   accounts  total           <by>#<date>#  the same; by model, provider and  pk and a range of sk
                                               <name>        tag
    their parts      accounts  total#<part>,   ... <part>    the same, to be added to them     as theirs
                               or the same
    health           accounts  health          <target>      body (open until), version        pk: all targets in one Query
    auto-router      accounts  router          <id>          body (definition), version        pk and sk; pk: all of them
    record           records   <request id>                  account, cost, status, detail     record; by_account, by_part

    index            of        hash            range         answers
    by_kind          accounts  kind            created       the keys (teams, users), oldest first
    by_account       records   account         started       one account's records by time; of one with several shards in as
                                                             many parts, up to PARTS, named like shards
    by_part          records   part            started       everybody's records by time, of each of PARTS parts
    by_day           records   day             started       the same, of records of older releases, until they are moved

One partition of an index, and one item, bears 1,000 writes a second: what all requests would write to is in parts.

Indexes hold keys only, so that writing a counter does not write an index. Counters hold what is left; those of a minute
are the attributes `r<minute>` and `t<minute>`, dropped by a later settle. A reservation is a text under `holds.<request id>`.
Counters of a model that an account limits hold what is taken: `b/<model>` of its budget, which is renewed at `e/<model>`, and
`r<minute>/<model>` and `t<minute>/<model>`. A pool is `p/<pool>`, in the account's own item.
"""

import json
import math
import re
import time
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from haimaker.aws.client import AWSClient, AWSError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import replace
from haimaker.store import (
    UNLIMITED,
    Account,
    Balance,
    Granted,
    Record,
    Reservation,
    StoreUnavailable,
    dynamo_models,
    ledger,
    limits_of,
    minute_of,
)
from haimaker.store.ledger import Counters
from haimaker.store.model_counters import model_restarts

Item = Mapping[str, Any]
"""An item in plain values."""

DAY_S = 86_400
SHARD = "shard#"
POOL = "p/"
RETENTION_S = 400 * 86_400
"""How long a record is kept; DynamoDB then deletes it by its `delete_at`."""
RECORDS_SORT_KEY = "account"
PARTS = 16
"""The parts of the index of all records, and of totals."""
OF_A_MINUTE = re.compile(r"[rt](\d+)(?:/.*)?", re.DOTALL)
MOST_DROPPED = 100
NOT_STORED = ("account_id", "requests_left", "tokens_left", "pooled", "models")
STORED_COUNTERS = tuple(name for name in Counters._fields if name not in NOT_STORED)
"""The counters that are attributes by the same name."""


def _keys(hash_key: str, range_key: str | None = None) -> list[JSON]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else keys


def _texts(*names: str) -> list[JSON]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _index(name: str, hash_key: str, range_key: str) -> JSON:
    return {"IndexName": name, "KeySchema": _keys(hash_key, range_key), "Projection": {"ProjectionType": "KEYS_ONLY"}}


CONFIGURE = (
    "SET config = :config, version = :next, blocked = :blocked, expires_s = :expires_s, budget = :budget, "
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
        "AttributeDefinitions": _texts("id", "account", "part", "started"),
        "KeySchema": _keys("id"),
        "GlobalSecondaryIndexes": [_index("by_account", "account", "started"), _index("by_part", "part", "started")],
    },
}
"""As CreateTable takes them, but for their names."""
ROLLED_UP = "rolled_up"
"""The attribute of a record that was added to the daily totals."""
TTL_ATTRIBUTE = "delete_at"
"""The attribute by which the table of records lets go of old ones."""


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


def key(account_id: str, shard: int = 0) -> JSON:
    return to_attributes(plain_key(account_id, shard))


def plain_key(account_id: str, shard: int = 0) -> Item:
    return {"pk": shard_name(account_id, shard) if shard else account_id, "sk": RECORDS_SORT_KEY}


def place_of(item: Item) -> JSON:
    """The key of an account's item or shard."""
    return to_attributes({"pk": item["pk"], "sk": item["sk"]})


def shard_name(account_id: str, shard: int) -> str:
    return f"{SHARD}{shard}#{account_id}"


def account_and_shard(item: Item) -> tuple[str, int]:
    """The account of an item, and its shard, 0 for the account's own."""
    return split_name(item["pk"])


def split_name(name: str) -> tuple[str, int]:
    """The account's id and the number in what `shard_name` made, and 0 of a plain id."""
    if not name.startswith(SHARD):
        return name, 0
    _, number, account_id = name.split("#", 2)
    return account_id, int(number)


def minute_names(now_s: float) -> dict[str, str]:
    return {"#rpm": f"r{minute_of(now_s)}", "#tpm": f"t{minute_of(now_s)}"}


def start_key(cursor: str | None) -> str:
    """The first sort key after a cursor: ids have no space in them."""
    return f"{cursor} " if cursor else "0"


def part_of(request_id: str) -> str:
    """The part of the index of all records that has a record."""
    return str(zlib.crc32(request_id.encode()) % PARTS)


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
    account: Account, old: Counters, reservations: Sequence[Reservation], now_s: float, place: tuple[int, int] = (0, 1)
) -> tuple[str, JSON, dict[str, str]]:
    """The update that replaces an account's configuration in one of its items, its values, but for `:next`, the new version, and
    its names.

    A budget window of another length starts now. `place` is the item's number, and of how many: each limit changes by the
    difference of the parts that it would have, whatever part it has."""
    held = sum(reservation.amount_nanousd for reservation in reservations)
    before, after = limits_of(old.account), limits_of(account)
    more = {name: _part(after[name], *place) - _part(before[name], *place) for name in after}
    restart = ledger.restart(account, old, held, now_s)
    values: JSON = {
        ":config": ledger.encode_account(account),
        ":version": old.version,
        ":blocked": account.blocked,
        ":expires_s": account.expires_s,
        ":budget": old.budget + more["budget"],
        ":rpm_limit": old.rpm_limit + more["rpm"],
        ":tpm_limit": old.tpm_limit + more["tpm"],
        ":parallel_limit": old.parallel_limit + more["parallel"],
        ":more_budget": more["budget"] + (restart.returned if restart else 0),
        ":more_slots": more["parallel"],
        ":more_requests": more["rpm"],
        ":more_tokens": more["tpm"],
    }
    update = CONFIGURE
    if restart:
        update += ", window_end_s = :window_end_s"
        values[":window_end_s"] = restart.window_end_s
    if place[0]:  # what is limited for single models is counted in the account's own item
        return update, values, minute_names(now_s)
    of_models = dynamo_models.restart(model_restarts(account, old.account, old.models, reservations, now_s))
    return update + of_models.update, values | of_models.values, minute_names(now_s) | of_models.names


def _part(limit: int, shard: int, number: int) -> int:
    return limit // number + (limit % number if shard == 0 else 0)


def counters(item: Item, now_s: float) -> Counters:
    names = minute_names(now_s)
    left = (item.get(names["#rpm"], item["rpm_limit"]), item.get(names["#tpm"], item["tpm_limit"]))
    models = dynamo_models.counters(item, minute_of(now_s))
    pooled = sum(amount for name, amount in item.items() if name.startswith(POOL))
    return Counters._make((account_and_shard(item)[0], *(item[name] for name in STORED_COUNTERS), *left, pooled, models))


def reservations_of(item: Item) -> list[Reservation]:
    """What is in flight at an item, wherever its requests would go today: the account may have been split since, or another
    shard had the room."""
    account_id, shard = account_and_shard(item)
    found = (ledger.decode_reservation(account_id, request_id, text) for request_id, text in item["holds"].items())
    return [replace(reservation, shard=shard) for reservation in found]


def expired_reservations(item: Item, now_s: float, dead: Container[str] = ()) -> list[Reservation]:
    return [reservation for reservation in reservations_of(item) if ledger.is_expired(reservation, now_s, dead)]


def balance(item: Item, now_s: float) -> Balance:
    return ledger.balance(counters(item, now_s), reservations_of(item), now_s)


def total_balance(items: Sequence[Item], now_s: float) -> Balance:
    """The balance of an account with all of its shards, of which its own item is the first."""
    first, *rest = (balance(item, now_s) for item in items)
    return replace(
        first,
        spend_nanousd=first.spend_nanousd + sum(each.spend_nanousd for each in rest),
        held_nanousd=first.held_nanousd + sum(each.held_nanousd for each in rest),
        total_spend_nanousd=first.total_spend_nanousd + sum(each.total_spend_nanousd for each in rest),
        reservations=first.reservations + sum(each.reservations for each in rest),
        expired_reservations=first.expired_reservations + sum(each.expired_reservations for each in rest),
        requests_left=first.requests_left + sum(each.requests_left for each in rest),
        tokens_left=first.tokens_left + sum(each.tokens_left for each in rest),
    )


def total_counters(items: Sequence[Item], now_s: float) -> Counters:
    """What an account with all of its shards has left."""
    first, *rest = (counters(item, now_s) for item in items)
    names = ("remaining", "free_slots", "requests_left", "tokens_left", "pooled")
    return first._replace(**{name: getattr(first, name) + sum(getattr(each, name) for each in rest) for name in names})


def limits_of_item(item: Item) -> Mapping[str, int]:
    """The limits of an account, by the names of its counters."""
    limits = limits_of(ledger.decode_account(item["config"], item["version"]))
    return {name: limits[name.removesuffix("_limit")] for name in ("budget", "rpm_limit", "tpm_limit", "parallel_limit")}


def grant(item: Item, reservation: Reservation, number: int = 1) -> Granted:
    """The grant, by the account's item after it. Of an account with a number of shards it tells as much to be left as if the others
    had what this one has."""
    minutes = {name: int(found[1]) for name in item if (found := OF_A_MINUTE.fullmatch(name))}
    # No request is counted in them any more; a clock that is a minute late is allowed for.
    stale = [name for name, minute in minutes.items() if minute < minute_of(reservation.now_s) - 1]
    stale = sorted(stale, key=minutes.__getitem__)[:MOST_DROPPED]
    reservation = replace(reservation, stale=tuple(stale), shard=account_and_shard(item)[1])
    granted = ledger.grant(counters(item, reservation.now_s), reservation)
    if number == 1:
        return granted
    limits = limits_of_item(item)
    left = {"rpm_limit": granted.requests_left, "tpm_limit": granted.tokens_left}
    told = {name: limit if (limit := limits[name]) == UNLIMITED else min(limit, left[name] * number) for name in left}
    return Granted(reservation, told["rpm_limit"], told["tpm_limit"])


def record_item(record: Record, part: int = 0) -> JSON:
    """`part` is that of its account's records."""
    return {
        "id": record.request_id,
        "account": shard_name(record.account_id, part) if part else record.account_id,
        "started": ledger.sort_key(record.started_s, record.request_id),
        "part": part_of(record.request_id),
        "started_s": record.started_s,
        "status": record.status,
        "cost_nanousd": record.cost_nanousd,
        "detail": json.dumps(record.detail),
        TTL_ATTRIBUTE: int(record.started_s) + RETENTION_S,
    }


def record(item: Item) -> Record:
    detail, started_s = json.loads(item["detail"]), float(item["started_s"])
    return Record(item["id"], split_name(item["account"])[0], started_s, item["status"], item["cost_nanousd"], detail)
