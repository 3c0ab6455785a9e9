"""Processes that share a store: several `CircuitBreaker` over one file, whose background work is waited for."""

from pathlib import Path
from typing import Any

import pytest

from haimaker.routing.circuit_breaker import CircuitBreaker
from haimaker.routing.config import CircuitBreakerSettings
from haimaker.routing.shared_health import HEALTH_DOCUMENTS, READ_EVERY_S, SharedHealth, _executor
from haimaker.store import StoreUnavailable
from haimaker.store.sqlite import SQLiteStore

NOW_S = 1_000_000.0
RULE = CircuitBreakerSettings(failures=3, open_s=30)


class Counting:
    """The documents of a store, and what is asked of them."""

    def __init__(self, documents: Any) -> None:
        self._documents, self.calls = documents, []
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if self.fails:
                raise StoreUnavailable("down")
            return getattr(self._documents, name)(*arguments)

        return call


@pytest.fixture
def documents(tmp_path: Path) -> Any:
    store = SQLiteStore(tmp_path / "haimaker.sqlite")
    yield Counting(store.documents)
    store.close()


def processes(documents: Any, count: int) -> list[CircuitBreaker]:
    return [CircuitBreaker(RULE, SharedHealth(documents)) for _ in range(count)]


def fail(health: CircuitBreaker, now_s: float = NOW_S, target: str = "a/b") -> None:
    health.record_failure(target, now_s, share=True)
    settle()


def hear(health: CircuitBreaker, now_s: float) -> frozenset[str]:
    health.refresh(now_s)
    settle()
    return health.open_circuits(now_s)


def settle() -> None:
    _executor().submit(lambda: None).result()


def test_failures_of_several_processes_add_up(documents: Any) -> None:
    first, second, third = processes(documents, 3)
    for health in (first, second, third):
        assert hear(health, NOW_S) == frozenset()
        fail(health)
    assert hear(first, NOW_S + READ_EVERY_S) == {"a/b"}
    assert not first.allows_request("a/b", NOW_S + READ_EVERY_S)


def test_a_process_that_was_served_a_moment_ago_keeps_one_failure_to_itself(documents: Any) -> None:
    (health,) = processes(documents, 1)
    health.record_success("a/b", NOW_S - 1)
    fail(health)
    assert documents.calls == []
    fail(health)
    assert "put" in documents.calls


def test_nothing_is_written_while_all_is_well_and_little_read(documents: Any) -> None:
    (health,) = processes(documents, 1)
    for tenth in range(100):
        hear(health, NOW_S + tenth / 10)
        health.record_success("a/b", NOW_S + tenth / 10)
        assert health.allows_request("a/b", NOW_S)
    settle()
    assert documents.calls == ["all", "all"]


def test_who_has_no_choice_tells_nobody(documents: Any) -> None:
    (health,) = processes(documents, 1)
    for _ in range(5):
        health.record_failure("a/b", NOW_S)
    settle()
    assert documents.calls == []


def test_after_a_rest_one_of_all_processes_tries(documents: Any) -> None:
    failed, *others = processes(documents, 4)
    for _ in range(3):
        fail(failed)
    over_s = NOW_S + 31
    for health in others:
        hear(health, over_s)
    assert [health.allows_request("a/b", over_s) for health in others].count(True) == 1


@pytest.mark.parametrize("well", [True, False])
def test_what_became_of_the_try_is_known_to_all(documents: Any, well: bool) -> None:
    tries, other = processes(documents, 2)
    for _ in range(3):
        fail(tries)
    over_s = NOW_S + 31
    hear(tries, over_s)
    hear(other, over_s - 6)
    assert tries.allows_request("a/b", over_s)
    if well:
        tries.record_success("a/b", over_s)
        settle()
    else:
        tries.record_failure("a/b", over_s, share=True)
        settle()
    assert hear(other, over_s + 31) == (frozenset() if well else {"a/b"})
    assert other.allows_request("a/b", over_s + 31) is well


def test_a_store_that_fails_harms_nobody(documents: Any) -> None:
    (health,) = processes(documents, 1)
    documents.fails = True
    for _ in range(3):
        fail(health)
    assert hear(health, NOW_S) == {"a/b"}
    health.record_success("a/b", NOW_S)
    assert hear(health, NOW_S + 100) == frozenset()
    assert health.allows_request("a/b", NOW_S + 100)


def test_names_are_kept_as_they_are(documents: Any) -> None:
    (health,) = processes(documents, 1)
    odd = "a/\ud800 \x00"
    fail(health, target=odd)
    assert [document.name for document in documents.all(HEALTH_DOCUMENTS)] == [odd]
