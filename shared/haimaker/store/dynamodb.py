"""Accounts and records in two DynamoDB tables, whose keys and items `tables.py` describes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html

No boto3, no Scan, and no counter that is read before it is written: admission is one conditional write, and every later one
adds differences. Each write may be repeated when its answer was lost.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from haimaker.aws.client import AWSClient
from haimaker.store import (
    NEVER_S,
    Account,
    Balance,
    BudgetAlert,
    Denied,
    Granted,
    Record,
    Reservation,
    Settled,
    StoreThrottled,
    StoreUnavailable,
    dynamo_models,
    ledger,
    minute_of,
    tables,
)
from haimaker.store.dynamo_calls import ConditionFailed, DynamoTable
from haimaker.store.dynamo_documents import DynamoDocuments
from haimaker.store.dynamo_records import AFTER_ALL, DynamoRecords
from haimaker.store.model_counters import model_charges, model_releases, model_repairs
from haimaker.store.tables import Item
from haimaker.store.totals import By, Total

MOST_CHARGED = 4
"""Expired holds that one request charges, before or after its own: four calls each, and others come. `charge_lost` takes all."""
ROUNDS = 5
"""How often an admission is tried again after it repaired the account or met other writers."""

RESERVE = (
    "SET remaining = remaining - :amount, free_slots = free_slots - :one, holds.#rid = :held, "
    "#rpm = if_not_exists(#rpm, rpm_limit) - :one, #tpm = if_not_exists(#tpm, tpm_limit) - :tokens"
)
ALLOWS_REQUEST = (
    "attribute_exists(pk) AND attribute_not_exists(holds.#rid) AND version = :version AND blocked = :false "
    "AND expires_s > :now AND window_end_s > :now AND free_slots >= :one "
    "AND ((attribute_not_exists(#rpm) AND rpm_limit >= :one) OR #rpm >= :one)"
)
ALLOWS_AMOUNT = " AND remaining >= :amount"
ALLOWS_TOKENS = " AND ((attribute_not_exists(#tpm) AND tpm_limit >= :tokens) OR #tpm >= :tokens)"
GIVE_BACK = (
    "SET remaining = remaining + :amount, free_slots = free_slots + :one, #rpm = if_not_exists(#rpm, rpm_limit) + :one, "
    "#tpm = if_not_exists(#tpm, tpm_limit) + :tokens"
)
HELD = "attribute_exists(holds.#rid)"
CHARGE = "SET remaining = remaining + :returned, total_spend = total_spend + :cost, free_slots = free_slots + :one"
CORRECT = "SET remaining = remaining - :difference, total_spend = total_spend + :difference"
RENEW = "SET remaining = remaining + :returned, window_end_s = :window_end_s"
RENEW_MODEL = "SET #b0 = #b0 - :returned, #e0 = :window_end_s"
EXISTS = "attribute_exists(pk)"


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
    ) -> None:
        self._accounts = accounts_table
        self.dynamo = dynamo
        self._calls = DynamoTable(dynamo)
        self.documents = DynamoDocuments(self._calls, accounts_table)
        self._records = DynamoRecords(self._calls, accounts_table, records_table, clock, rolled_up)
        self._clock = clock

    def put(self, account: Account, spent_as: Balance | None = None) -> bool:
        item = tables.account_item(account, spent_as)
        try:
            self._calls.add(self._accounts, item, "pk")
        except ConditionFailed as failed:
            return failed.repeated and (self._read(account.id) or {}).get("config") == item["config"]
        return True

    def get(self, account_id: str) -> Balance | None:
        item = self._read(account_id)
        return tables.balance(item, self._clock()) if item else None

    def update(self, account: Account) -> bool:
        now_s = self._clock()
        item = self._read(account.id)
        if item and item["version"] == account.version and self._renew(item, now_s):
            item = self._read(account.id)
        if not item or item["version"] != account.version:
            return False
        update, values, names = tables.configuration(account, tables.counters(item, now_s), tables.reservations_of(item), now_s)
        try:
            self._update(account.id, update, "version = :version", values, names)
        except ConditionFailed as failed:
            return failed.repeated and (self._read(account.id) or {}).get("config") == values[":config"]
        return True

    def delete(self, account_id: str) -> bool:
        try:
            self._calls.call("DeleteItem", TableName=self._accounts, Key=tables.key(account_id), ConditionExpression=EXISTS)
        except ConditionFailed as failed:
            return failed.repeated
        return True

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        span = ("created", tables.start_key(after), AFTER_ALL)
        found = self._calls.query(self._accounts, "by_kind", ("kind", kind), span, limit + 1, backwards=False)
        items = self._calls.read_all(self._accounts, ("pk", "sk"), found[:limit])
        now_s = self._clock()
        return [tables.balance(item, now_s) for item in items], found[limit - 1]["created"] if len(found) > limit else None

    def reserve(self, reservation: Reservation) -> Granted | Denied:
        for _ in range(ROUNDS):
            try:
                item = self._reserve(reservation)
            except ConditionFailed as failed:
                outcome = self._explain_denial(failed.item or self._read(reservation.account_id), reservation)
                if outcome:
                    return outcome
            else:
                with suppress(StoreUnavailable):  # it is granted; the next write meets what is left
                    self._charge(tables.expired_reservations(item, reservation.now_s)[:MOST_CHARGED])
                return tables.grant(item, reservation)
        raise StoreThrottled("DynamoDB UpdateItem: too many writers of one account")

    def release(self, reservation: Reservation) -> bool:
        more = dynamo_models.charge(model_releases(reservation), reservation.now_s, in_minute=True)
        names = {"#rid": reservation.request_id, **tables.minute_names(reservation.now_s), **more.names}
        values = {**more.values, ":amount": reservation.amount_nanousd, ":tokens": reservation.tokens, ":one": 1}
        try:
            self._update(reservation.account_id, f"{GIVE_BACK}{more.update} REMOVE holds.#rid", HELD, values, names)
        except ConditionFailed as failed:
            return failed.repeated
        return True

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled | None:
        """Writes the record, then each account; every write is safe to repeat. A reservation that was charged as lost meanwhile
        stays charged."""
        kept, is_new = self._records.keep(record)
        ended = [self._end(one, self._records.join(kept, one), tokens) for one in (reservation, *reservation.siblings)]
        is_ours = is_new or (ended[0] is not None and kept == tables.record(tables.record_item(record)))
        return Settled(tuple(alert for found in ended for alert in found or ())) if is_ours else None

    def charge_lost(self, account_id: str, now_s: float) -> int:
        item = self._read(account_id)
        return self._charge(tables.expired_reservations(item, now_s)) if item else 0

    def correct(self, account_id: str, total_nanousd: int, difference_nanousd: int) -> bool:
        values = {":difference": difference_nanousd, ":total": total_nanousd}
        try:
            self._update(account_id, CORRECT, "total_spend = :total", values)
        except ConditionFailed as failed:
            return failed.repeated and ((self._read(account_id) or {}).get("total_spend") == total_nanousd + difference_nanousd)
        return True

    def amend(self, record: Record) -> bool:
        return self._records.amend(record)

    def record(self, request_id: str) -> Record | None:
        return self._records.read(request_id)

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
        return self._records.page(account_id, since_s, until_s, after, limit, newest_first=newest_first)

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None = None) -> Sequence[Total]:
        return self._records.totals(by, first_day, last_day, account_id)

    def not_in_totals(self, since_s: float, until_s: float) -> Iterator[Item]:
        """Items of records that the stream should have added to the daily totals, and has not. For the operator's commands."""
        return self._records.not_in_totals(since_s, until_s)

    def _reserve(self, reservation: Reservation) -> Item:
        """Checks every limit and takes from every counter in one conditional write; returns the account after it."""
        condition = (
            ALLOWS_REQUEST + (ALLOWS_AMOUNT if reservation.amount_nanousd else "") + (ALLOWS_TOKENS if reservation.tokens else "")
        )
        more = dynamo_models.reserve(reservation)
        values = {
            **more.values,
            ":amount": reservation.amount_nanousd,
            ":tokens": reservation.tokens,
            ":version": reservation.version,
            ":now": reservation.now_s,
            ":held": ledger.encode_reservation(reservation),
            ":one": 1,
            ":false": False,
        }
        names = {"#rid": reservation.request_id, **tables.minute_names(reservation.now_s), **more.names}
        return self._update(reservation.account_id, RESERVE + more.update, condition + more.condition, values, names, "ALL_NEW")

    def _explain_denial(self, item: Item | None, reservation: Reservation) -> Granted | Denied | None:
        """Why the account did not allow the reservation; None if the reason is gone by now. When the answer to an earlier try was
        lost, the reservation is found here."""
        if item is None:
            return Denied("unknown")
        if item["holds"].get(reservation.request_id) == ledger.encode_reservation(reservation):
            return tables.grant(item, reservation)
        denied = ledger.denial(tables.counters(item, reservation.now_s), reservation)
        if denied and denied.reason in ledger.IRREPARABLE:
            return denied
        renewed, expired = self._renew(item, reservation.now_s), tables.expired_reservations(item, reservation.now_s)
        self._charge(expired[:MOST_CHARGED])
        return denied if denied and not renewed and not expired else None

    def _renew(self, item: Item, now_s: float) -> bool:
        """Renews the budget windows that have ended; returns whether one had. It adds differences, so settles at the same moment
        are not lost."""
        counters, reservations = tables.counters(item, now_s), tables.reservations_of(item)
        renewal = ledger.repair(counters, sum(reservation.amount_nanousd for reservation in reservations), now_s)
        if renewal:
            values = {":returned": renewal.returned, ":window_end_s": renewal.window_end_s, ":seen": counters.window_end_s}
            with suppress(ConditionFailed):  # somebody else renewed it
                self._update(counters.account_id, RENEW, "window_end_s = :seen", values)
        renewals = model_repairs(counters.account, counters.models, reservations, now_s)
        for model, each in renewals.items():
            values = {":returned": each.returned, ":window_end_s": each.window_end_s, ":seen": counters.models[model].window_end_s}
            names = {name: text for name, text in dynamo_models.names_of(0, model).items() if name in RENEW_MODEL}
            with suppress(ConditionFailed):
                self._update(counters.account_id, RENEW_MODEL, "#e0 = :seen", values, names)
        return bool(renewal or renewals)

    def _charge(self, reservations: Sequence[Reservation]) -> int:
        """Charges expired reservations: as lost, or by their records where a settle stopped between its two writes."""
        kept = [(reservation, self._records.keep(ledger.lost_record(reservation))[0]) for reservation in reservations]
        joined = [(reservation, self._records.join(record, reservation)) for reservation, record in kept]
        return sum(self._end(reservation, record, reservation.tokens) is not None for reservation, record in joined)

    def _end(self, reservation: Reservation, record: Record, tokens: int) -> tuple[BudgetAlert, ...] | None:
        """Ends the reservation and charges its account; returns None if the reservation or the account is gone."""
        cost, in_minute = record.cost_nanousd, minute_of(self._clock()) == minute_of(reservation.now_s)
        more = dynamo_models.charge(model_charges(reservation, record), reservation.now_s, in_minute=in_minute)
        values = {**more.values, ":returned": reservation.amount_nanousd - cost, ":cost": cost, ":one": 1}
        stale = {f"#stale{number}": name for number, name in enumerate(reservation.stale)}
        names = more.names | stale
        update, removed = CHARGE + more.update, ", ".join(["holds.#rid", *stale])
        if tokens != reservation.tokens and in_minute:
            update += ", #tpm = if_not_exists(#tpm, tpm_limit) + :unused"
            values[":unused"] = reservation.tokens - tokens
            names["#tpm"] = tables.minute_names(reservation.now_s)["#tpm"]
        names["#rid"] = reservation.request_id
        returned = "ALL_NEW" if reservation.alerts_at else "NONE"
        try:
            item = self._update(reservation.account_id, f"{update} REMOVE {removed}", HELD, values, names, returned)
        except ConditionFailed as failed:
            return () if failed.repeated else None
        return ledger.alerts_for(reservation, tables.balance(item, self._clock()), cost) if item else ()

    def _update(
        self, account_id: str, update: str, condition: str, values: Item, names: Item | None = None, returned: str = "NONE"
    ) -> Item:
        request = {"ExpressionAttributeNames": names} if names else {}
        answer = self._calls.call(
            "UpdateItem",
            TableName=self._accounts,
            Key=tables.key(account_id),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=tables.to_attributes(values),
            ReturnValues=returned,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **request,
        )
        return tables.from_attributes(answer.get("Attributes", {}))

    def _read(self, account_id: str) -> Item | None:
        return self._calls.get(self._accounts, tables.key(account_id))
