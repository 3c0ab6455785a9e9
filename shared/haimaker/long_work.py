"""Work that takes long, done in steps, between which a thread gives way to others where its process serves several."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import TypeVar

Value = TypeVar("Value")

STEP = 20
"""How many entries of a list make a step: less than half a millisecond of computing."""


class _OfThread(local):
    give_way: Callable[[], None] | None = None


_of_thread = _OfThread()


@contextmanager
def giving_way(give_way: Callable[[], None]) -> Iterator[None]:
    """What this thread does meanwhile calls `give_way` between its steps."""
    before, _of_thread.give_way = _of_thread.give_way, give_way
    try:
        yield
    finally:
        _of_thread.give_way = before


def in_steps(values: Sequence[Value], size: int = STEP) -> Iterator[list[Value]]:
    """So many of the values at a time; those of a short list at once."""
    for begin in range(0, len(values), size):
        if begin and _of_thread.give_way:
            _of_thread.give_way()
        yield list(values[begin : begin + size])
