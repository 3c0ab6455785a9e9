"""A sample of what `make fuzz` tries, from a fixed seed."""

from collections import Counter
from itertools import islice
from random import Random

from tests.fuzz import network, translation

TRANSLATED, ASKED = 6_000, 250


def test_hostile_requests_and_answers_are_translated_or_refused() -> None:
    counts: Counter[str] = Counter()
    assert [fault for fault in islice(translation.run(Random(7), counts), TRANSLATED) if fault] == []
    assert {f"{what} {done}" for what in ("request", "whole") for done in ("translated", "refused")} <= {*counts}


def test_a_gateway_among_hostile_clients_and_providers() -> None:
    with network.world(7) as at:
        assert [fault for _ in range(ASKED) if (fault := network.ask(at))] == []
        assert network.settled(at) == []
        assert at.counts["records"] > 0
        assert at.counts["4xx"] > 0
        assert at.counts["2xx"] > 0
