"""`python -m bench`, which `make bench` calls: starts the servers, measures, prints the table beside the goals."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from decimal import Decimal
from tempfile import TemporaryDirectory

from bench import lambda_cost
from bench.measures import MEASURES, Bench, issue_key
from bench.report import Figure, machine, table
from bench.servers import Server


@contextmanager
def running() -> Iterator[Bench]:
    """Upstream, relay and gateway, each a process; the gateway keeps its books in a folder that goes away afterwards."""
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="haimaker-bench-"))
        upstream = stack.enter_context(Server("bench.upstream", {}))
        environment = {
            "HAIMAKER_HOME": home,
            "HOST": "127.0.0.1",
            "OPENAI_API_KEY": "sk-upstream-test",
            "OPENAI_BASE_URL": f"{upstream.url}/v1",
        }
        relay = stack.enter_context(Server("bench.relay", environment))
        for provider in ("ANTHROPIC", "GEMINI", "CEREBRAS"):
            environment |= {f"{provider}_API_KEY": "sk-upstream-test", f"{provider}_BASE_URL": f"{upstream.url}/v1"}
        gateway = stack.enter_context(Server("local", environment))
        yield Bench(gateway, relay, upstream, environment, issue_key(gateway, Decimal(100)))


def measure(names: Sequence[str]) -> Iterator[Figure]:
    with running() as bench:
        for name in names:
            start = time.monotonic()
            print(f"{name} ...", end="", file=sys.stderr, flush=True)
            yield from MEASURES[name](bench)
            print(f" {time.monotonic() - start:.0f} s", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the gateway on this machine, in about a minute.")
    parser.add_argument("names", nargs="*", metavar="what", help=f"only these of: {', '.join(MEASURES)}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    try:
        figures = list(measure([name for name in MEASURES if name in arguments.names or not arguments.names]))
    except RuntimeError as error:
        sys.exit(f"bench: {error}")
    if arguments.json:
        print(json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]}, indent=2))
    else:
        print(f"{machine()}\n\n{table(figures)}")
        if not arguments.names:
            print("", *lambda_cost.lines(), sep="\n")


if __name__ == "__main__":
    main()
