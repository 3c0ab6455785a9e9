import threading
from collections.abc import Generator
from typing import Any

import pytest

from haimaker.upstream import background
from haimaker.upstream.background import END, SILENCE, BackgroundIterator

SOON_S = 5.0
AT_ONCE_S = 0.02


def counting(most: int, closed: threading.Event | None = None, error: Exception | None = None) -> Generator[int, None, None]:
    try:
        yield from range(most)
        if error:
            raise error
    finally:
        if closed:
            closed.set()


def rest(items: BackgroundIterator[Any]) -> list[Any]:
    return list(iter(lambda: items.get(SOON_S), END))


@pytest.mark.parametrize("most", [0, 1, 50])
def test_items_come_in_order_and_the_end_stays(most: int) -> None:
    items = BackgroundIterator(counting(most))
    assert rest(items) == list(range(most))
    assert items.get(0) is END


def test_silence_is_told_and_nothing_is_lost_by_it() -> None:
    gate = threading.Event()

    def late() -> Generator[int, None, None]:
        yield 1
        gate.wait(SOON_S)
        yield 2

    items = BackgroundIterator(late())
    assert items.get(SOON_S) == 1
    assert items.get(AT_ONCE_S) is SILENCE
    assert items.get(-1.0) is SILENCE
    gate.set()
    assert rest(items) == [2]


@pytest.mark.parametrize("most", [0, 3])
def test_an_exception_comes_after_the_items_before_it_every_time(most: int) -> None:
    items = BackgroundIterator(counting(most, error=ValueError("broken")))
    assert [items.get(SOON_S) for _ in range(most)] == list(range(most))
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            items.get(SOON_S)


def test_what_is_ready_is_taken_without_the_end() -> None:
    closed = threading.Event()
    items = BackgroundIterator(counting(5, closed))
    assert closed.wait(SOON_S)
    items.wait(SOON_S)
    assert items.ready(3) == [0, 1, 2]
    assert items.ready(9) == [3, 4]
    assert items.ready(9) == []
    assert items.get(SOON_S) is END


def test_waiting_closes_the_iterator_at_its_next_item_and_hides_its_exception() -> None:
    gate, closed = threading.Event(), threading.Event()

    def blocked() -> Generator[int, None, None]:
        try:
            yield 1
            gate.wait(SOON_S)
            yield 2
            yield 3
        finally:
            closed.set()

    items = BackgroundIterator(blocked())
    assert items.get(SOON_S) == 1
    assert not items.wait(AT_ONCE_S)
    gate.set()
    assert items.wait(SOON_S)
    assert closed.is_set()
    assert items.get(SOON_S) is END

    broken = BackgroundIterator(counting(0, error=ValueError("broken")))
    assert broken.wait(SOON_S)


def test_a_slow_consumer_holds_the_producer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_WAITING", 10)
    made: list[int] = []

    def producing() -> Generator[int, None, None]:
        for number in range(100):
            made.append(number)
            yield number

    items = BackgroundIterator(producing())
    assert items.get(SOON_S) == 0
    items.get(SOON_S)
    threading.Event().wait(0.1)
    assert len(made) <= 2 + 10 + 1
    assert rest(items) == list(range(2, 100))


def test_a_producer_that_is_held_up_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_WAITING", 1)
    closed = threading.Event()
    items = BackgroundIterator(counting(10, closed))
    assert items.wait(SOON_S)
    assert closed.is_set()


def test_many_run_at_once() -> None:
    gate = threading.Event()

    def waiting(number: int) -> Generator[int, None, None]:
        gate.wait(SOON_S)
        yield number

    running = [BackgroundIterator(waiting(number)) for number in range(200)]
    assert all(items.get(0) is SILENCE for items in running)
    gate.set()
    assert [rest(items) for items in running] == [[number] for number in range(200)]


def test_threads_that_many_needed_at_once_are_given_back() -> None:
    gate, before = threading.Event(), {*threading.enumerate()}

    def waiting() -> Generator[int, None, None]:
        yield 1
        gate.wait(SOON_S)

    at_once = [BackgroundIterator(waiting()) for _ in range(3 * background.KEPT_THREADS)]
    assert [items.get(SOON_S) for items in at_once] == [1] * len(at_once)
    gate.set()
    assert all(items.wait(SOON_S) for items in at_once)
    for thread in {*threading.enumerate()} - before:
        thread.join(SOON_S / 100)
    assert len({*threading.enumerate()} - before) <= background.KEPT_THREADS
    assert rest(BackgroundIterator(counting(3))) == [0, 1, 2]
