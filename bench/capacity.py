"""`python -m bench.capacity`: how many requests a second one key, or all keys of one team, bear on DynamoDB. Arithmetic, no clock;
with `--measured` it also asks the store, before an emulator that throttles as DynamoDB does at a part of its throughput.

An account is one item, whose holds are those of the requests in flight, and each request writes it twice: to be admitted and to be
settled. A write costs a unit for each KB of the item, and an item has 1,000 units a second. One that is asked for more often is
split into up to 64 items, which each bear as much.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

import sys
from collections.abc import Iterator
from math import ceil

UNITS_A_SECOND = 1_000
UNIT_BYTES = 1_024
WRITES_A_REQUEST = 2
ITEM_BYTES = 580
"""An account with nothing in flight."""
HOLD_BYTES = 84
"""Of a request of a key that is in no team."""
SHARED_HOLD_BYTES = 170
"""Of one that its key and its team, or its key and its user, pay for."""
DAY_RECORDS_A_SECOND = 1_000
"""All records of one day are one partition of the index by day."""
WAITS_S = (0.2, 1, 5, 20, 60)
PARTS = (1, 16, 64)
MEASURED_SCALE = 0.02
MEASURED = ((0.5, 16), (2, 8))
"""Seconds of an answer, and requests a second that are asked for at that part of the throughput."""


def requests_a_second(wait_s: float, hold_bytes: int) -> int:
    """The most that one account bears of requests that are answered in so many seconds."""
    fits = (
        rate
        for rate in range(1, UNITS_A_SECOND // WRITES_A_REQUEST + 1)
        if WRITES_A_REQUEST * rate * ceil((ITEM_BYTES + hold_bytes * rate * wait_s) / UNIT_BYTES) <= UNITS_A_SECOND
    )
    return max(fits)


def lines() -> Iterator[str]:
    parts = " | ".join(f"in {number} items" if number > 1 else "as one item" for number in PARTS)
    yield f"| an answer takes | requests a second of one key, {parts} | of one team, or of a key in a team, {parts} |"
    yield f"| ---: |{' ---: |' * 2 * len(PARTS)}"
    for wait_s in WAITS_S:
        borne = [requests_a_second(wait_s, hold_bytes) for hold_bytes in (HOLD_BYTES, SHARED_HOLD_BYTES)]
        yield f"| {wait_s} s | " + " | ".join(f"{each * number:,}" for each in borne for number in PARTS) + " |"


def measured() -> Iterator[str]:
    from tests.support.bearing import bear  # an emulator, of the packages for tests

    for wait_s, asked in MEASURED:
        borne = bear(asked, wait_s, 5, MEASURED_SCALE, before_s=8)
        yield (
            f"at {MEASURED_SCALE:.0%} of DynamoDB's throughput, {asked} requests a second of {wait_s} s asked for: "
            f"{borne.admitted_a_second:.1f} admitted, {borne.counts['refused']} refused, {borne.counts['lost']} not settled, "
            f"{borne.held_nanousd} nano-dollars held when all is over"
        )


if __name__ == "__main__":
    print("\n".join(lines()))
    if "--measured" in sys.argv:
        print("\n".join(measured()))
