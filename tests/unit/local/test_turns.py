"""Threads take short turns while, and only while, somebody has much to read, and a report rests while others wait."""

import sys
from collections.abc import Sequence

import pytest

from haimaker.long_work import STEP, in_steps
from local import turns
from local.turns import ORDINARY_S, REPORT_S, REST, SHORT_S, reporting, short_turns


def test_turns_are_short_until_the_last_has_done() -> None:
    first, second, report = short_turns(), short_turns(), short_turns(REPORT_S)
    with first:
        with second, report:
            assert sys.getswitchinterval() == pytest.approx(REPORT_S)
        assert sys.getswitchinterval() == pytest.approx(SHORT_S)
    assert sys.getswitchinterval() == pytest.approx(ORDINARY_S)
    with pytest.raises(ValueError, match="x"), short_turns():
        raise ValueError("x")
    assert sys.getswitchinterval() == pytest.approx(ORDINARY_S)


@pytest.mark.parametrize(
    ("entries", "others", "rests"),
    [
        (0, (), ()),
        (STEP, (), ()),
        (3 * STEP, (True, True), (2 * REST, 3 * REST)),
        (3 * STEP + 1, (False, True, False), (3 * REST,)),
    ],
)
def test_a_report_rests_while_others_wait(
    monkeypatch: pytest.MonkeyPatch, entries: int, others: Sequence[bool], rests: Sequence[float]
) -> None:
    """For a multiple of what it has computed since it last rested: a second, two, three, four."""
    slept, computed, waiting = list[float](), iter((0.0, 2.0, 5.0, 9.0)), iter(others)
    monkeypatch.setattr(turns.time, "thread_time", lambda: next(computed))
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    values = list(range(entries))
    with reporting(lambda: next(waiting)):
        assert [value for some in in_steps(values) for value in some] == values
    assert list(in_steps(values)) == [values[begin : begin + STEP] for begin in range(0, entries, STEP)]
    assert (tuple(slept), next(waiting, None)) == (tuple(rests), None)
