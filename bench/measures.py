"""What is measured and how: each function returns the lines of the table that one kind of load yields.

The order of `MEASURES` matters: memory is read last, from a gateway that has served everything before.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from bench.client import MODEL, Connection, Target
from bench.load import WARM_UP
from bench.peers import PEERS
from bench.report import Figure
from bench.servers import ROOT, Server, clean_environment

ADMIN_KEY = "sk-local"
BASELINE = "import httpx, pydantic; httpx.Client()"
BUILD = "from haimaker.aws_lambda.runtime import load; load('app.handler', '.')"
"""As the runtime does it in Lambda."""
DEPLOYED = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "none",
    "HAIMAKER_ACCOUNTS_TABLE": "accounts",
    "HAIMAKER_RECORDS_TABLE": "records",
    "HAIMAKER_PROVIDERS_PARAMETER": "/haimaker/providers",
}
"""The environment of the chat function, as `template.yaml` and `shared/stream-wrapper` set it."""
LAYER = ROOT / ".aws-sam" / "build" / "HaimakerLayer" / "python" / "haimaker"
PYTHON313 = ROOT / ".venv-bench" / "bin" / "python"
TIMED = "import time\nstart = time.perf_counter()\n{}\nprint(time.perf_counter() - start)"
COLD_STARTS = 11
LATENCY_ROUNDS = 1500
PEER_ROUNDS = 500
AT_ONCE = 16
THROUGHPUT_S = 4.0
STREAM_ROUNDS = 3
FULL_SPEED_CHUNKS = 20_000
PACED_CHUNKS = 6_000
PACE_PER_S = 2_000
SLOW_STREAMS = 1_000
SLOW_CHUNKS = 40
SLOW_PACE = 2
"""Chunks a second of each."""
REPORTED_KEYS, REPORTED_REQUESTS, REPORT_S = 5_000, 50_000, 2.0
RACERS = 60
TURN = {"messages": [{"role": "user", "content": "PROMPT"}], "max_tokens": 64, "stream": True}
CONTENTS = {"contents": [{"parts": [{"text": "PROMPT"}]}]}
INPUT = {"input": "PROMPT", "stream": True, "store": False}
STREAMED = "streamGenerateContent?alt=sse"
FORMATS: Sequence[tuple[str, str, Mapping[str, Any], float]] = (
    ("Messages, native", "/v1/messages", {"model": "anthropic/claude-haiku-4-5", **TURN}, 1.3),
    ("Messages, translated", "/v1/messages", {"model": MODEL, **TURN}, 2.0),
    ("Gemini's API, native", f"/v1beta/models/gemini/gemini-2.5-flash:{STREAMED}", CONTENTS, 1.3),
    ("Gemini's API, translated", f"/v1beta/models/{MODEL}:{STREAMED}", CONTENTS, 2.0),
    ("Responses, native", "/v1/responses", {"model": MODEL, **INPUT}, 1.3),
    ("Responses, translated", "/v1/responses", {"model": "cerebras/gpt-oss-120b", **INPUT}, 2.0),
)
"""What each is called, where and how it is asked for, and its goal beside chat."""
AFFORDED = 10


@dataclass(frozen=True)
class Bench:
    """The processes of one run, and a key that the gateway issued."""

    gateway: Server
    relay: Server
    upstream: Server
    gateway_environment: Mapping[str, str]
    key: str

    def targets(self) -> list[Target]:
        return [self.upstream.target("direct"), self.relay.target("relay"), self.gateway.target("gateway", self.key)]


def issue_key(gateway: Server, max_budget: Decimal) -> str:
    body = f'{{"max_budget": {max_budget:f}}}'
    with Connection(gateway.target("admin", ADMIN_KEY)) as connection:
        answer = connection.ask("POST", "/key/generate", body.encode())
    if answer.status != 200:
        raise RuntimeError(f"POST /key/generate answered {answer.status}: {answer.body[:300]!r}")
    return str(answer.json()["key"])


@contextmanager
def _function() -> Iterator[tuple[str, str, str]]:
    """Interpreter, path and origin of the chat function's code: the built layer's, with its bytecode, on Lambda's Python where
    `make bench` found one. The layer's packages are for arm64, so they are this machine's."""
    function = ROOT / "functions" / "chat_completions"
    if not (LAYER.is_dir() and PYTHON313.is_file()):
        yield sys.executable, f"{ROOT / 'shared'}:{function}", "from the source"
        return
    with TemporaryDirectory() as folder:
        (Path(folder) / "haimaker").symlink_to(LAYER)
        yield str(PYTHON313), f"{folder}:{function}", "from the built layer, Python 3.13"


def cold_start(bench: Bench) -> Iterator[Figure]:
    """Baseline and chat function in turn, each in a new interpreter; the first of each, which may compile bytecode, is dropped."""
    seconds: dict[str, list[float]] = {BASELINE: [], BUILD: []}
    with _function() as (python, path, origin):
        environment = clean_environment(**DEPLOYED, PYTHONPATH=path)
        for _ in range(COLD_STARTS + 1):
            for code, times in seconds.items():
                command = [python, "-c", TIMED.format(code)]
                times.append(float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout))
    baseline_s, build_s = (median(times[1:]) for times in seconds.values())
    yield Figure(
        "cold start: import and build of the chat function",
        f"{build_s / baseline_s:.2f} x ({build_s * 1e3:.0f} ms)",
        "<= 1.0 x",
        build_s <= baseline_s,
        f"httpx, pydantic and a client alone {baseline_s * 1e3:.0f} ms; {origin}",
        {"gateway_ms": build_s * 1e3, "baseline_ms": baseline_s * 1e3},
    )


def latency(bench: Bench) -> Iterator[Figure]:
    seconds = load("latency", targets=bench.targets(), rounds=LATENCY_ROUNDS)
    percentiles = {name: quantiles(times, n=100) for name, times in seconds.items()}
    for percent, goal_ms in ((50, 0.9), (95, 1.2), (99, 2.0)):
        at = {name: cuts[percent - 1] * 1e3 for name, cuts in percentiles.items()}
        added_ms = at["gateway"] - at["direct"]
        yield Figure(
            f"added latency of a whole answer, p{percent}",
            f"{added_ms:.2f} ms ({at['gateway'] / at['direct']:.1f} x direct)",
            f"<= {goal_ms} ms",
            added_ms <= goal_ms,
            f"direct {at['direct']:.2f} ms; bare relay adds {at['relay'] - at['direct']:.2f} ms",
            {f"{name}_ms": milliseconds for name, milliseconds in at.items()} | {"added_ms": added_ms},
        )


def stream_cpu(bench: Bench) -> Iterator[Figure]:
    for label, chunks, pace_per_s, goal in (
        ("at full speed", FULL_SPEED_CHUNKS, None, "<= 8 us"),
        (f"at {PACE_PER_S:,} a second", PACED_CHUNKS, PACE_PER_S, "<= 1.8 x relay"),
    ):
        cost_us = {"gateway": 0.0, "relay": 0.0}
        for _ in range(STREAM_ROUNDS):
            for name, server in (("gateway", bench.gateway), ("relay", bench.relay)):
                before_s = server.cpu_s()
                load("stream", target=server.target(name, bench.key), chunks=chunks, pace_per_s=pace_per_s)
                cost_us[name] += (server.cpu_s() - before_s) * 1e6 / chunks / STREAM_ROUNDS
        yield Figure(
            f"own CPU per streamed chunk, {label}",
            f"{cost_us['gateway']:.1f} us ({cost_us['gateway'] / cost_us['relay']:.1f} x relay)",
            goal,
            cost_us["gateway"] <= (1.8 * cost_us["relay"] if pace_per_s else 8),
            f"bare relay {cost_us['relay']:.1f} us",
            {f"{name}_us": microseconds for name, microseconds in cost_us.items()},
        )


def formats(bench: Bench) -> Iterator[Figure]:
    """The other client formats beside chat, each asked of a provider that speaks it and of one that is asked for a chat instead."""

    def cost_us(what: str, **arguments: Any) -> float:
        before_s = bench.gateway.cpu_s()
        for _ in range(STREAM_ROUNDS):
            load(what, target=bench.gateway.target("gateway", bench.key), chunks=FULL_SPEED_CHUNKS, **arguments)
        return (bench.gateway.cpu_s() - before_s) * 1e6 / FULL_SPEED_CHUNKS / STREAM_ROUNDS

    chat_us = cost_us("stream")
    for label, path, body, goal in FORMATS:
        own_us = cost_us("stream_in_format", path=path, body=json.dumps(body))
        yield Figure(
            f"own CPU per event, {label}",
            f"{own_us:.1f} us ({own_us / chat_us:.1f} x chat)",
            f"<= {goal} x chat",
            own_us <= goal * chat_us,
            f"chat {chat_us:.1f} us",
            {"own_us": own_us, "chat_us": chat_us},
        )


def request_cpu(bench: Bench) -> Iterator[Figure]:
    target, before_s = bench.gateway.target("gateway", bench.key), bench.gateway.cpu_s()
    load("latency", targets=[target], rounds=LATENCY_ROUNDS)
    cost_ms = (bench.gateway.cpu_s() - before_s) * 1e3 / (LATENCY_ROUNDS + WARM_UP)
    yield Figure("own CPU per whole answer", f"{cost_ms:.2f} ms", "<= 0.9 ms", cost_ms <= 0.9, "", {"cpu_ms": cost_ms})


def throughput(bench: Bench) -> Iterator[Figure]:
    """Requests per second of one process, and of two beside it, in turn."""
    with TemporaryDirectory(prefix="haimaker-bench-") as home:
        environment = {**bench.gateway_environment, "HAIMAKER_HOME": home, "WORKERS": "2"}
        with Server("local", environment) as two:
            key = issue_key(two, Decimal(100))
            targets = [*bench.targets(), two.target("two workers", key)]
            rates = {target.name: load("throughput", target=target, at_once=AT_ONCE, duration_s=THROUGHPUT_S) for target in targets}
    beside = f"direct {rates['direct']:,.0f}; bare relay {rates['relay']:,.0f}"
    values = {f"{name.replace(' ', '_')}_per_s": rate for name, rate in rates.items()}
    one, both = rates["gateway"], rates["two workers"]
    yield Figure(f"requests per second, {AT_ONCE} at once", f"{one:,.0f}", ">= 950", one >= 950, beside, values)
    yield Figure(
        f"requests per second, {AT_ONCE} at once, WORKERS=2",
        f"{both:,.0f} ({both / one:.2f} x one)",
        ">= 1.5 x one",
        both >= 1.5 * one,
        "with the load and the upstream on the same machine",
        {"ratio": both / one},
    )


def peers(bench: Bench) -> Iterator[Figure]:
    """Other gateways that are installed here, each in turn with ours; of one that does not start, its last words."""
    for peer in PEERS:
        try:
            with peer(bench.upstream) as target:
                if target:
                    yield from _beside_peer(bench, target)
        except RuntimeError as error:
            print(f" {error};", end="", file=sys.stderr)


def _beside_peer(bench: Bench, peer: Target) -> Iterator[Figure]:
    ours = bench.gateway.target("gateway", bench.key)
    seconds = load("latency", targets=[bench.upstream.target("direct"), ours, peer], rounds=PEER_ROUNDS)
    at = {name: [quantiles(times, n=100)[percent - 1] * 1e3 for percent in (50, 95, 99)] for name, times in seconds.items()}
    added = {name: [all_ms - direct_ms for all_ms, direct_ms in zip(at[name], at["direct"], strict=True)] for name in at}
    rates = {each.name: load("throughput", target=each, at_once=AT_ONCE, duration_s=THROUGHPUT_S) for each in (ours, peer)}
    yield Figure(
        f"{peer.name}: added latency of a whole answer, p50 / p95 / p99",
        " / ".join(f"{added_ms:.2f}" for added_ms in added[peer.name]) + " ms",
        "",
        None,
        "ours " + " / ".join(f"{added_ms:.2f}" for added_ms in added["gateway"]) + " ms",
        {f"{name}_p{percent}_ms": at[name][place] for name in at for place, percent in enumerate((50, 95, 99))},
    )
    yield Figure(
        f"{peer.name}: requests per second, {AT_ONCE} at once",
        f"{rates[peer.name]:,.0f}",
        "below ours",
        rates[peer.name] <= rates["gateway"],
        f"ours {rates['gateway']:,.0f}, one process",
        {f"{name}_per_s": rate for name, rate in rates.items()},
    )


def slow_streams(bench: Bench) -> Iterator[Figure]:
    """Slow streams at a gateway of their own, so that its memory is only theirs."""
    with TemporaryDirectory(prefix="haimaker-bench-") as home:
        with Server("local", {**bench.gateway_environment, "HAIMAKER_HOME": home}) as gateway:
            direct, own = (
                quantiles(
                    load("slow_streams", target=target, streams=SLOW_STREAMS, chunks=SLOW_CHUNKS, pace_per_s=SLOW_PACE), n=100
                )
                for target in (bench.upstream.target("direct"), gateway.target("gateway", issue_key(gateway, Decimal(100))))
            )
            megabytes = gateway.resident_bytes() / 1e6
    added_ms = (own[94] - direct[94]) * 1e3
    yield Figure(
        f"{SLOW_STREAMS:,} slow streams at once: added delay of a chunk, p95",
        f"{added_ms:.0f} ms",
        "<= 20 ms",
        added_ms <= 20,
        f"{SLOW_PACE} chunks a second each; direct {direct[94] * 1e3:.0f} ms",
        {"added_ms": added_ms, "direct_ms": direct[94] * 1e3},
    )
    yield Figure(
        f"{SLOW_STREAMS:,} slow streams at once: resident memory",
        f"{megabytes:.0f} MB",
        "<= 120 MB",
        megabytes <= 120,
        "of one process, after them",
        {"megabytes": megabytes},
    )


def reports(_: Bench) -> Iterator[Figure]:
    """What a chat waits for beside the report that keeps a gateway busiest, where it has as many keys as a company."""
    from haimaker.gateway import Gateway
    from haimaker.settings.settings import Settings
    from scripts.console_at_scale import chats_ms, fill

    with TemporaryDirectory(prefix="haimaker-bench-") as home:
        environment = {"HAIMAKER_HOME": home, "HOST": "127.0.0.1"}
        filled = Gateway.local(Settings.from_environment(environment))
        with closing(filled.store):
            fill(filled, REPORTED_KEYS, REPORTED_REQUESTS)
        with Server("local", environment) as gateway:
            took_ms = {name: median(each) for name, each in chats_ms(gateway.url, REPORT_S)}
    alone_ms = took_ms.pop("")
    *_, (next_ms, _), (slowest_ms, slowest) = sorted((each_ms, name) for name, each_ms in took_ms.items())
    ratio = slowest_ms / alone_ms
    yield Figure(
        "a chat beside a report that is asked for all the time, p50",
        f"{ratio:.1f} x alone ({slowest})",
        "<= 2 x alone",
        ratio <= 2,
        f"the other {len(took_ms) - 1} at most {next_ms / alone_ms:.1f} x; alone {alone_ms:.1f} ms; {REPORTED_KEYS:,} keys",
        {"alone_ms": alone_ms, **{f"{name.replace(' ', '_')}_ms": each for name, each in took_ms.items()}},
    )


def overspending(bench: Bench) -> Iterator[Figure]:
    """One request shows what a hold is; then many race for a budget of a few holds."""
    hold = Decimal(_race(bench, issue_key(bench.gateway, Decimal(100)), 1)["decided"]["reserved"])
    budget = hold * AFFORDED
    seen = _race(bench, issue_key(bench.gateway, budget), RACERS)
    passed, refused = (seen["statuses"].get(status, 0) for status in ("200", "402"))
    spend, held = Decimal(seen["settled"]["spend"]), Decimal(seen["settled"]["reserved"])
    overspent = max(Decimal(0), passed * hold - budget, spend - budget, Decimal(seen["decided"]["reserved"]) - budget)
    yield Figure(
        f"overspent in a race of {RACERS}, budget for {AFFORDED}",
        f"{dollars(overspent)} ({passed} passed, {refused} refused)",
        "0",
        overspent == 0 and passed > 0 and passed + refused == RACERS and held == 0,
        f"budget {dollars(budget)}, spent {dollars(spend)}, still held {dollars(held)}",
        {"overspent_usd": str(overspent), "budget_usd": str(budget), "spend_usd": str(spend), "passed": passed, "refused": refused},
    )


def memory(bench: Bench) -> Iterator[Figure]:
    megabytes = bench.gateway.resident_bytes() / 1e6
    yield Figure(
        "resident memory, warm",
        f"{megabytes:.0f} MB",
        "<= 45 MB",
        megabytes <= 45,
        f"after all of the above; bare relay {bench.relay.resident_bytes() / 1e6:.0f} MB",
        {"megabytes": megabytes},
    )


def layer_size(_: Bench) -> Iterator[Figure]:
    """The size of the layer; nothing where none was built (`make build`)."""
    for package in Path(ROOT, ".aws-sam", "build").glob("*/python/haimaker"):
        megabytes = sum(file.stat().st_size for file in package.parent.rglob("*") if file.is_file()) / 1e6
        yield Figure(
            "unpacked layer", f"{megabytes:.1f} MB", "<= 20 MB", megabytes <= 20, "Lambda allows 262 MB", {"megabytes": megabytes}
        )


MEASURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "cold": cold_start,
    "latency": latency,
    "cpu": request_cpu,
    "stream": stream_cpu,
    "formats": formats,
    "throughput": throughput,
    "peers": peers,
    "slow": slow_streams,
    "reports": reports,
    "race": overspending,
    "memory": memory,
    "layer": layer_size,
}


def load(what: str, **arguments: Any) -> Any:
    """Runs one of the loads of `bench.load` in a process of its own."""
    command = [sys.executable, "-m", "bench.load", what, json.dumps(arguments, default=asdict)]
    finished = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        raise RuntimeError(f"the load {what!r} failed; its reason is above")
    return json.loads(finished.stdout)


def dollars(amount: Decimal) -> str:
    return f"{amount.normalize():f} USD"


def _race(bench: Bench, key: str, requests: int) -> Any:
    target, upstream = bench.gateway.target("gateway", key), bench.upstream.target("upstream")
    return load("race", target=target, upstream=upstream, requests=requests, admin_key=ADMIN_KEY)
