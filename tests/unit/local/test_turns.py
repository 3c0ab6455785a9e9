"""Threads take short turns while, and only while, somebody has much to read, and a report rests while others wait."""

import sys
from collections.abc import Sequence

import pytest

from haimaker.long_work import STEP, in_steps
from local import turns
from local.turns import MOST_S, ORDINARY_S, REPORT_S, REST, SHORT_S, reporting, short_turns


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
    ("entries", "answering", "rests"),
    [
        (0, (1,), ()),
        (STEP, (2,), (2 * REST,)),
        (3 * STEP, (2, 9, 1), (2 * REST, 3 * REST)),
        (3 * STEP + 1, (1, 2, 1, 2), (3 * REST, MOST_S * 1000)),
    ],
)
def test_a_report_rests_while_others_wait(
    monkeypatch: pytest.MonkeyPatch, entries: int, answering: Sequence[int], rests: Sequence[float]
) -> None:
    """For a multiple of what it has computed since it last rested, two, three, four and five milliseconds, but never long."""
    slept, computed, counts = list[float](), iter((0.0, 0.002, 0.005, 0.009, 0.014)), iter(answering)
    monkeypatch.setattr(turns.time, "thread_time", lambda: next(computed))
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    values = list(range(entries))
    with reporting(lambda: next(counts)):
        assert [value for some in in_steps(values) for value in some] == values
    assert list(in_steps(values)) == [values[begin : begin + STEP] for begin in range(0, entries, STEP)]
    assert ([1000 * each for each in slept], next(counts, None)) == (pytest.approx(rests), None)


def test_reports_do_not_rest_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    with reporting(lambda: 2), reporting(lambda: 2):
        list(in_steps(range(5 * STEP)))
    assert len(slept) == 1, "the outer one, once the inner one has ended"
