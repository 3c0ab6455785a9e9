"""Threads take short turns while, and only while, somebody has much to read."""

import sys

import pytest

from local.turns import ORDINARY_S, REPORT_S, SHORT_S, short_turns


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
