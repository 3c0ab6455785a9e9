"""Settles a request: makes one record and one charge of what its attempts used, whether it was whole or a stream, and whether it
finished, failed or was given up."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from haimaker.billing import admission
from haimaker.billing.model_limits import with_amount
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.pricing import costs, usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.store import BudgetAlert, Granted, Record, Reservation, Store, StoreThrottled, StoreUnavailable

STORE_TRIES = 3
THROTTLED_TIMEOUT_S = 20.0
"""How long settling waits for a store that refuses for load; the client waits meanwhile."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0

Status = Literal["ok", "error", "cut"]


@dataclass(slots=True)
class AttemptLog:
    """The outcome of one attempt."""

    attempt: Attempt
    started_s: float
    status: int | None = None
    code: str | None = None
    duration_ms: int = 0
    first_byte_ms: int | None = None
    """From its start until its provider began to answer."""
    tokens: Usage | None = None
    estimated: bool = False
    counted: Callable[[], Usage | None] = lambda: None
    """What its provider has counted so far of an answer that takes several turns."""
    dropped: tuple[str, ...] = ()
    service_tier: str | None = None
    """At whose rates it is billed, whatever the answer says of itself: those of batches, of an answer of one."""
    _priced: tuple[Usage, int | None] | None = None
    """What was used when the cost was last asked for, and that cost."""

    def cost_nanousd(self) -> int | None:
        """The cost of this attempt; 0 if it used nothing, None if its model has no known price."""
        if self.tokens is None:
            return 0
        if self._priced is None or self._priced[0] is not self.tokens:
            self._priced = self.tokens, costs.cost_nanousd(self.tokens, self.attempt.model_info, now_s=self.started_s)
        return self._priced[1]

    def is_unpriced(self) -> bool:
        """Whether usage of a model that charges for it came out at no cost: a price is missing somewhere."""
        tokens = self.tokens
        used = tokens is not None and (tokens.prompt + tokens.completion > 0 or bool(costs.other_units(tokens)))
        return used and any(float(rate) for rate in self.attempt.model_info.rates.values())

    def set_usage(self, tokens: Usage, *, estimated: bool) -> None:
        self.tokens = tokens.at_tier(self.service_tier) if self.service_tier else tokens
        self.estimated = estimated or tokens.is_estimated

    def to_record(self) -> JSON:
        """The attempt as a request's record and an error show it: no address and no message."""
        return {
            "target": self.attempt.target,
            "status": self.status,
            "code": self.code,
            "duration_ms": self.duration_ms,
            "first_byte_ms": self.first_byte_ms,
            "cost_usd": to_usd(self.cost_nanousd()),
        }


