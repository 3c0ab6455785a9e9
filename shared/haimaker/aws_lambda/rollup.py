"""Daily totals from the stream of new records: of each key, of all, and by the names that `store/totals.py` finds in a record.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html

The stream delivers each record at least once, and again after any failure. So each transaction adds some records to their totals
and marks these records as added, under the condition that they are not: both happen or neither does, and a record that was marked
by an earlier delivery is left out of the next try. The totals are exact however often, and in whatever batches, records come.

Under load many batches are added at once, to the same totals. A process that meets another one there goes on with a part of them
of its own; who reads a total adds its parts up.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from haimaker.aws.client import AWSClient, AWSError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.observability.observer import Observer
from haimaker.settings.settings import Settings
from haimaker.store import StoreUnavailable, tables
from haimaker.store.totals import amounts_of, names_of
from haimaker.validation.settings import SettingsError

MAX_ACTIONS = 100
"""The most actions of one transaction."""
TRIES = 5
"""How often a transaction is tried that met another one on the same totals."""
PAUSE_S = 0.1
ALREADY_COUNTED = "ConditionalCheckFailed"
"""Why a transaction was refused: the record at its place is marked."""
CONFLICT = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class TotalKey(NamedTuple):
    """The key of an item of daily totals; `tables.py` lists them."""

    pk: str
    sk: str

    def in_part(self, part: int) -> "TotalKey":
        if not part:
            return self
        return TotalKey(f"{self.pk}#{part}", self.sk) if self.pk == "total" else TotalKey(self.pk, f"{self.sk}#{part}")


@dataclass(frozen=True, slots=True)
class RecordTotals:
    """A record, and what it adds to each daily total."""

    record_id: str
    lost: bool
    """Whether nobody settled it, so that it was charged in full."""
    places: frozenset[TotalKey]
    amounts: Mapping[str, int]


def record_totals(item: Mapping[str, Any]) -> RecordTotals:
    """What the item of a record adds. Raises KeyError, TypeError or ValueError if it is not a record's."""
    detail, day, account_id = json.loads(item["detail"]), tables.day(item["started_s"]), tables.split_name(item["account"])[0]
    places = {TotalKey("total", f"{by}#{day}#{name}") for by, name in names_of(account_id, detail)}
    places |= {TotalKey("total", f"day#{day}"), TotalKey(account_id, f"day#{day}")}
    return RecordTotals(
        item["id"], item["status"] == "lost", frozenset(places), amounts_of(item["status"], item["cost_nanousd"], detail)
    )


def sum_totals(additions: Iterable[RecordTotals]) -> dict[TotalKey, Counter[str]]:
    found: dict[TotalKey, Counter[str]] = {}
    for added in additions:
        for place in added.places:
            found.setdefault(place, Counter()).update(added.amounts)
    return found


def group_for_transactions(additions: Iterable[RecordTotals], most: int = MAX_ACTIONS) -> Iterator[list[RecordTotals]]:
    """Groups of as many records as one transaction takes: it has an action for each record and one for each daily total."""
    group: list[RecordTotals] = []
    places: set[TotalKey] = set()
    for added in additions:
        if group and len(group) + 1 + len(places.union(added.places)) > most:
            yield group
            group, places = [], set()
        group.append(added)
        places.update(added.places)
    if group:
        yield group


@dataclass(slots=True)
class DailyTotals:
    dynamo: AWSClient
    accounts_table: str
    records_table: str
    observer: Observer
    part: int = 0
    """The part of the totals to which this process adds."""

    @classmethod
    def from_environment(cls) -> "DailyTotals":
        """In a Lambda function: nothing is connected before the first event. Raises SettingsError."""
        settings = Settings.deployed(os.environ)
        if settings.aws is None:
            raise SettingsError("Daily totals are rolled up in a deployed stack only.")
        observer = Observer(settings.service, metrics_on=True, alert_webhook=settings.alert_webhook, proxies=settings.proxies)
        aws = settings.aws
        dynamo = AWSClient("dynamodb", aws.region, aws.credentials, aws.dynamodb_endpoint, on_denied=observer.access_denied)
        return cls(dynamo, settings.accounts_table, settings.records_table, observer)

    def add(self, event: JSON) -> None:
        """Adds the new records of a stream's event. Raises StoreUnavailable, after which the event has to come again."""
        found: dict[str, RecordTotals] = {}
        for change in event["Records"]:
            if change["eventName"] == "INSERT":
                found |= self._read(change["dynamodb"]["NewImage"])
        self.add_records(found.values())

    def add_records(self, found: Iterable[RecordTotals]) -> None:
        """Adds records; those that were added before change nothing. Raises StoreUnavailable."""
        for group in group_for_transactions(found):
            self._add(group)

    def _read(self, image: JSON) -> dict[str, RecordTotals]:
        """The totals of one record by its id; an item that can't be read is logged and left out, so that it does not hold up the
        others."""
        try:
            added = record_totals(tables.from_attributes(image))
        except (KeyError, TypeError, ValueError) as error:
            self.observer.exception(error, item=image.get("id"))
            return {}
        return {added.record_id: added}

    def _add(self, group: Sequence[RecordTotals]) -> None:
        for number in range(TRIES):
            try:
                self.dynamo.call("TransactWriteItems", {"TransactItems": [*self._marks(group), *self._sums(group)]})
            except AWSError as error:
                reasons = [reason.get("Code") for reason in error.document.get("CancellationReasons", ())]
                if not {ALREADY_COUNTED, *CONFLICT}.intersection(reasons):
                    raise StoreUnavailable(f"DynamoDB {error}") from error
                group = [added for added, reason in zip(group, reasons, strict=False) if reason != ALREADY_COUNTED]
                if not group:
                    return
                if not CONFLICT.isdisjoint(reasons):
                    self.part = (self.part + random.randrange(1, tables.PARTS)) % tables.PARTS  # noqa: S311 (no secret)
                    time.sleep(random.uniform(0, PAUSE_S * 2**number))  # noqa: S311 (jitter, no secret)
            else:
                if lost := sum(added.lost for added in group):
                    self.observer.reservations_lost(lost)
                return
        raise StoreUnavailable("DynamoDB TransactWriteItems: too many writers of the same totals")

    def _marks(self, group: Sequence[RecordTotals]) -> Iterator[JSON]:
        for added in group:
            update = {
                "TableName": self.records_table,
                "Key": tables.to_attributes({"id": added.record_id}),
                "UpdateExpression": f"SET {tables.ROLLED_UP} = :true",
                "ConditionExpression": f"attribute_exists(id) AND attribute_not_exists({tables.ROLLED_UP})",
                "ExpressionAttributeValues": tables.to_attributes({":true": True}),
            }
            yield {"Update": update}

    def _sums(self, group: Sequence[RecordTotals]) -> Iterator[JSON]:
        for place, amounts in sum_totals(group).items():
            update = {
                "TableName": self.accounts_table,
                "Key": tables.to_attributes(place.in_part(self.part)._asdict()),
                "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in amounts),
                "ExpressionAttributeNames": {f"#{name}": name for name in amounts},
                "ExpressionAttributeValues": tables.to_attributes({f":{name}": amount for name, amount in amounts.items()}),
            }
            yield {"Update": update}
