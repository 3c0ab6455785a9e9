"""Requests that end after their connection did. What is reserved for one is written down, so that whoever sees its end settles it.

A document per request, from its admission until it is settled: any process of the gateway may be the one that does, and of several
that try, each change names the version that it was made of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.billing.settlement import Settlement
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.store import Record, Reservation, Store, ledger
from haimaker.store.documents import Document
from haimaker.store.windows import window_start

KIND = "background"
"""Of the documents, and of the events by which a function has them seen to: the id of a request, or ALL."""
ALL = "*"
TRIES = 5
"""How often a change is tried that meets others."""


@dataclass(slots=True)
class PendingRequest:
    store: Store
    reservation: Reservation
    started_s: float
    request_fields: JSON
    """What its record will say of the request itself."""
    state: JSON
    """Where it is, in the words of who makes it."""
    version: int = 0

    @property
    def request_id(self) -> str:
        return self.reservation.request_id

    def save(self, **changes: Any) -> bool:
        """Writes it with these changes of its state. Returns False, and changes nothing, if somebody else did meanwhile."""
        body: JSON = {
            "held": [_encode(each) for each in (self.reservation, *self.reservation.siblings)],
            "started_s": self.started_s,
            "fields": self.request_fields,
            "state": {**self.state, **changes},
        }
        if not self.store.documents.put(KIND, Document(self.request_id, body, self.version)):
            return False
        self.state, self.version = body["state"], self.version + 1
        return True

    def change(self, **changes: Any) -> bool:
        """The same on what others have written meanwhile. Returns False if it has ended, or if too many write."""
        for _ in range(TRIES):
            now = load(self.store, self.request_id)
            if now is None:
                return False
            self.state, self.version = now.state, now.version
            if self.save(**changes):
                return True
        return False

    def forget(self) -> None:
        """Once it is settled."""
        self.store.documents.delete(KIND, self.request_id)

    def settlement(self) -> Settlement:
        return Settlement(self.store, self.reservation, self.request_fields, self.started_s)

    def charge_as_lost(self) -> None:
        """Charges all that is reserved, as for any request whose process died. Who settles it after all has its outcome noted."""
        for each in (self.reservation, *self.reservation.siblings):
            self.store.settle(replace(each, siblings=()), ledger.lost_record(each), each.tokens)


def load(store: Store, request_id: str) -> PendingRequest | None:
    """None where there is no such request, or it has ended."""
    found = store.documents.get(KIND, request_id)
    return _from_document(store, found) if found else None


def load_all(store: Store) -> Sequence[PendingRequest]:
    return [_from_document(store, found) for found in store.documents.all(KIND)]


def refund_lost(store: Store, request_id: str) -> bool:
    """Gives back what a request was charged too much as lost, where its outcome was noted since; to the window of a budget that
    was charged, or to none. Returns whether there was any. What an account that is written to all the time is not given back is
    left to the next reconciliation."""
    lost = store.record(request_id)
    outcome = ledger.outcome_of_lost(lost) if lost else None
    if lost is None or outcome is None or not store.amend(outcome):
        return False
    difference = outcome.cost_nanousd - lost.cost_nanousd
    for account_id in {lost.account_id, *lost.detail.get("charged", ())}:
        for _ in range(TRIES):
            balance = store.get(account_id)
            if balance is None:
                break
            began_s = window_start(balance.account.budget_window, balance.window_end_s)
            earlier = difference if lost.detail["deadline_s"] < began_s else 0
            if store.correct(account_id, balance.total_spend_nanousd, difference, earlier):
                break
    return True


def seems_lost(record: Record | None) -> bool:
    return record is None or record.status == "lost"


def _from_document(store: Store, document: Document) -> PendingRequest:
    body = document.body
    own, *others = [_decode(document.name, each) for each in body["held"]]
    held = replace(own, siblings=tuple(others))
    return PendingRequest(store, held, body["started_s"], body["fields"], body["state"], document.version)


def _encode(reservation: Reservation) -> JSON:
    return {
        "account": reservation.account_id,
        "hold": ledger.encode_reservation(reservation),
        "targets": [hold.targets for hold in reservation.models],
        "alerts_at": reservation.alerts_at,
        "shard": reservation.shard,
    }


def _decode(request_id: str, kept: Mapping[str, Any]) -> Reservation:
    found = ledger.decode_reservation(kept["account"], request_id, kept["hold"])
    models = [
        replace(hold, targets=None if targets is None else tuple(targets))
        for hold, targets in zip(found.models, kept["targets"], strict=True)
    ]
    alerts_at = tuple((amount, percent) for amount, percent in kept["alerts_at"])
    return replace(found, models=tuple(models), alerts_at=alerts_at, shard=kept["shard"])