@dataclass(slots=True)
class Settlement:
    """Charges a request exactly once, whoever ends it."""

    store: Store
    reservation: Reservation
    request_fields: Mapping[str, object]
    """What the record says of the request itself: model, operation, stream, tags, user."""
    started_s: float
    attempt_logs: list[AttemptLog] = field(default_factory=list)
    record: Record | None = None
    first_chunk_s: float | None = None
    """When the first chunk of a streamed answer came, in seconds of the epoch."""
    first_token_s: float | None = None
    """When the first chunk came that has text, reasoning or a call in it."""
    store_failed: bool = False
    has_earlier: bool = False
    """Whether the store had a record of it already: it was charged as lost, for one."""
    alerts: tuple[BudgetAlert, ...] = ()
    """Soft budgets that were reached with it."""
    extra: list[Reservation] = field(default_factory=list)
    """Reserved later for further attempts, on every account that pays."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, status: Status, now_s: float, error: APIError | None = None) -> Record:
        """Adds the record and charges its cost. A second call does nothing and returns the first call's record."""
        with self._lock:
            if self.record is None:
                self.record = self._record(status, now_s, error)
                self._store(self.record, self.tokens_used())
            return self.record

    def tokens_used(self) -> int:
        """The tokens that count against the minute's limit."""
        return 0 if self.reservation.answered else sum(tokens.prompt + tokens.completion for tokens in self._tokens())

    def outline(self) -> Record:
        """What the record would be if it was settled now."""
        return self._record("ok", time.time(), None)

    def reserve_more(self, most_nanousd: int) -> bool:
        """Makes sure that an attempt of at most this cost is reserved for, besides what failed attempts have cost: what is missing
        is reserved now. Returns False if it can't be."""
        held = (self.reservation, *self.reservation.siblings)
        extra = sum(reservation.amount_nanousd for reservation in self.extra[:: len(held)])  # each amount is on every account
        missing = (self.cost_nanousd() or 0) + most_nanousd - self.reservation.amount_nanousd - extra
        if missing <= 0:
            return True
        name = f"{self.reservation.request_id}+{len(self.extra) // len(held) + 1}"
        wanted = [replace(with_amount(reservation, missing), request_id=name, siblings=()) for reservation in held]
        with suppress(StoreUnavailable):
            admitted = admission.reserve(self.store, wanted)
            if isinstance(admitted, Granted):
                return self._keep_or_release((admitted.reservation, *admitted.reservation.siblings))
        return False

    def _keep_or_release(self, reservations: Sequence[Reservation]) -> bool:
        """Keeps the reservations for this request; returns False, and gives them back, if the request was settled meanwhile."""
        with self._lock:
            if self.record is None:
                self.extra += reservations
                return True
        admission.release(self.store, reservations)
        return False

    def cost_nanousd(self) -> int | None:
        """The cost of all attempts together; None if one of them used something without a known price."""
        paid = [attempt_log.cost_nanousd() for attempt_log in self.attempt_logs]
        return None if any(cost is None for cost in paid) else sum(cost for cost in paid if cost is not None)

    def _tokens(self) -> list[Usage]:
        return [each for attempt_log in self.attempt_logs if attempt_log.tokens for each in attempt_log.tokens.passes]

    def _record(self, status: Status, now_s: float, error: APIError | None) -> Record:
        cost = self.cost_nanousd()
        used = self._tokens()
        served = self.attempt_logs[-1].attempt if self.attempt_logs else None
        detail = {
            **self.request_fields,
            "status": status,
            "error": error.code or error.type if error else None,
            "http_status": error.status if error else 200,
            "provider": served.provider.name if served else None,
            "model": served.model if served else None,
            "input_tokens": sum(tokens.prompt for tokens in used),
            "output_tokens": sum(tokens.completion for tokens in used),
            "cached_tokens": sum(tokens.all_cached for tokens in used),
            "cache_write_tokens": sum(tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_12h for tokens in used),
            "reasoning_tokens": sum(tokens.reasoning for tokens in used),
            **costs.other_units(usage.sum_usages(used)),
            "cost_usd": to_usd(cost),
            "cost_estimated": any(attempt_log.estimated for attempt_log in self.attempt_logs),
            "held_usd": to_usd(self.reservation.amount_nanousd),
            "over_hold": (cost or 0) > self.reservation.amount_nanousd,
            "unpriced": cost == 0 and any(attempt_log.is_unpriced() for attempt_log in self.attempt_logs),
            "duration_ms": self._ms(now_s),
            "first_chunk_ms": self._ms(self.first_chunk_s),
            "first_token_ms": self._ms(self.first_token_s),
            "attempts": [attempt_log.to_record() for attempt_log in self.attempt_logs],
            **self._limited_models(),
        }
        return Record(self.reservation.request_id, self.reservation.account_id, self.started_s, status, cost or 0, detail)

    def _limited_models(self) -> JSON:
        """The cost and the tokens of each model that an account limits, where there are such."""
        used: dict[str, tuple[int, int]] = {}
        for hold in (hold for reservation in (self.reservation, *self.reservation.siblings) for hold in reservation.models):
            logs = [log for log in self.attempt_logs if hold.targets is None or log.attempt.target in hold.targets]
            if logs or hold.targets is None:
                tokens = sum(each.prompt + each.completion for log in logs if log.tokens for each in log.tokens.passes)
                used[hold.model] = sum(log.cost_nanousd() or 0 for log in logs), tokens
        return {"model_limits": used} if self.reservation.models or used else {}

    def _ms(self, moment_s: float | None) -> int | None:
        return None if moment_s is None else max(0, round((moment_s - self.started_s) * 1000))

    def _store(self, record: Record, tokens: int) -> None:
        """Settles with the store. If it fails to the end, the reservation stays and is charged as lost after its deadline. A store
        that is throttled is waited for, longer than any admission waits: what was admitted is settled, also while others are
        refused."""
        give_up_s, pause_s, tries = time.monotonic() + THROTTLED_TIMEOUT_S, FIRST_PAUSE_S, 0
        while True:
            try:
                settled = self.store.settle(self.reservation, record, tokens)
            except StoreThrottled:
                self.store_failed = True
                if time.monotonic() + pause_s > give_up_s:
                    return
                time.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 (jitter, no secret)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except StoreUnavailable:
                self.store_failed = True
                tries += 1
                if tries == STORE_TRIES:
                    return
            else:
                self.store_failed, self.has_earlier = False, settled is None
                self.alerts = settled.alerts if settled else ()
                admission.release(self.store, self.extra)
                return
