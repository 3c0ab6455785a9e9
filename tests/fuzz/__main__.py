"""`make fuzz MINUTES=10 SEED=1`: translation and network, each a part of the time, and then how attacks are felt by others."""

import argparse
import threading
import time
from collections import Counter
from dataclasses import replace
from random import Random

from tests.fuzz import attacks, network, translation

CLIENTS = 24
TRANSLATING, ASKING = 0.2, 0.7
"""Parts of the time."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--attack-seconds", type=float, default=6)
    options = asked.parse_args()
    faults: list[str] = []
    counts: Counter[str] = Counter()
    tries = _translate(options.seed, options.minutes * 60 * TRANSLATING, counts, faults)
    print(f"{tries} requests and answers translated: {dict(counts)}", flush=True)
    with network.world(options.seed) as at:
        asked_for = _ask(at, options.seed, options.minutes * 60 * ASKING, faults)
        faults += network.settled(at)
        grown = (at.server.resident_bytes() - at.memory_bytes) / 2**20
        kept = f"threads {at.threads} before, {at.server.threads()} after, memory +{grown:.0f} MB"
        print(f"{asked_for} requests over the network: {dict(at.counts)}; {kept}", flush=True)
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


def _ask(at: network.World, seed: int, seconds: float, faults: list[str]) -> int:
    until_s, tries = time.monotonic() + seconds, Counter[int]()

    def ask(client: int) -> None:
        own = replace(at, random=Random(seed * CLIENTS + client))
        while time.monotonic() < until_s:
            fault = network.ask(own)
            tries[client] += 1
            faults.extend([fault] if fault else [])
            if tries[client] % 1_000 == 0:
                at.upstream.forget()

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return tries.total()


if __name__ == "__main__":
    raise SystemExit(main())
