"""`make fuzz MINUTES=10 SEED=1`: translation and network, each a part of the time, and then how attacks are felt by others.

With `--requests` the network's part goes on until so many were sent, however long that takes.
"""

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from random import Random

from tests.fuzz import attacks, network, translation

PROCESSES, PER_PROCESS = 3, 16
"""Of clients, and how many at once in each."""
TRANSLATING, ASKING = 0.2, 0.7
"""Parts of the time."""
ROUND_S = 120.0


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--requests", type=int, default=0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--attack-seconds", type=float, default=6)
    options = asked.parse_args()
    faults: list[str] = []
    counts: Counter[str] = Counter()
    tries = options.minutes and _translate(options.seed, options.minutes * 60 * TRANSLATING, counts, faults)
    print(f"{tries} requests and answers translated: {dict(counts)}", flush=True)
    with network.world(options.seed) as at:
        asked_for = _ask(at, options.seed, options.minutes * 60 * ASKING, options.requests, faults)
        faults += network.settled(at)
        print(f"{asked_for} requests over the network: {dict(at.counts)}; {at.grown()}", flush=True)
    with network.world(options.seed, mistakes=True) as at:
        for felt in attacks.measure(at, options.attack_seconds):
            print(
                f"/health during {felt.attack}: p99 {felt.p99_s * 1000:.1f} ms, most {felt.most_s * 1000:.1f} ms of {felt.times}; "
                f"p99 of a server beside it {felt.idle_p99_s * 1000:.1f} ms",
                flush=True,
            )
    for fault in {fault[:80]: fault for fault in reversed(faults)}.values():
        print(f"FAULT {fault[:1_000]}")
    print(f"{tries + asked_for} tries from seed {options.seed}, {len(faults)} faults")
    return 1 if faults else 0


def _translate(seed: int, seconds: float, counts: Counter[str], faults: list[str]) -> int:
    until_s, tries = time.monotonic() + seconds, 0
    for fault in translation.run(Random(seed), counts):
        tries += 1
        faults += [fault] if fault else []
        if time.monotonic() > until_s:
            break
    return tries


def _ask(at: network.World, seed: int, seconds: float, wanted: int, faults: list[str]) -> int:
    """In rounds, after each of which it is said how far it is; how many there were."""
    began_s, tries, number = time.monotonic(), 0, 0
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        while tries < wanted or time.monotonic() < began_s + seconds:
            round_s = ROUND_S if wanted else min(ROUND_S, max(1.0, began_s + seconds - time.monotonic()))
            seeds = [seed * 1_000_000 + number + process for process in range(PROCESSES)]
            run = partial(network.run_clients, PER_PROCESS, at.client(0), round_s)
            for count, found, wrong in processes.map(run, seeds):
                tries += count
                at.counts += found
                faults += wrong
                for fault in wrong:
                    print(f"FAULT {fault[:1_500]}", flush=True)
            number += PROCESSES
            at.upstream.forget()
            print(f"{time.monotonic() - began_s:.0f} s: {tries} requests, {at.grown()}", flush=True)
    return tries


if __name__ == "__main__":
    raise SystemExit(main())
