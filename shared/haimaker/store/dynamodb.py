"""Accounts and records in two DynamoDB tables, whose keys and items `tables.py` describes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html

No boto3, no Scan, and no counter that is read before it is written: admission is one conditional write, and every later one
adds differences. Each write may be repeated when its answer was lost.
"""

import time
from collections.abc import Callable, Container, Sequence
from contextlib import suppress

from haimaker.aws.client import AWSClient
from haimaker.lean_dataclasses import replace
from haimaker.store import (
    NEVER_S,
    Account,
    Balance,
    BudgetAlert,
    DenialReason,
    Denied,
    Granted,
    Record,
    Reservation,
    Settled,
    StoreThrottled,
    StoreUnavailable,
    dynamo_models,
    dynamo_pools,
    dynamo_refunds,
    ledger,
    minute_of,
    tables,
)
from haimaker.store.account_query import AccountQuery
from haimaker.store.dynamo_calls import ConditionFailed, DynamoTable
from haimaker.store.dynamo_documents import DynamoDocuments
from haimaker.store.dynamo_expressions import (
    ALLOWS_REQUEST,
    ALLOWS_TOKENS,
    CHARGE,
    EXISTS,
    GIVE_BACK,
    HELD,
    IS_THERE,
    RENEW,
    RENEW_MODEL,
)
from haimaker.store.dynamo_lists import DynamoLists
from haimaker.store.dynamo_records import DynamoRecords
from haimaker.store.dynamo_shards import Shards, is_torn, owes
from haimaker.store.model_counters import model_charges, model_releases, model_repairs
from haimaker.store.tables import Item
from haimaker.store.totals import By, Total

MOST_CHARGED = 4
"""Expired holds that one request charges: four calls each, six of a team's, and others come. `charge_lost` takes all."""
ROUNDS = 5
"""How often an admission is tried again after it repaired the account or met other writers."""
ROUNDS_A_SHARD = 2
"""And how often more for each further item that an account has, each of which may have to give something."""


