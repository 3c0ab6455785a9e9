"""`python -m bench.capacity`: how many requests a second one key, or all keys of one team, bear on DynamoDB. Arithmetic, no clock;
with `--measured` it also asks the store, before an emulator that throttles as DynamoDB does at a tenth of its throughput, for a few
minutes: time is virtual there, so that the figures are the same on any machine.

An account is one item, whose holds are those of the requests in flight, and each request writes it twice: to be admitted and to be
settled. A write costs a unit for each KB of the item, and an item has 1,000 units a second. One that is asked for more often is
split into up to 64 items, which each bear as much, and its records into as many partitions of an index, up to 16.
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
RECORDS_A_PART = 1_000
MOST_PARTS = 16
"""Of the records of one key, and of all, in the indexes."""
WAITS_S = (0.2, 1, 5, 20, 60)
PARTS = (1, 16, 64)
MEASURED_SCALE = 0.1
MEASURED = ((0.2, 1_000, 10), (1, 500, 10), (5, 250, 15), (20, 100, 30))
"""Seconds of an answer, the requests a second that one key is to bear, and seconds in which it fills up and grows."""
MEASURED_S = 10


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
        key, team = (requests_a_second(wait_s, hold_bytes) for hold_bytes in (HOLD_BYTES, SHARED_HOLD_BYTES))
        of_key = [min(key * number, RECORDS_A_PART * min(number, MOST_PARTS)) for number in PARTS]
        cells = [*of_key, *(team * number for number in PARTS)]
        yield f"| {wait_s} s | " + " | ".join(f"{cell:,}" for cell in cells) + " |"


def measured() -> Iterator[str]:
    """Loads of one key that was never split before, and twice as large ones."""
    from tests.support.bearing import bear  # an emulator, of the packages for tests

    yield f"At {MEASURED_SCALE:.0%} of DynamoDB's throughput, in {MEASURED_S} s after the account has grown by itself:"
    yield ""
    yield "| an answer takes | wanted | asked, a second | admitted | 429 | settled | never settled | items | still held |"
    yield f"| ---: |{' ---: |' * 8}"
    for wait_s, wanted, before_s in MEASURED:
        for times in (1, 2):
            asked = wanted * MEASURED_SCALE * times
            borne = bear(asked, wait_s, MEASURED_S, MEASURED_SCALE, before_s=before_s)
            counts = [borne.counts[name] for name in ("refused", "settled", "lost")]
            admitted = f"{wanted * MEASURED_SCALE:g} | {asked:g} | {borne.admitted_a_second:.1f}"
            yield f"| {wait_s} s | {admitted} | {' | '.join(map(str, counts))} | {borne.shards} | ${borne.held_nanousd / 1e9:g} |"


if __name__ == "__main__":
    print("\n".join(lines()))
    if "--measured" in sys.argv:
        print()
        for line in measured():
            print(line, flush=True)
