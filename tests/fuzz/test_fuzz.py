"""A sample of what `make fuzz` tries, from a fixed seed."""

import gzip
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from random import Random

from haimaker.http.client import MAX_WHOLE_BYTES
from tests.fuzz import attacks, network, requests, translation
from tests.fuzz.values import dumps
from tests.support.reply import Reply

ENDLESS = gzip.compress(b"{" + b" " * MAX_WHOLE_BYTES, 1)
"""More than is held of an answer."""
TRANSLATED = 4_000
CLIENTS, ASKED = 8, 70
"""At once, and of each."""


def test_hostile_requests_and_answers_are_translated_or_refused() -> None:
    counts: Counter[str] = Counter()
    assert [fault for fault in islice(translation.run(Random(7), counts), TRANSLATED) if fault] == []
    assert {
        f"{what} {done}"
        for what in ("request", "whole", "format_request", "format_whole", "format_stream")
        for done in ("translated", "refused")
    } <= {*counts}


def ask(at: network.World, seed: int) -> list[str]:
    client = replace(at.client(seed), kept=0.01)  # of files and batches a few: those of a provider that fails go on for a minute
    try:
        return [fault for _ in range(ASKED) if (fault := client.ask())]
    finally:
        client.close()
        at.counts.update(client.counts)


def test_a_gateway_among_hostile_clients_and_providers() -> None:
    with network.world(7) as at:
        with ThreadPoolExecutor(CLIENTS) as clients:
            found = [*clients.map(partial(ask, at), range(CLIENTS))]
        assert [fault for faults in found for fault in faults] == []
        assert network.settled(at) == []
        too_long = dumps({**requests.CHAT, "seed": 10**1_000})
        assert attacks.post(at, "/v1/chat/completions", too_long) == 400
        assert at.counts["records"] > 0
        at.upstream.answers(Reply.raw(200, ENDLESS, {"content-type": "application/json", "content-encoding": "gzip"}))
        asked = dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]})
        assert [attacks.post(at, "/v1/chat/completions", asked, key=at.keys[0]) for _ in range(3)] == [502] * 3
        assert network.settled(at) == []
        assert at.counts["4xx"] > 0
        assert at.counts["2xx"] > 0
