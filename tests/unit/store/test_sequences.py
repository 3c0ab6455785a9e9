"""Random sequences of calls on every store, each compared with a model that keeps sums and nothing clever."""

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haimaker.store import NEVER_S, UNLIMITED, Account, Balance, Granted, Reservation, minute_of
from tests.unit.store.conftest import START_S

EXAMPLES = {"sqlite": 400, "moto": 25, "dynalite": 60}
limit = st.one_of(st.none(), st.integers(0, 300))
count = st.one_of(st.none(), st.integers(0, 4))
configuration = st.fixed_dictionaries(
    {"budget_nanousd": limit, "tpm_limit": limit, "rpm_limit": count, "parallel_limit": count},
    optional={
        "budget_window_s": st.sampled_from([None, 45, 600]),
        "blocked": st.booleans(),
        "expires_s": st.sampled_from([NEVER_S, int(START_S) + 90]),
    },
)
step = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([0, 1, 40, 120]), st.sampled_from([0, 5, 90]), st.sampled_from([15, 70, 900])),
    st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from([0, 30, 200]), st.sampled_from([0, 5, 120])),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 61, 700])),
    st.tuples(st.just("update"), configuration),
    st.tuples(st.just("lost")),
    st.tuples(st.just("stale")),
)


@dataclass
class Model:
    """One account by the rules of `haimaker.store`: what was spent and held, and used in each minute."""

    account: Account
    window_end_s: int
    spend: int = 0
    total: int = 0
    reservations: dict[str, Reservation] = field(default_factory=dict)
    requests: Counter = field(default_factory=Counter)
    tokens: Counter = field(default_factory=Counter)

    @property
    def held(self) -> int:
        return sum(reservation.amount_nanousd for reservation in self.reservations.values())

    def renewed_end_s(self, now_s: float) -> int:
        end_s = self.window_end_s
        while end_s <= now_s:
            end_s += self.account.budget_window_s
        return end_s

    def renew(self, now_s: float) -> None:
        if self.window_end_s <= now_s:
            self.spend, self.window_end_s = 0, self.renewed_end_s(now_s)

    def reserve(self, reservation: Reservation) -> str | None:
        """The reason of a refusal, None when granted."""
        account, minute = self.account, minute_of(reservation.now_s)
        if account.blocked or account.expires_s <= reservation.now_s:
            return "blocked" if account.blocked else "expired"
        if account.version != reservation.version:
            return "version"
        self.renew(reservation.now_s)
        self.charge_lost(reservation.now_s)
        used = {
            "budget": (account.budget_nanousd, self.spend + self.held, reservation.amount_nanousd),
            "rpm": (account.rpm_limit, self.requests[minute], 1),
            "tpm": (account.tpm_limit, self.tokens[minute], reservation.tokens),
            "parallel": (account.parallel_limit, len(self.reservations), 1),
        }
        for reason, (most, before, wanted) in used.items():
            if most is not None and wanted and before + wanted > most:
                return reason
        self.reservations[reservation.request_id] = reservation
        self.requests[minute] += 1
        self.tokens[minute] += reservation.tokens
        return None

    def settle(self, reservation: Reservation, cost: int, tokens: int) -> bool:
        if self.reservations.pop(reservation.request_id, None) is None:
            return False
        self.spend, self.total = self.spend + cost, self.total + cost
        self.tokens[minute_of(reservation.now_s)] += tokens - reservation.tokens
        return True

    def charge_lost(self, now_s: float) -> int:
        expired = [reservation for reservation in self.reservations.values() if reservation.deadline_s <= now_s]
        return sum(self.settle(reservation, reservation.amount_nanousd, reservation.tokens) for reservation in expired)

    def update(self, account: Account, now_s: float) -> None:
        self.renew(now_s)
        if account.budget_window_s != self.account.budget_window_s:
            length_s = account.budget_window_s
            self.window_end_s = NEVER_S if length_s is None else int(now_s) + length_s
            self.spend = self.spend if length_s is None else 0
        self.account = replace(account, version=account.version + 1)

    def balance(self, now_s: float) -> Balance:
        spend = 0 if self.window_end_s <= now_s else self.spend
        return Balance(self.account, spend, self.held, self.total, self.renewed_end_s(now_s), len(self.reservations))


def take(scene, model: Model, granted: list[Reservation], name: str, *arguments) -> None:
    """One step on the store and on the model; both must answer the same."""
    now_s = scene.clock.now_s
    if name == "admit":
        amount, tokens, lasts_s = arguments
        outcome = scene.store.reserve(reservation := scene.reservation(model.account, amount, tokens, lasts_s))
        reason = model.reserve(reservation)
        assert (None if isinstance(outcome, Granted) else outcome.reason) == reason
        if isinstance(outcome, Granted):
            granted.append(outcome.reservation)
            most, used = model.account.tpm_limit, model.tokens[minute_of(now_s)]
            assert outcome.tokens_left == (UNLIMITED if most is None else most - used)
    elif name == "settle" and granted:
        index, cost, tokens = arguments
        reservation = granted[index % len(granted)]
        assert scene.settle(reservation, cost, tokens) == model.settle(reservation, cost, tokens)
    elif name == "wait":
        scene.clock.now_s += arguments[0]
    elif name == "update":
        changed = replace(model.account, **arguments[0])
        assert scene.store.update(changed)
        model.update(changed, now_s)
    elif name == "lost":
        assert scene.store.charge_lost(model.account.id, now_s) == model.charge_lost(now_s)
    elif name == "stale":
        assert not scene.store.update(replace(model.account, version=model.account.version - 1))
        reservation = replace(scene.reservation(model.account), version=0)
        assert scene.store.reserve(reservation).reason == model.reserve(reservation)


def test_any_sequence_of_calls_gives_what_the_model_gives(scene):
    @settings(max_examples=EXAMPLES[scene.name], deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(configuration, st.lists(step, max_size=25))
    def run(start, steps):
        scene.kind, scene.clock.now_s = f"k{uuid.uuid4().hex[:12]}", START_S
        account = scene.account(**start)
        window_s = account.budget_window_s
        model, granted = Model(account, NEVER_S if window_s is None else int(START_S) + window_s), []
        for name, *arguments in steps:
            take(scene, model, granted, name, *arguments)
            assert scene.store.get(account.id) == model.balance(scene.clock.now_s), name
        records, _ = scene.store.records(account.id)
        assert sum(record.cost_nanousd for record in records) == model.total

    run()
