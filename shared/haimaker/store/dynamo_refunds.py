"""A lost request in DynamoDB: its record, its real outcome, and what the windows of limited models get back.

The account's total is corrected by its records; see `local/command_line/reconcile.py`.
"""

from collections.abc import Callable

from haimaker.store import Record, Reservation, StoreThrottled, dynamo_models, ledger, tables
from haimaker.store.dynamo_calls import ConditionFailed
from haimaker.store.dynamo_expressions import CORRECT
from haimaker.store.dynamo_records import DynamoRecords
from haimaker.store.dynamo_shards import Shards
from haimaker.store.model_counters import ModelRefund, is_charged_in_window, model_refunds
from haimaker.store.tables import Item

TRIES = 5
GIVE_BACK = "SET #b0 = #b0 - :returned"
IS_SEEN = "#b0 = :taken AND (attribute_not_exists(#e0) OR #e0 = :end)"


def amend(records: DynamoRecords, outcome: Record) -> bool:
    """See `Store.amend`. Who dies between the two writes has charged a model's window too much."""
    for _ in range(TRIES):
        lost = records.read(outcome.request_id)
        if lost is None or lost.status != "lost":
            return False
        if records.amend(outcome, lost):
            for refund in model_refunds(lost, outcome):
                _give_back(records, lost, refund)
            return True
    raise StoreThrottled("DynamoDB UpdateItem: too many writers of one record")


def keep_lost(records: DynamoRecords, shards: Shards, reservation: Reservation) -> Record:
    """Adds the record of a request that nobody settled, unless there is one; returns what is stored. It costs nothing where the
    request was not sent, and given back to some of those who pay for it, when its process died or the store failed. Of an account
    that is gone nothing is known."""
    record = ledger.lost_record(reservation)
    if (first := ledger.first_payer(reservation)) is not None:
        items = shards.read_all(first)
        if items and not any(reservation.request_id in item["holds"] for item in items):
            # Who charges or settles writes the record before the hold is gone.
            record = records.read(reservation.request_id) or ledger.free_record(reservation)
    return records.keep(record, reservation)[0]


def _give_back(records: DynamoRecords, lost: Record, refund: ModelRefund) -> None:
    """A write whose answer was lost is not made twice. What an account limits for single models is in its own item alone."""
    for _ in range(TRIES):
        item = records.calls.get(records.accounts_table, tables.key(refund.account_id))
        counters = tables.counters(item, records.clock()) if item else None
        seen = counters.models.get(refund.model) if counters else None
        if counters is None or seen is None or not is_charged_in_window(lost, counters.account, refund.model, seen):
            return
        names = {name: text for name, text in dynamo_models.names_of(0, refund.model).items() if name in IS_SEEN}
        try:
            records.calls.call(
                "UpdateItem",
                TableName=records.accounts_table,
                Key=tables.key(refund.account_id),
                UpdateExpression=GIVE_BACK,
                ConditionExpression=IS_SEEN,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=tables.to_attributes(
                    {":returned": refund.returned, ":taken": seen.taken, ":end": seen.window_end_s}
                ),
            )
        except ConditionFailed as failed:
            if not failed.repeated:
                continue
        return
    raise StoreThrottled("DynamoDB UpdateItem: too many writers of one account")


def correct(
    shards: Shards,
    update: Callable[[tuple[str, int], str, str, Item], Item],
    read: Callable[[str], Item | None],
    account_id: str,
    total_nanousd: int,
    changes: Item,
) -> bool:
    """Does what `Store.correct` says; `changes` are the difference and what of it counts in this window."""
    items = shards.read_all(account_id)
    if len(items) > 1:
        is_seen = sum(item["total_spend"] for item in items) == total_nanousd
        return is_seen and shards.correct(items, CORRECT, changes)
    try:
        update((account_id, 0), CORRECT, "total_spend = :total", {**changes, ":total": total_nanousd})
    except ConditionFailed as failed:
        return failed.repeated and ((read(account_id) or {}).get("total_spend") == total_nanousd + changes[":difference"])
    return True
