"""What a body may cost before it is admitted: work is counted in calls of functions, so that no machine is too slow for it."""

import logging
import sys
from collections import Counter
from types import FrameType
from typing import Any

from haimaker.gateway import Gateway
from local.mistakes import weight_of
from tests.fuzz import costs

SIZE = 4_500
FIXED, BY_WEIGHT = 6_000, 80_000
"""Calls: of any request to seven targets, and of one whose body weighs as much as a mistake, which stands for 5 ms."""


def calls(gateway: Gateway, case: costs.Case) -> int:
    """Of functions, in Python and C."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        gateway.handle(case.operation, case.request)
    finally:
        sys.setprofile(None)
    return count


def test_no_body_makes_more_work_than_it_weighs() -> None:
    logging.disable()
    try:
        with costs.spent() as (gateway, key):
            cases = list(costs.cases(SIZE, key, few=True))
            answered = Counter(gateway.handle(case.operation, case.request).status for case in cases)  # and all is imported
            made = {case.name: (calls(gateway, case), weight_of(case.request.body)) for case in cases}
    finally:
        logging.disable(logging.NOTSET)
    assert answered[402] > 50, "most of them come as far as a reservation"
    dear = {name: (count, weight) for name, (count, weight) in made.items() if count > FIXED + weight * BY_WEIGHT}
    assert dear == {}
