from concurrent.futures import ThreadPoolExecutor

import pytest

from haimaker.health import FAILURES_TO_REST, REST_S, Health

NOW_S = 1_000.0


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
        health.failed("a/b", NOW_S) if event == "f" else health.succeeded("a/b")
    assert health.resting(NOW_S) == ({"a/b"} if rests else set())


def test_a_rest_ends_and_one_more_failure_begins_the_next() -> None:
    health = Health()
    for _ in range(FAILURES_TO_REST):
        health.failed("a/b", NOW_S)
    assert health.resting(NOW_S + REST_S - 1) == {"a/b"}
    assert health.resting(NOW_S + REST_S) == set()
    health.failed("a/b", NOW_S + REST_S)
    assert health.resting(NOW_S + REST_S + 1) == {"a/b"}


def test_targets_do_not_share_their_failures() -> None:
    health = Health()
    for target in ("a/b", "a/c") * (FAILURES_TO_REST - 1):
        health.failed(target, NOW_S)
    health.failed("a/b", NOW_S)
    assert health.resting(NOW_S) == {"a/b"}


def test_many_threads_may_tell_at_once() -> None:
    health = Health()

    def tell(number: int) -> None:
        health.failed(f"a/{number % 7}", NOW_S)
        health.resting(NOW_S)
        health.succeeded(f"a/{number % 7}")

    with ThreadPoolExecutor(8) as threads:
        assert all(done is None for done in threads.map(tell, range(500)))
