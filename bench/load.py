"""Load, from a process of its own: `python -m bench.load <what> <JSON of its arguments>` prints what it saw as JSON.

Each function measures one thing from outside and knows nothing of how a gateway works.
"""

import json
import selectors
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from bench.client import Connection, Target, chat_body

WARM_UP = 50
TIMEOUT_S = 20.0
BEGIN_WITHIN_S = 10.0
"""Streams of many at once: nobody's begin and end together."""


def latency(targets: Sequence[Target], rounds: int) -> dict[str, list[float]]:
    """Seconds per whole answer for each target by name, asked in turn so that a busy moment hits all of them alike."""
    seconds: dict[str, list[float]] = {target.name: [] for target in targets}
    with ExitStack() as stack:
        connections = {target.name: stack.enter_context(Connection(target)) for target in targets}
        for number in range(-WARM_UP, rounds):
            for name, connection in connections.items():
                start = time.perf_counter()
                expect(200, connection.chat().status)
                if number >= 0:
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def throughput(target: Target, at_once: int, duration_s: float) -> float:
    """Whole answers per second to so many clients, each asking again as soon as it has its answer. One thread is all of them: as
    many threads would take nearly twice the time of the processors, which the gateway shares with them."""
    answers, end = 0, time.perf_counter() + duration_s
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        connections = [stack.enter_context(Connection(target)) for _ in range(at_once)]
        request = connections[0].request("POST", "/v1/chat/completions", chat_body("Hello!"))
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.begin(request)
        while time.perf_counter() < end:
            for ready, _ in selector.select(TIMEOUT_S):
                expect(200, ready.data.finish().status)
                answers += 1
                ready.data.begin(request)
    return answers / duration_s


def stream(target: Target, chunks: int, pace_per_s: int | None = None) -> float:
    """Seconds that a stream of so many chunks took."""
    prompt = f"chunks={chunks}" + (f" pace={pace_per_s}" if pace_per_s else "")
    with Connection(target) as connection:
        start = time.perf_counter()
        expect(chunks, connection.count_events("/v1/chat/completions", chat_body(prompt, stream=True)))
        return time.perf_counter() - start


def stream_in_format(target: Target, chunks: int, path: str, body: str) -> float:
    """Seconds that a stream in another client format took, whose end may repeat what came before."""
    with Connection(target) as connection:
        start = time.perf_counter()
        came = connection.count_events(path, body.replace("PROMPT", f"chunks={chunks}").encode())
        if came < chunks:
            raise RuntimeError(f"expected at least {chunks:,} chunks, got {came:,}")
        return time.perf_counter() - start


def slow_streams(target: Target, streams: int, chunks: int, pace_per_s: int) -> list[float]:
    """How many seconds after its moment each chunk came, of so many streams at once; each counts from its own first chunk."""
    late_s: list[float] = []

    def watch(number: int) -> None:
        time.sleep(number / streams * BEGIN_WITHIN_S)
        with Connection(target) as connection:
            moments = connection.event_moments(f"chunks={chunks} pace={pace_per_s}")
        expect(chunks, len(moments))
        late_s.extend(moment - moments[0] - place / pace_per_s for place, moment in enumerate(moments))

    in_parallel(watch, streams)
    return late_s


def race(target: Target, upstream: Target, requests: int, admin_key: str) -> dict[str, Any]:
    """Asks all at once for answers that the upstream withholds until every request was decided. The statuses, and the
    key's account when all was decided and after all was settled."""
    statuses: list[int] = []
    decided: dict[str, str] = {}

    def ask(_: int) -> None:
        with Connection(target) as connection:
            statuses.append(connection.chat("withhold", max_tokens=100).status)

    def decide() -> None:
        with Connection(upstream) as control:
            wait_until(lambda: control.ask("GET", "/waiting").json()["waiting"] + len(statuses) == requests)
            try:
                decided.update(account(target, admin_key))
            finally:
                control.ask("POST", "/release")

    decider = threading.Thread(target=decide)
    decider.start()
    in_parallel(ask, requests)
    decider.join()
    wait_until(lambda: Decimal(account(target, admin_key)["reserved"]) == 0)
    return {"statuses": Counter(statuses), "decided": decided, "settled": account(target, admin_key)}


def account(target: Target, admin_key: str) -> dict[str, str]:
    """What the target's key has spent and holds, in USD."""
    with Connection(Target("admin", target.url, admin_key)) as connection:
        answer = connection.ask("GET", f"/key/info?key={target.key}")
    expect(200, answer.status)
    return {name: str(answer.json()["info"][name]) for name in ("spend", "reserved")}


def wait_until(holds: Callable[[], bool]) -> None:
    """Gives up after a while, so that what does not hold shows in the figures instead of hanging."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def in_parallel(work: Callable[[int], None], count: int) -> None:
    """Runs `work` in so many threads; the first error ends the process, since a figure without it would be wrong."""
    errors: list[Exception] = []

    def run(number: int) -> None:
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def expect(wanted: int, got: int) -> None:
    if wanted != got:
        raise RuntimeError(f"expected {wanted:,}, got {got:,}")


def main(what: str, arguments: str) -> None:
    fields = json.loads(arguments)
    for name in {"target", "upstream"} & fields.keys():
        fields[name] = Target(**fields[name])
    if "targets" in fields:
        fields["targets"] = [Target(**target) for target in fields["targets"]]
    loads: dict[str, Callable[..., object]] = {
        "latency": latency,
        "throughput": throughput,
        "stream": stream,
        "stream_in_format": stream_in_format,
        "slow_streams": slow_streams,
        "race": race,
    }
    try:
        print(json.dumps(loads[what](**fields)))
    except (RuntimeError, OSError) as error:
        sys.exit(f"{what}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