class DynamoStore:
    """See `haimaker.store.Store`."""

    def __init__(
        self,
        accounts_table: str,
        records_table: str,
        dynamo: AWSClient,
        clock: Callable[[], float] = time.time,
        *,
        rolled_up: bool = True,
        by_day: bool = False,
    ) -> None:
        """`by_day` is whether records of older releases, which the index by day has, were not yet moved."""
        self._accounts = accounts_table
        self.dynamo = dynamo
        self._calls = DynamoTable(dynamo)
        self.documents = DynamoDocuments(self._calls, accounts_table)
        self.shards = Shards(self._calls, accounts_table, clock)
        self.lists = DynamoLists(self._calls, accounts_table, self.shards, clock)
        self.kept = DynamoRecords(self._calls, accounts_table, records_table, clock, rolled_up, by_day)
        self._clock = clock

    def put(self, account: Account, spent_as: Balance | None = None) -> bool:
        item = tables.account_item(account, spent_as)
        self.shards.forget(account.id)
        try:
            self._calls.add(self._accounts, item, "pk")
        except ConditionFailed as failed:
            return failed.repeated and (self._read(account.id) or {}).get("config") == item["config"]
        return True

    def get(self, account_id: str) -> Balance | None:
        items = self.shards.read_all(account_id)
        return tables.total_balance(items, self._clock()) if items else None

    def update(self, account: Account) -> bool:
        now_s = self._clock()
        item = self._read(account.id)
        if item and item["version"] == account.version and self._renew(item, now_s):
            item = self._read(account.id)
        if not item or item["version"] != account.version:
            return False
        try:
            config = self._configure(item, account, item, now_s)
        except ConditionFailed as failed:
            config = ledger.encode_account(account)
            if not failed.repeated or (self._read(account.id) or {}).get("config") != config:
                return False
        for shard in self.shards.with_rest({**item, "config": config, "version": account.version + 1})[1:]:
            self._follow(shard, replace(account, version=account.version + 1), item)
        if self.shards.number(account.id) > 1:
            self.shards.pay_debts(account.id, now_s)
        return True

    def delete(self, account_id: str) -> bool:
        for shard in self.shards.read_all(account_id)[1:]:
            self._calls.call("DeleteItem", TableName=self._accounts, Key=tables.place_of(shard))
        self.shards.forget(account_id)
        try:
            self._calls.call("DeleteItem", TableName=self._accounts, Key=tables.key(account_id), ConditionExpression=EXISTS)
        except ConditionFailed as failed:
            return failed.repeated
        return True

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        return self.lists.page(kind, after, limit)

    def find_accounts(self, query: AccountQuery, offset: int = 0, limit: int = 100) -> tuple[Sequence[Balance], int]:
        return self.lists.find(query, offset, limit)

    def reserve(self, reservation: Reservation) -> Granted | Denied:
        account_id, roomy = reservation.account_id, None
        for _ in range(ROUNDS + ROUNDS_A_SHARD * (self.shards.number(account_id) - 1)):
            home = self.shards.home(reservation) if roomy is None else roomy
            try:
                item = self._reserve(reservation, home)
            except ConditionFailed as failed:
                outcome = self._explain_denial(failed.item or self._read(account_id, home), reservation, home)
                if isinstance(outcome, Granted | Denied):
                    return outcome
                roomy = outcome
            except StoreUnavailable as error:
                self.shards.keep_home(reservation, home)
                if isinstance(error, StoreThrottled):
                    with suppress(StoreUnavailable):
                        self.shards.grow(account_id)
                raise
            else:
                self.shards.learn(item)
                with suppress(StoreUnavailable):  # it is granted; the next write meets what is left
                    self._repair(item, reservation.now_s)
                    self.shards.grow_if_large(item)
                return tables.grant(item, reservation, self.shards.number(reservation.account_id))
        raise StoreThrottled("DynamoDB UpdateItem: too many writers of one account")

    def release(self, reservation: Reservation) -> bool:
        if ledger.may_be_lost(reservation, self._clock()):  # who charges it as lost has its record written, or finds this one
            kept, _ = self.kept.keep(ledger.free_record(reservation), reservation)
            if kept.status == "lost" and not self.shards.is_held(reservation):  # it may never have been
                return False
            ended = self._end(reservation, self.kept.join(kept, reservation), reservation.tokens if kept.status == "lost" else 0)
            return ended is not None and kept.status != "lost"
        more = dynamo_models.charge(model_releases(reservation), reservation.now_s, in_minute=True)
        names = {"#rid": reservation.request_id, **tables.minute_names(reservation.now_s), **more.names}
        values = {**more.values, ":amount": reservation.amount_nanousd, ":tokens": reservation.tokens, ":one": 1}
        place = (reservation.account_id, self.shards.home(reservation))
        try:
            self._update(place, f"{GIVE_BACK}{more.update} REMOVE holds.#rid", HELD, values, names)
        except ConditionFailed as failed:
            return failed.repeated
        dynamo_pools.give_back(self._update, place, reservation, reservation.amount_nanousd)
        return True

    def open_pool(self, reservation: Reservation) -> Denied | None:
        return dynamo_pools.open_pool(self._update, self._read, self.reserve, reservation)

    def close_pool(self, account_id: str, pool: str) -> int | None:
        return dynamo_pools.close_pool(self._update, self._read, account_id, pool)

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled | None:
        """Writes the record, then each account; every write is safe to repeat. A reservation that was charged as lost meanwhile
        stays charged."""
        kept, is_new = self.kept.keep(record, reservation)
        ended = [self._end(one, self.kept.join(kept, one), tokens) for one in (reservation, *reservation.siblings)]
        is_ours = is_new or (ended[0] is not None and kept == tables.record(tables.record_item(record)))
        return Settled(tuple(alert for found in ended for alert in found or ())) if is_ours else None

    def charge_lost(self, account_id: str, now_s: float, dead: Container[str] = ()) -> int:
        return sum(self._charge(tables.expired_reservations(item, now_s, dead)) for item in self.shards.read_all(account_id))

    def correct(self, account_id: str, total_nanousd: int, difference_nanousd: int, earlier_nanousd: int = 0) -> bool:
        changes = {":difference": difference_nanousd, ":counted": difference_nanousd - earlier_nanousd}
        return dynamo_refunds.correct(self.shards, self._update, self._read, account_id, total_nanousd, changes)

    def amend(self, record: Record) -> bool:
        return dynamo_refunds.amend(self.kept, record)

    def record(self, request_id: str) -> Record | None:
        return self.kept.read(request_id)

    def records(
        self,
        account_id: str | None = None,
        since_s: float = 0,
        until_s: float = NEVER_S,
        after: str | None = None,
        limit: int = 100,
        *,
        newest_first: bool = False,
    ) -> tuple[Sequence[Record], str | None]:
        return self.kept.page(account_id, since_s, until_s, after, limit, newest_first=newest_first)

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None = None) -> Sequence[Total]:
        return self.kept.totals(by, first_day, last_day, account_id)

    def sums(
        self, by: By, first_day: str, last_day: str, *, daily: bool = True, top: int | None = None
    ) -> tuple[Sequence[Total], int]:
        return self.kept.sums(by, first_day, last_day, daily=daily, top=top)

    def dearest(
        self, account_id: str | None, since_s: float, until_s: float, after: str | None = None, limit: int = 100
    ) -> tuple[Sequence[Record], str | None, int | None]:
        return self.kept.dearest(account_id, since_s, until_s, after, limit)

    def _configure(self, item: Item, account: Account, main: Item, now_s: float) -> str:
        """Replaces the configuration in one of an account's items; returns its text.

        Raises ConditionFailed where the item's version, or the account's number of shards, is another meanwhile.
        """
        shard, number = tables.account_and_shard(item)[1], main.get("shards", 1)
        counters, reservations = tables.counters(item, now_s), tables.reservations_of(item)
        update, values, names = tables.configuration(account, counters, reservations, now_s, (shard, number))
        values[":next"] = account.version if shard else account.version + 1
        condition = "version = :version"
        if not shard and number == 1:
            condition += " AND attribute_not_exists(shards)"
        elif not shard:
            condition, values[":shards"] = f"{condition} AND shards = :shards", number
        self._update(tables.account_and_shard(item), update, condition, values, names)
        return str(values[":config"])

    def _follow(self, item: Item | None, account: Account, main: Item) -> None:
        """Gives a shard the configuration that its account has."""
        for _ in range(ROUNDS):
            if item is None or item["version"] >= account.version:
                return
            place, now_s = tables.account_and_shard(item), self._clock()
            if not self._renew(item, now_s):
                with suppress(ConditionFailed):
                    self._configure(item, account, main, now_s)
            item = self._read(*place)
        raise StoreThrottled("DynamoDB UpdateItem: too many writers of one account")

    def _reserve(self, reservation: Reservation, home: int) -> Item:
        """Checks every limit and takes from every counter in one conditional write; returns the account after it."""
        update, allows_amount, amounts, pool = dynamo_pools.admission(self._read, reservation)
        condition = ALLOWS_REQUEST + allows_amount + (ALLOWS_TOKENS if reservation.tokens else "")
        more = dynamo_models.reserve(reservation)
        limits = {":tokens": reservation.tokens, ":version": reservation.version, ":false": False}
        minute = tables.minute_names(reservation.now_s)
        if reservation.answered:
            condition, limits, minute = IS_THERE + allows_amount, {}, {}
        held = ledger.encode_reservation(reservation)
        values = {**more.values, **amounts, **limits, ":now": reservation.now_s, ":held": held, ":one": 1}
        names = {"#rid": reservation.request_id, **minute, **more.names, **pool}
        place = (reservation.account_id, home)
        return self._update(place, update + more.update, condition + more.condition, values, names, "ALL_NEW")

    def _explain_denial(self, item: Item | None, reservation: Reservation, home: int) -> Granted | Denied | int | None:
        """Why the account did not allow the reservation; None if the reason is gone by now, or the shard to be asked instead. When
        the answer to an earlier try was lost, the reservation is found here."""
        if item is None:
            return None if home and self._has_other_shards(reservation.account_id, home) else Denied("unknown")
        self.shards.learn(item)
        if item["holds"].get(reservation.request_id) == ledger.encode_reservation(reservation):
            return tables.grant(item, reservation, self.shards.number(reservation.account_id))
        denied = dynamo_pools.denial(item, reservation)
        if denied and denied.reason in ledger.IRREPARABLE:
            return None if home and self._is_behind(item) else denied
        if self._repair(item, reservation.now_s) or not denied:
            return None
        if denied.model or self.shards.number(reservation.account_id) == 1:
            return denied
        return self._draw(reservation, denied.reason, home)

    def _repair(self, item: Item, now_s: float) -> bool:
        """Renews a window that has ended and charges some of the expired reservations; returns whether there was any of it."""
        renewed, expired = self._renew(item, now_s), tables.expired_reservations(item, now_s)
        self._charge(expired[:MOST_CHARGED])
        return renewed or bool(expired)

    def _has_other_shards(self, account_id: str, home: int) -> bool:
        """Whether an account that was split is there, but without this shard: it was deleted, and made anew."""
        if main := self._read(account_id):
            self.shards.learn(main)
        return main is not None and main.get("shards", 1) <= home

    def _is_behind(self, item: Item) -> bool:
        """Whether a shard did not have its account's configuration, which it then gets."""
        main = self._read(tables.account_and_shard(item)[0])
        if main is None or main["version"] <= item["version"]:
            return False
        self._follow(item, ledger.decode_account(main["config"], main["version"]), main)
        return True

    def _draw(self, reservation: Reservation, reason: DenialReason, home: int) -> Denied | int | None:
        """Finds what a shard lacks at the others. Returns the shard to be asked next, None where what was lacking may be there now,
        and the refusal where all together have too little."""
        items, now_s = self.shards.read_all(reservation.account_id), reservation.now_s
        if len(items) <= home:
            return None if items else Denied("unknown")
        account = ledger.decode_account(items[0]["config"], items[0]["version"])
        if behind := [item for item in items if item["version"] < account.version]:
            for item in behind:
                self._follow(item, account, items[0])
            return None
        if sum(self._repair(item, now_s) for item in items) or is_torn(items):
            return None
        denied = ledger.denial(tables.total_counters(items, now_s), reservation)
        return denied or self.shards.find_room(items, reservation, reason, home)

    def _renew(self, item: Item, now_s: float) -> bool:
        """Renews the budget windows that have ended; returns whether one had. It adds differences, so settles at the same moment
        are not lost."""
        counters = tables.counters(item, now_s)
        if not counters.has_ended_window(now_s):
            return False
        reservations = tables.reservations_of(item)
        renewal = ledger.repair(counters, sum(reservation.amount_nanousd for reservation in reservations), now_s)
        if renewal:
            values = {":returned": renewal.returned, ":window_end_s": renewal.window_end_s, ":seen": counters.window_end_s}
            with suppress(ConditionFailed):  # somebody else renewed it
                self._update(tables.account_and_shard(item), RENEW, "window_end_s = :seen", values)
        renewals = model_repairs(counters.account, counters.models, reservations, now_s)
        for model, each in renewals.items():
            values = {":returned": each.returned, ":window_end_s": each.window_end_s, ":seen": counters.models[model].window_end_s}
            names = {name: text for name, text in dynamo_models.names_of(0, model).items() if name in RENEW_MODEL}
            with suppress(ConditionFailed):
                self._update(tables.account_and_shard(item), RENEW_MODEL, "#e0 = :seen", values, names)
        return bool(renewal or renewals)

    def _charge(self, reservations: Sequence[Reservation]) -> int:
        """Charges expired reservations: as lost, or by their records where a settle stopped between its two writes."""
        kept = [(reservation, dynamo_refunds.keep_lost(self.kept, self.shards, reservation)) for reservation in reservations]
        joined = [(reservation, self.kept.join(record, reservation)) for reservation, record in kept]
        return sum(self._end(reservation, record, reservation.tokens) is not None for reservation, record in joined)

    def _end(self, reservation: Reservation, record: Record, tokens: int) -> tuple[BudgetAlert, ...] | None:
        """Ends the reservation and charges its account; returns None if the reservation or the account is gone."""
        cost, in_minute = record.cost_nanousd, minute_of(self._clock()) == minute_of(reservation.now_s)
        more = dynamo_models.charge(model_charges(reservation, record), reservation.now_s, in_minute=in_minute)
        values = {**more.values, ":returned": reservation.amount_nanousd - cost, ":cost": cost, ":one": 1}
        stale = {f"#stale{number}": name for number, name in enumerate(reservation.stale)}
        names = more.names | stale | {"#rid": reservation.request_id}
        update, removed = CHARGE + more.update, ", ".join(["holds.#rid", *stale])
        if tokens != reservation.tokens and in_minute:
            update += ", #tpm = if_not_exists(#tpm, tpm_limit) + :unused"
            values[":unused"] = reservation.tokens - tokens
            names["#tpm"] = tables.minute_names(reservation.now_s)["#tpm"]
        is_split = self.shards.number(reservation.account_id) > 1
        may_owe = is_split and (cost > reservation.amount_nanousd or tokens > reservation.tokens)
        returned = "ALL_NEW" if reservation.alerts_at or may_owe else "NONE"
        try:
            place = (reservation.account_id, self.shards.home(reservation))
            item = self._update(place, f"{update} REMOVE {removed}", HELD, values, names, returned)
        except ConditionFailed as failed:
            return () if failed.repeated else None
        dynamo_pools.give_back(self._update, place, reservation, reservation.amount_nanousd - cost, record.status)
        if may_owe and owes(item, self._clock()):
            with suppress(StoreUnavailable):  # it is charged; the next that owes something asks again
                self.shards.pay_debts(reservation.account_id, self._clock())
        if not reservation.alerts_at or not item:
            return ()
        items = self.shards.read_all(reservation.account_id) if is_split else [item]
        return ledger.alerts_for(reservation, tables.total_balance(items or [item], self._clock()), cost)

    def _update(
        self, place: tuple[str, int], update: str, condition: str, values: Item, names: Item | None = None, returned: str = "NONE"
    ) -> Item:
        request = {"ExpressionAttributeNames": names} if names else {}
        answer = self._calls.call(
            "UpdateItem",
            TableName=self._accounts,
            Key=tables.key(*place),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=tables.to_attributes(values),
            ReturnValues=returned,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **request,
        )
        return tables.from_attributes(answer.get("Attributes", {}))

    def _read(self, account_id: str, shard: int = 0) -> Item | None:
        return self._calls.get(self._accounts, tables.key(account_id, shard))
