from concurrent.futures import ThreadPoolExecutor

import pytest

from haimaker.routing.health import FORGET_AFTER_S, MAX_TARGETS, PROBE_S, Health
from haimaker.routing.plan import DEFAULT_CIRCUIT_BREAKER, CircuitBreakerSettings

NOW_S = 1_000.0
FAILURES_TO_REST, REST_S = DEFAULT_CIRCUIT_BREAKER.failures, DEFAULT_CIRCUIT_BREAKER.open_s


def failing(health: Health, times: int = FAILURES_TO_REST, now_s: float = NOW_S, wait_s: float = 0.0) -> None:
    for _ in range(times):
        health.record_failure("a/b", now_s, wait_s)


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
    health = Health()
    for event in story:
        health.record_failure("a/b", NOW_S) if event == "f" else health.record_success("a/b")
    assert health.open_circuits(NOW_S) == ({"a/b"} if rests else set())


def test_a_rest_ends_and_one_more_failure_begins_the_next() -> None:
    health = Health()
    for _ in range(FAILURES_TO_REST):
        health.record_failure("a/b", NOW_S)
    assert health.open_circuits(NOW_S + REST_S - 1) == {"a/b"}
    assert health.open_circuits(NOW_S + REST_S) == set()
    health.record_failure("a/b", NOW_S + REST_S)
    assert health.open_circuits(NOW_S + REST_S + 1) == {"a/b"}


def test_targets_do_not_share_their_failures() -> None:
    health = Health()
    for target in ("a/b", "a/c") * (FAILURES_TO_REST - 1):
        health.record_failure(target, NOW_S)
    health.record_failure("a/b", NOW_S)
    assert health.open_circuits(NOW_S) == {"a/b"}


def test_one_request_tries_a_target_whose_rest_is_over() -> None:
    health = Health()
    failing(health)
    assert not health.allows_request("a/b", NOW_S + REST_S - 1)
    over_s = NOW_S + REST_S
    assert [health.allows_request("a/b", over_s) for _ in range(3)] == [True, False, False]
    assert health.open_circuits(over_s) == {"a/b"}, "until it is known what became of it"
    assert health.allows_request("a/b", over_s + PROBE_S), "nothing became known"
    health.record_success("a/b", over_s)
    assert [health.allows_request("a/b", over_s) for _ in range(3)] == [True] * 3


def test_each_rest_is_twice_the_one_before_up_to_a_limit() -> None:
    health, now_s, rests = Health(CircuitBreakerSettings(2, 10, 60)), NOW_S, []
    failing(health, 2)
    for _ in range(5):
        end_s = next(now_s + step for step in range(1, 100) if not health.open_circuits(now_s + step))
        rests.append(end_s - now_s)
        now_s = end_s
        assert health.allows_request("a/b", now_s)
        failing(health, 1, now_s)
    assert rests == [10, 20, 40, 60, 60]


def test_a_target_that_says_how_long_to_wait_rests_that_long() -> None:
    health = Health()
    failing(health, wait_s=100)
    assert health.open_circuits(NOW_S + 99)
    assert not health.open_circuits(NOW_S + 100)


def test_failures_during_a_rest_do_not_prolong_it() -> None:
    health = Health()
    failing(health, 20)
    assert not health.open_circuits(NOW_S + REST_S)


def test_what_is_measured_follows_and_is_forgotten() -> None:
    health = Health()
    for took_ms in (100, 100, 200):
        health.record_latency("a/b", NOW_S, took_ms=took_ms, streams=True)
        health.record_success("a/b", NOW_S)
    health.record_throughput("a/b", 50, 2.0)
    health.record_throughput("a/b", 0, 2.0)
    assert 100 < health.first_byte_ms["a/b"] < 200
    assert (health.whole_ms, health.tokens_per_s) == ({}, {"a/b": 25.0})
    health.record_latency("a/b", NOW_S + FORGET_AFTER_S + 1, took_ms=7, streams=False)
    assert (health.first_byte_ms, health.whole_ms, health.tokens_per_s) == ({}, {"a/b": 7}, {})


def test_names_that_clients_make_up_do_not_pile_up() -> None:
    health = Health()
    for number in range(MAX_TARGETS + 10):
        health.record_failure(f"a/{number}", NOW_S)
        health.record_latency(f"a/{number}", NOW_S, took_ms=1, streams=True)
        health.record_success(f"b/{number}", NOW_S)
    kept = (health._states, health.first_byte_ms, health._served_s)
    assert [len(each) for each in kept] == [MAX_TARGETS] * 3


def test_many_threads_may_tell_at_once() -> None:
    health = Health()

    def tell(number: int) -> None:
        health.record_failure(f"a/{number % 7}", NOW_S)
        health.open_circuits(NOW_S)
        health.record_success(f"a/{number % 7}")

    with ThreadPoolExecutor(8) as threads:
        assert all(done is None for done in threads.map(tell, range(500)))
