from concurrent.futures import ThreadPoolExecutor

import pytest

from haimaker.routing.circuit_breaker import MAX_TARGETS, CircuitBreaker
from haimaker.routing.circuit_state import PROBE_S
from haimaker.routing.config import DEFAULT_CIRCUIT_BREAKER, CircuitBreakerSettings

NOW_S = 1_000.0
FAILURES_TO_REST, REST_S = DEFAULT_CIRCUIT_BREAKER.failures, DEFAULT_CIRCUIT_BREAKER.open_s


def failing(breaker: CircuitBreaker, times: int = FAILURES_TO_REST, now_s: float = NOW_S, wait_s: float = 0.0) -> None:
    for _ in range(times):
        breaker.record_failure("a/b", now_s, wait_s)


@pytest.mark.parametrize(
    ("story", "rests"),
    [
        ("", False),
        ("f" * (FAILURES_TO_REST - 1), False),
        ("f" * FAILURES_TO_REST, True),
        ("f" * (FAILURES_TO_REST + 1), True),
        ("f" * FAILURES_TO_REST + "s", False),
        ("ffs" + "ff", False),
        ("s" + "f" * FAILURES_TO_REST, True),
    ],
)
def test_a_target_that_keeps_failing_rests(story: str, rests: bool) -> None:
    breaker = CircuitBreaker()
    for event in story:
        breaker.record_failure("a/b", NOW_S) if event == "f" else breaker.record_success("a/b")
    assert breaker.open_circuits(NOW_S) == ({"a/b"} if rests else set())


def test_a_rest_ends_and_one_more_failure_begins_the_next() -> None:
    breaker = CircuitBreaker()
    for _ in range(FAILURES_TO_REST):
        breaker.record_failure("a/b", NOW_S)
    assert breaker.open_circuits(NOW_S + REST_S - 1) == {"a/b"}
    assert breaker.open_circuits(NOW_S + REST_S) == set()
    breaker.record_failure("a/b", NOW_S + REST_S)
    assert breaker.open_circuits(NOW_S + REST_S + 1) == {"a/b"}


def test_targets_do_not_share_their_failures() -> None:
    breaker = CircuitBreaker()
    for target in ("a/b", "a/c") * (FAILURES_TO_REST - 1):
        breaker.record_failure(target, NOW_S)
    breaker.record_failure("a/b", NOW_S)
    assert breaker.open_circuits(NOW_S) == {"a/b"}


def test_one_request_tries_a_target_whose_rest_is_over() -> None:
    breaker = CircuitBreaker()
    failing(breaker)
    assert not breaker.allows_request("a/b", NOW_S + REST_S - 1)
    over_s = NOW_S + REST_S
    assert [breaker.allows_request("a/b", over_s) for _ in range(3)] == [True, False, False]
    assert breaker.open_circuits(over_s) == {"a/b"}, "until it is known what became of it"
    assert breaker.allows_request("a/b", over_s + PROBE_S), "nothing became known"
    breaker.record_success("a/b", over_s)
    assert [breaker.allows_request("a/b", over_s) for _ in range(3)] == [True] * 3


def test_each_rest_is_twice_the_one_before_up_to_a_limit() -> None:
    opened: list[tuple[str, float, bool]] = []
    settings = CircuitBreakerSettings(2, 10, 60)
    breaker, now_s, rests = CircuitBreaker(settings, on_open=lambda *told: opened.append(told)), NOW_S, []
    failing(breaker, 2)
    for _ in range(5):
        end_s = next(now_s + step for step in range(1, 100) if not breaker.open_circuits(now_s + step))
        rests.append(end_s - now_s)
        now_s = end_s
        assert breaker.allows_request("a/b", now_s)
        failing(breaker, 1, now_s)
    assert rests == [10, 20, 40, 60, 60]
    assert [(target, first) for target, _, first in opened] == [("a/b", True), *[("a/b", False)] * 5]
    assert [until_s for _, until_s, _ in opened[:3]] == [NOW_S + 10, NOW_S + 30, NOW_S + 70]


def test_a_target_that_says_how_long_to_wait_rests_that_long() -> None:
    breaker = CircuitBreaker()
    failing(breaker, wait_s=100)
    assert breaker.open_circuits(NOW_S + 99)
    assert not breaker.open_circuits(NOW_S + 100)


def test_failures_during_a_rest_do_not_prolong_it() -> None:
    breaker = CircuitBreaker()
    failing(breaker, 20)
    assert not breaker.open_circuits(NOW_S + REST_S)


def test_names_that_clients_make_up_do_not_pile_up() -> None:
    breaker = CircuitBreaker()
    for number in range(MAX_TARGETS + 10):
        breaker.record_failure(f"a/{number}", NOW_S)
        breaker.record_success(f"b/{number}", NOW_S)
    kept = (breaker._states, breaker._served_s)
    assert [len(each) for each in kept] == [MAX_TARGETS] * 2


def test_many_threads_may_tell_at_once() -> None:
    breaker = CircuitBreaker()

    def tell(number: int) -> None:
        breaker.record_failure(f"a/{number % 7}", NOW_S)
        breaker.open_circuits(NOW_S)
        breaker.record_success(f"a/{number % 7}")

    with ThreadPoolExecutor(8) as threads:
        assert all(done is None for done in threads.map(tell, range(500)))
