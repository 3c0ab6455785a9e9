"""Random sequences of calls on every store, each compared with a model that keeps sums and nothing clever."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haimaker.store import NEVER_S, UNLIMITED, Account, Balance, Granted, ModelBalance, ModelLimit, Reservation, minute_of
from haimaker.store.dynamodb import MOST_CHARGED
from tests.unit.store.conftest import START_S, SplitStore

EXAMPLES = {"sqlite": 400, "moto": 25, "dynalite": 60, "split": 8}
limit = st.one_of(st.none(), st.none(), st.integers(0, 300))
count = st.one_of(st.none(), st.none(), st.integers(0, 4))
MODELS = ("openai/gpt", "\ud800 m=1 #\x00")
model_limit = st.builds(ModelLimit, limit, st.sampled_from([None, 45, 600]), st.none(), count, limit)
some_models = st.fixed_dictionaries({}, optional=dict.fromkeys(MODELS, model_limit))
configuration = st.fixed_dictionaries(
    {
        "budget_nanousd": limit,
        "tpm_limit": limit,
        "rpm_limit": count,
        "parallel_limit": count,
        "model_limits": st.one_of(st.fixed_dictionaries(dict.fromkeys(MODELS, model_limit)), some_models),
    },
    optional={
        "budget_window_s": st.sampled_from([None, 45, 600]),
        "blocked": st.sampled_from([False] * 9 + [True]),
        "expires_s": st.sampled_from([NEVER_S] * 4 + [int(START_S) + 90]),
    },
)
subset = st.sampled_from([(), MODELS[:1], MODELS[1:], MODELS])
admit = st.tuples(
    st.just("admit"), st.sampled_from([0, 1, 40, 120]), st.sampled_from([0, 5, 90]), st.sampled_from([15, 70, 900]), subset
)
settle = st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from([0, 30, 200]), st.sampled_from([0, 5, 120]), subset)
step = st.one_of(
    *(admit, admit, settle, settle),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 61, 700])),
    st.tuples(st.just("update"), configuration),
    st.tuples(st.just("lost")),
    st.tuples(st.just("stale")),
)


@dataclass
class Sums:
    """What was spent in a window, and used in each minute; of the account, or of one of its models."""

    length_s: int | None
    end_s: int = NEVER_S
    spend: int = 0
    requests: Counter = field(default_factory=Counter)
    tokens: Counter = field(default_factory=Counter)

    @classmethod
    def beginning(cls, length_s: int | None, now_s: float) -> "Sums":
        return cls(length_s, NEVER_S if length_s is None else int(now_s) + length_s)

    def end_after(self, now_s: float) -> int:
        end_s = self.end_s
        while end_s <= now_s:
            end_s += self.length_s
        return end_s

    def spend_at(self, now_s: float) -> int:
        return 0 if self.end_s <= now_s else self.spend

    def renew(self, now_s: float) -> None:
        self.spend, self.end_s = self.spend_at(now_s), self.end_after(now_s)

    def restart(self, length_s: int | None, now_s: float) -> None:
        """A window of another length begins; one that lasts for ever keeps what was spent."""
        begun = Sums.beginning(length_s, now_s)
        self.length_s, self.end_s, self.spend = length_s, begun.end_s, self.spend if length_s is None else 0


@dataclass
class Model:
    """One account by the rules of `haimaker.store`: what was spent and held, and used in each minute."""

    account: Account
    sums: Sums
    models: dict[str, Sums]
    total: int = 0
    reservations: dict[str, Reservation] = field(default_factory=dict)

    @classmethod
    def of(cls, account: Account, now_s: float) -> "Model":
        models = {model: Sums.beginning(account.model_window(model)[0], now_s) for model in account.model_limits}
        return cls(account, Sums.beginning(account.budget_window_s, now_s), models)

    @property
    def held(self) -> int:
        return sum(reservation.amount_nanousd for reservation in self.reservations.values())

    def held_of(self, model: str) -> int:
        holds = (hold for reservation in self.reservations.values() for hold in reservation.models)
        return sum(hold.amount_nanousd for hold in holds if hold.model == model)

    def renew(self, now_s: float) -> None:
        for sums in (self.sums, *self.models.values()):
            sums.renew(now_s)

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
            "budget": (account.budget_nanousd, self.sums.spend + self.held, reservation.amount_nanousd),
            "rpm": (account.rpm_limit, self.sums.requests[minute], 1),
            "tpm": (account.tpm_limit, self.sums.tokens[minute], reservation.tokens),
            "parallel": (account.parallel_limit, len(self.reservations), 1),
        }
        for hold in reservation.models:
            sums, most = self.models[hold.model], account.model_limits[hold.model]
            used |= {
                f"budget {hold.model}": (most.budget_nanousd, sums.spend + self.held_of(hold.model), hold.amount_nanousd),
                f"rpm {hold.model}": (most.rpm_limit, sums.requests[minute], 1),
                f"tpm {hold.model}": (most.tpm_limit, sums.tokens[minute], hold.tokens),
            }
        for reason, (limit, before, wanted) in used.items():
            if limit is not None and wanted and before + wanted > limit:
                return reason
        self.reservations[reservation.request_id] = reservation
        for sums, tokens in (
            (self.sums, reservation.tokens),
            *((self.models[each.model], each.tokens) for each in reservation.models),
        ):
            sums.requests[minute] += 1
            sums.tokens[minute] += tokens
        return None

    def settle(self, reservation: Reservation, cost: int, tokens: int, used: Sequence[str] | None = None) -> bool:
        """`used` are the models that were; all of what was held of each where nothing is known of them."""
        if self.reservations.pop(reservation.request_id, None) is None:
            return False
        self.total += cost
        self.sums.spend += cost
        minute = minute_of(reservation.now_s)
        self.sums.tokens[minute] += tokens - reservation.tokens
        for hold in reservation.models:
            if sums := self.models.get(hold.model):
                is_used = used is None or hold.model in used
                sums.spend += cost if is_used else 0
                sums.requests[minute] -= not is_used
                sums.tokens[minute] += (tokens if is_used else 0) - hold.tokens
        return True

    def charge_lost(self, now_s: float) -> int:
        expired = [reservation for reservation in self.reservations.values() if reservation.deadline_s <= now_s]
        return sum(self.settle(reservation, reservation.amount_nanousd, reservation.tokens) for reservation in expired)

    def update(self, account: Account, now_s: float) -> None:
        self.renew(now_s)
        if account.budget_window_s != self.account.budget_window_s:
            self.sums.restart(account.budget_window_s, now_s)
        for model in account.model_limits:
            length_s, known = account.model_window(model)[0], self.models.get(model)
            if model not in self.account.model_limits:
                begun = Sums.beginning(length_s, now_s)
                self.models[model] = replace(begun, requests=known.requests, tokens=known.tokens) if known else begun
            elif length_s != self.account.model_window(model)[0]:
                known.restart(length_s, now_s)
        self.account = replace(account, version=account.version + 1)

    def balance(self, now_s: float) -> Balance:
        models = {
            model: ModelBalance(sums.spend_at(now_s), self.held_of(model), sums.end_after(now_s))
            for model, sums in self.models.items()
            if model in self.account.model_limits
        }
        sums = self.sums
        spend, end_s = sums.spend_at(now_s), sums.end_after(now_s)
        return Balance(self.account, spend, self.held, self.total, end_s, len(self.reservations), models=models)


def take(scene, model: Model, granted: list[Reservation], name: str, *arguments) -> None:
    """One step on the store and on the model; both must answer the same."""
    now_s = scene.clock.now_s
    if name == "admit":
        *arguments, models = arguments
        models = [name for name in models if name in model.account.model_limits]
        outcome = scene.store.reserve(reservation := scene.reservation(model.account, *arguments, models=models))
        reason = model.reserve(reservation)
        said = None if isinstance(outcome, Granted) else f"{outcome.reason} {outcome.model}" if outcome.model else outcome.reason
        assert said == reason
        if isinstance(outcome, Granted):
            granted.append(outcome.reservation)
            most, used = model.account.tpm_limit, model.sums.tokens[minute_of(now_s)]
            assert outcome.tokens_left == (UNLIMITED if most is None else most - used)
    elif name == "settle" and granted:
        index, cost, tokens, used = arguments
        reservation = granted[index % len(granted)]
        of_models = {hold.model: [cost, tokens] for hold in reservation.models if hold.model in used}
        assert scene.settle(reservation, cost, tokens, of_models) == model.settle(reservation, cost, tokens, used)
    elif name == "wait":
        scene.clock.now_s += arguments[0]
        if sum(reservation.deadline_s <= scene.clock.now_s for reservation in model.reservations.values()) > MOST_CHARGED:
            take(scene, model, granted, "lost")  # a request charges only a few
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
    examples = EXAMPLES["split" if isinstance(scene.store, SplitStore) else scene.name]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(configuration, st.lists(step, min_size=10, max_size=25))
    def run(start, steps):
        scene.kind, scene.clock.now_s = f"k{uuid.uuid4().hex[:12]}", START_S
        account = scene.account(**start)
        model, granted = Model.of(account, START_S), []
        for name, *arguments in steps:
            take(scene, model, granted, name, *arguments)
            assert scene.store.get(account.id) == model.balance(scene.clock.now_s), name
        records, _ = scene.store.records(account.id)
        assert sum(record.cost_nanousd for record in records) == model.total

    run()
