"""An account as several items, for one that is asked for more often than one item bears.

An item has 1,000 write units a second, and a write costs one for each KB, of which the holds of what is in flight are a part
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html). A shard is an item like the
account's own, which is shard 0: with a part of each limit, its own holds, spend and window. A request's id says which one it meets,
so that a repeated call meets the same. Only the account's own item says how many there are, which never become fewer.

The parts of a limit always sum up to it: they move between two shards by one transaction, when one refuses what others could give.
No money is anywhere but in a shard, so that nothing can be spent twice, and a request is refused when all together can't give it.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.store import DenialReason, Reservation, StoreThrottled, tables
from haimaker.store.dynamo_calls import ConditionFailed, DynamoTable
from haimaker.store.tables import Item

MOST_SHARDS = 64
MANY_HOLDS = 32
"""With more requests in flight an item is split before it is throttled: every write costs a unit for each KB of it, and what is in
flight stays where it is."""
GROW_EVERY_S = 2
"""Between the first two times that an account is split, twice as much before the third, and so on: others meet the throttling that
led to the first at the same moment, and an item that was full stays so until what it holds is answered, however many others there
are."""
TRIES = 8
"""Of a transaction, which fails when another write meets one of its items."""
PAUSE_S = 0.05
MAX_ASKED = 1_000
PLENTY = 2
"""All shards have plenty if they have this many times what a request needs, on average."""

GIVE = (
    "SET remaining = remaining - :money, budget = budget - :money, free_slots = free_slots - :slots, "
    "parallel_limit = parallel_limit - :slots, rpm_limit = rpm_limit - :rpm, tpm_limit = tpm_limit - :tpm, "
    "#rpm = if_not_exists(#rpm, rpm_limit) - :requests, #tpm = if_not_exists(#tpm, tpm_limit) - :tokens"
)
TAKE = GIVE.replace(" - ", " + ")
MOVED = ", moved = if_not_exists(moved, :none) + :one"
HAS: dict[str, str] = {
    "money": "remaining >= :money",
    "slots": "free_slots >= :slots",
    "rpm": "rpm_limit >= :rpm",
    "tpm": "tpm_limit >= :tpm",
    "requests": "(#rpm >= :requests OR (attribute_not_exists(#rpm) AND rpm_limit >= :requests))",
    "tokens": "(#tpm >= :tokens OR (attribute_not_exists(#tpm) AND tpm_limit >= :tokens))",
}
LEFT: dict[DenialReason, str] = {"budget": "money", "parallel": "slots", "rpm": "requests", "tpm": "tokens"}
"""What a refusal is for want of."""


@dataclass(slots=True)
class Shards:
    """Every method raises StoreUnavailable when the store fails."""

    calls: DynamoTable
    table: str
    clock: Callable[[], float]
    _numbers: dict[str, int] = field(default_factory=dict)
    """The numbers of shards of accounts that are known to have several."""
    _asked: dict[str, int] = field(default_factory=dict)
    """Where requests were whose answer was lost, by their id: a second try must meet the same shard."""
    _grown_s: dict[str, float] = field(default_factory=dict)
    """When this process last split an account because of its size."""

    def number(self, account_id: str) -> int:
        """How many an account has, as far as this process knows."""
        return self._numbers.get(account_id, 1)

    def learn(self, item: Item) -> None:
        """Reads the number of shards in an account's own item; no other has it, or the account's name."""
        if (number := item.get("shards", 1)) > 1:
            self._numbers[item["pk"]] = number
        else:
            self._numbers.pop(item["pk"], None)

    def forget(self, account_id: str) -> None:
        self._numbers.pop(account_id, None)

    def home(self, reservation: Reservation) -> int:
        """The shard that a request meets."""
        if reservation.shard is not None or _is_bound(reservation):
            return reservation.shard or 0
        number = self.number(reservation.account_id)
        return self._asked.get(_asked(reservation), crc32(reservation.request_id.encode()) % number if number > 1 else 0)

    def is_held(self, reservation: Reservation) -> bool:
        item = self.calls.get(self.table, tables.key(reservation.account_id, self.home(reservation)))
        return item is not None and reservation.request_id in item["holds"]

    def keep_home(self, reservation: Reservation, shard: int) -> None:
        """Remembers where a request was whose answer may be lost."""
        if len(self._asked) >= MAX_ASKED:
            self._asked.clear()
        self._asked[_asked(reservation)] = shard

    def with_rest(self, main: Item) -> list[Item]:
        """All items of an account, its own first, which was just read."""
        [items] = self.with_all_rests([main])
        return items

    def with_all_rests(self, mains: Sequence[Item]) -> Iterator[list[Item]]:
        """The same of several accounts."""
        places = [tables.plain_key(main["pk"], shard) for main in mains for shard in range(1, main.get("shards", 1))]
        rests = {item["pk"]: item for item in self.calls.read_all(self.table, ("pk", "sk"), places)}
        for main in mains:
            self.learn(main)
            names = (tables.shard_name(main["pk"], shard) for shard in range(1, main.get("shards", 1)))
            yield [main, *(rests[name] for name in names if name in rests)]

    def read_all(self, account_id: str) -> list[Item]:
        """All items of an account; none if there is no such account. A transfer between two of them may be seen by half."""
        main = self.calls.get(self.table, tables.key(account_id))
        return self.with_rest(main) if main else []

    def find_room(self, items: Sequence[Item], reservation: Reservation, reason: DenialReason, home: int) -> int | None:
        """The shard that has what a request's own one lacks: its own, after half of what the richest has was moved to it, as long
        as all together have plenty. Else at the shard that lacks the least, which gets what is missing from the others: all who
        find too little choose the same one, where each serving its own would take from the others what these just took."""
        now_s = reservation.now_s
        needs = {"money": reservation.amount_nanousd, "slots": 1, "requests": 1, "tokens": reservation.tokens}
        left = [_left(item, now_s) for item in items]
        name = LEFT[reason]
        if sum(each[name] for each in left) >= PLENTY * needs[name] * len(items):
            self.even(richest(items, reason, now_s), items[home], now_s, reason, needs[name])
            return home
        lacking = [[name for name, need in needs.items() if need and each[name] < need] for each in left]
        order = sorted(range(len(items)), key=lambda shard: (len(lacking[shard]), -left[shard]["money"]))
        chosen = home if _is_bound(reservation) else order[0]
        for reason in [reason for reason, name in LEFT.items() if name in lacking[chosen]]:
            donor = richest([item for item in items if item is not items[chosen]], reason, now_s)
            self.even(donor, items[chosen], now_s, reason, needs[LEFT[reason]])
        return chosen

    def even(self, donor: Item, receiver: Item, now_s: float, reason: DenialReason | None = None, need: int = 0) -> bool:
        """Moves half of what one shard has more than another to that one, and of what was refused at least as much as is needed, as
        far as it is there. Returns False where another write was first."""
        given, got = _left(donor, now_s), _left(receiver, now_s)
        moved = {name: max(0, min((given[name] - got[name]) // 2, given[name])) for name in given}  # who owes may owe more
        if reason:
            name = LEFT[reason]
            moved[name] = max(moved[name], min(given[name], need - got[name]), 0)
        if not any(moved.values()):
            return False
        names, version = tables.minute_names(now_s), "version = :version"
        values = {f":{name}": amount for name, amount in moved.items()} | {":version": donor["version"], ":none": 0, ":one": 1}
        has = " AND ".join([version, *(HAS[name] for name, amount in moved.items() if amount)])
        return self._transact(
            [self._change(donor, GIVE + MOVED, has, values, names), self._change(receiver, TAKE + MOVED, version, values, names)]
        )

    def pay_debts(self, account_id: str, now_s: float) -> None:
        """Gives shards that owe something what others have, else these would grant it once more: after a limit became smaller, or
        more was charged than held."""
        for _ in range(len(LEFT) * MOST_SHARDS):
            items = self.read_all(account_id)
            owed = [
                (reason, item)
                for reason, name in LEFT.items()
                for item in items
                if _left(item, now_s)[name] < 0 < max(_left(other, now_s)[name] for other in items)
            ]
            if not owed:
                return
            reason, debtor = owed[0]
            self.even(richest(items, reason, now_s), debtor, now_s, reason)

    def grow_if_large(self, item: Item) -> None:
        """Splits an account of which an item, as it was just written, has many reservations."""
        account_id, now_s = tables.account_and_shard(item)[0], self.clock()
        if len(item["holds"]) <= MANY_HOLDS or self._grown_s.get(account_id, 0) > now_s - GROW_EVERY_S:
            return
        if len(self._grown_s) >= MAX_ASKED:
            self._grown_s.clear()
        self._grown_s[account_id] = now_s
        self.grow(account_id, MANY_HOLDS)

    def grow(self, account_id: str, holds: int = 0) -> None:
        """Gives an account twice as many shards, unless somebody just did, or they have no more holds than this each, on average.
        Each new one gets half of what an old one has."""
        main = self.calls.get(self.table, tables.key(account_id))
        if main is None:
            return
        known, now_s = self.number(account_id), self.clock()
        items = self.with_rest(main)
        number = len(items)
        pause_s = GROW_EVERY_S * (number.bit_length() - 1)
        is_new = main.get("shards", 1) > known or main.get("grown_s", 0) > now_s - pause_s
        has_few = holds and sum(len(item["holds"]) for item in items) <= holds * number
        if is_new or has_few or 2 * number > MOST_SHARDS or any(item["version"] != main["version"] for item in items):
            return
        seen = "version = :version AND " + ("shards = :number" if "shards" in main else "attribute_not_exists(shards)")
        values = {":more": 2 * number, ":now": int(now_s), ":version": main["version"]}
        values |= {":number": number} if "shards" in main else {}
        split = self._change(main, "SET shards = :more, grown_s = :now", seen, values)
        empty = [self._empty(main, shard) for shard in range(number, 2 * number)]
        if not self._transact([split, *empty]):
            return
        self._numbers[account_id] = 2 * number
        grown = self.read_all(account_id)
        for old, new in zip(grown[:number], grown[number:], strict=False):
            self.even(old, new, now_s)

    def correct(self, items: Sequence[Item], update: str, changes: Item) -> bool:
        """Changes the account's own item, if no shard's spend is another than was read."""
        spent = "total_spend = :total"
        values = {**changes, ":total": items[0]["total_spend"]}
        checks = [
            {
                "ConditionCheck": {
                    "TableName": self.table,
                    "Key": tables.place_of(item),
                    "ConditionExpression": spent,
                    "ExpressionAttributeValues": tables.to_attributes({":total": item["total_spend"]}),
                }
            }
            for item in items[1:]
        ]
        if not self._transact([self._change(items[0], update, spent, values), *checks]):
            return False
        self.pay_debts(items[0]["pk"], self.clock())
        return True

    def _empty(self, main: Item, shard: int) -> JSON:
        """A shard with no part of any limit."""
        kept = {name: main[name] for name in ("config", "version", "blocked", "expires_s", "window_end_s")}
        values = {name: kept.get(name, 0) for name in tables.STORED_COUNTERS} | {"holds": {}}
        names = {f"#{name}": name for name in values}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        typed = {f":{name}": value for name, value in values.items()}
        return self._change({"pk": tables.shard_name(main["pk"], shard), "sk": main["sk"]}, update, "", typed, names)

    def _change(self, item: Item, update: str, condition: str, values: Item, names: Item | None = None) -> JSON:
        return {
            "Update": {
                "TableName": self.table,
                "Key": tables.place_of(item),
                "UpdateExpression": update,
                **({"ConditionExpression": condition} if condition else {}),
                "ExpressionAttributeValues": tables.to_attributes(values),
                **({"ExpressionAttributeNames": names} if names else {}),
            }
        }

    def _transact(self, items: Sequence[JSON]) -> bool:
        """Writes all or nothing, once. Returns False where a condition did not hold. Raises StoreThrottled where others are at the
        same items all the time."""
        token = f"{random.getrandbits(128):032x}"
        for attempt in range(TRIES):
            try:
                self.calls.call("TransactWriteItems", TransactItems=items, ClientRequestToken=token)
            except ConditionFailed:
                return False
            except StoreThrottled:
                time.sleep(random.uniform(0, PAUSE_S * (attempt + 1)))  # noqa: S311 (jitter, no secret)
            else:
                return True
        raise StoreThrottled("DynamoDB TransactWriteItems: too many writers of one account")


def richest(items: Sequence[Item], reason: DenialReason, now_s: float) -> Item:
    return max(items, key=lambda item: _left(item, now_s)[LEFT[reason]])


def owes(item: Item, now_s: float) -> bool:
    """Whether a shard gave more than its part of a limit."""
    return min(_left(item, now_s).values()) < 0


def is_torn(items: Sequence[Item]) -> bool:
    """Whether a transfer was seen by half: both of its shards count it, so that all counts are even together, and the parts of a
    limit are the limit."""
    whole = tables.limits_of_item(items[0])
    is_odd = sum(item.get("moved", 0) for item in items) % 2 == 1
    return is_odd or any(sum(item[name] for item in items) != whole[name] for name in whole)


def _left(item: Item, now_s: float) -> dict[str, int]:
    names = tables.minute_names(now_s)
    return {
        "money": item["remaining"],
        "slots": item["free_slots"],
        "rpm": item["rpm_limit"],
        "tpm": item["tpm_limit"],
        "requests": item.get(names["#rpm"], item["rpm_limit"]),
        "tokens": item.get(names["#tpm"], item["tpm_limit"]),
    }


def _is_bound(reservation: Reservation) -> bool:
    """Whether it can be at the account's own item alone: there are pools, and the counters of single models."""
    return bool(reservation.models or reservation.pool or reservation.opens_pool)


def _asked(reservation: Reservation) -> str:
    return f"{reservation.request_id} {reservation.account_id}"
