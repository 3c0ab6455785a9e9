"""`python -m bench.capacity`: how many requests a second one key, or all keys of one team, bear on DynamoDB. Arithmetic, no clock.

An account is one item, whose holds are those of the requests in flight, and each request writes it twice: to be admitted and to be
settled. A write costs a unit for each KB of the item, and an item has 1,000 units a second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from collections.abc import Iterator
from math import ceil

UNITS_A_SECOND = 1_000
UNIT_BYTES = 1_024
WRITES_A_REQUEST = 2
ITEM_BYTES = 920
"""An account with nothing in flight."""
HOLD_BYTES = 84
"""Of a request of a key that is in no team."""
SHARED_HOLD_BYTES = 170
"""Of one that its key and its team, or its key and its user, pay for."""
DAY_RECORDS_A_SECOND = 1_000
"""All records of one day are one partition of the index by day."""
WAITS_S = (0.2, 1, 5, 20, 60)


def requests_a_second(wait_s: float, hold_bytes: int) -> int:
    """The most that one account bears of requests that are answered in so many seconds."""
    fits = (
        rate
        for rate in range(1, UNITS_A_SECOND // WRITES_A_REQUEST + 1)
        if WRITES_A_REQUEST * rate * ceil((ITEM_BYTES + hold_bytes * rate * wait_s) / UNIT_BYTES) <= UNITS_A_SECOND
    )
    return max(fits)


def lines() -> Iterator[str]:
    yield "| an answer takes | requests a second of one key | of one team, or of a key in a team |"
    yield "| ---: | ---: | ---: |"
    for wait_s in WAITS_S:
        alone, shared = (requests_a_second(wait_s, hold_bytes) for hold_bytes in (HOLD_BYTES, SHARED_HOLD_BYTES))
        yield f"| {wait_s} s | {alone} | {shared} |"


if __name__ == "__main__":
    print("\n".join(lines()))
