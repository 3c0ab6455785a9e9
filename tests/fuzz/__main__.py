"""`make fuzz MINUTES=10 SEED=1`: translation and network, each a part of the time, and then how attacks are felt by others."""

import argparse
import threading
import time
from collections import Counter
from dataclasses import replace
from random import Random

from tests.fuzz import attacks, network, translation

CLIENTS = 3
SHOWN = 20


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--attack-seconds", type=float, default=6)
    options = asked.parse_args()
    faults: list[str] = []
    counts: Counter[str] = Counter()
    tries = _translate(options.seed, options.minutes * 60 * 0.4, counts, faults)
    print(f"{tries} requests and answers translated: {dict(counts)}", flush=True)
    with network.world(options.seed) as at:
        before = at.server.resident_bytes()
        asked_for = _ask(at, options.seed, options.minutes * 60 * 0.5, faults)
        faults += network.settled(at)
        grown = (at.server.resident_bytes() - before) / 2**20
        print(f"{asked_for} requests over the network: {dict(at.counts)}; memory +{grown:.0f} MB", flush=True)
    with network.world(options.seed, mistakes=True) as at:
        for name, p99_s, most_s, times in attacks.measure(at, options.attack_seconds):
            print(f"/health during {name}: p99 {p99_s * 1000:.1f} ms, most {most_s * 1000:.1f} ms of {times}", flush=True)
    for fault in faults[:SHOWN]:
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

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return tries.total()


if __name__ == "__main__":
    raise SystemExit(main())
