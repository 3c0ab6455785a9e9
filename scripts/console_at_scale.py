"""Fills a store with many keys and requests, and measures how long each view of the console takes to show something, each search in
one to show what it found, and how long a chat takes beside each report: `make scale`.

    python -m scripts.console_at_scale --keys 5000 --records 1000000 --home /tmp/scale

With `--home` the store is kept in that folder, and taken from it the next time: filling it takes minutes, measuring one or two.
Prints a line for each, and a `!` where it takes longer than a view (`--most-ms`), a search (three tenths of it) or a chat (twice as
long as alone, in the middle) may, which is also what the exit status says.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from haimaker.accounts import keys as auth
from haimaker.gateway import Gateway
from haimaker.settings.settings import Settings
from haimaker.store import ledger, sqlite_totals
from haimaker.store.sqlite_schema import KEEP, open_database
from local.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADMIN = "sk-local"
DAYS = 30
DAY_S = 86_400
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "groq/llama-3.3-70b-versatile", "gemini/gemini-2.5-flash")
ROWS = "main table tbody tr"
VIEWS = {
    "spend": ROWS,
    "spend?by=key": ROWS,
    "spend?by=user&days=90": ROWS,
    "keys": ROWS,
    "keys?sort_by=spend": ROWS,
    "keys?sort_by=used": ROWS,
    "keys?sort_by=key_alias": ROWS,
    "keys?status=blocked": ROWS,
    "keys?page=3": f"main .empty, {ROWS}",
    "payers": ROWS,
    "payers?kind=user": ROWS,
    "payers?kind=user&sort_by=spend": ROWS,
    "requests": ROWS,
    "requests?order=dearest": ROWS,
    "requests?model=groq/llama-3.3-70b-versatile&order=dearest": ROWS,
    "batches": ROWS,
    "providers": ROWS,
    "routing": "main article, main table tbody tr, main .panel",
    "audit": ROWS,
    "audit?table_name=key": ROWS,
    "models": ROWS,
    "playground": "main .said",
}
"""By their address; what is there once something is shown."""
SEARCHES = {"keys?search=key-000": "keys", "payers?kind=user&search=user-000": "payers?kind=user", "audit?search=key-000": "audit"}
"""By its address, the view in which it is made."""
FOUND = "-000"
"""In each row of what a search finds, and in no first row of what was there before."""
REPORTS = {
    "spend by model": "/spend/report?group_by=day,model&top=50",
    "spend by key": "/spend/report?group_by=day,key&top=50",
    "keys": "/key/list?return_full_object=true&size=50&sort_by=created_at&sort_order=desc",
    "keys by spend": "/key/list?return_full_object=true&size=50&sort_by=spend&sort_order=desc",
    "a search of keys": "/key/list?return_full_object=true&size=50&search=key-000",
    "end users": "/customer/list?page=1&size=50&sort_by=spend&sort_order=desc",
    "requests": "/spend/logs?limit=50",
    "the dearest": "/spend/logs?limit=50&sort_by=spend",
    "requests by model": "/spend/logs?limit=50&model=groq/llama-3.3-70b-versatile&status=error",
    "changes": "/audit?limit=50&search=key-000",
    "spend of all keys": "/spend/keys",
}
"""What is asked for, one after another, while a chat is measured beside it."""


def fill(gateway: Gateway, keys: int, records: int) -> None:
    """Records by one transaction: one by one they would take an hour. What else there is, by the store itself."""
    from tests.console import crowd

    chance, now_s = random.Random(1), time.time()  # noqa: S311 (made up)
    ids = [auth.account_id_of(f"sk-hm-{number:043d}") for number in range(keys)]
    connection = open_database(gateway.settings.home / "haimaker.sqlite")
    connection.execute("BEGIN")
    connection.executemany(KEEP, (_record(chance, ids, number, now_s) for number in range(records)))
    sqlite_totals.add_up(connection.execute)
    connection.execute("COMMIT")
    connection.close()
    crowd.fill(gateway, auth.account_id_of(ADMIN), keys)


def _record(chance: random.Random, ids: list[str], number: int, now_s: float) -> tuple[object, ...]:
    started_s, of_key = now_s - chance.random() * DAYS * DAY_S, chance.randrange(len(ids))
    target = chance.choice(MODELS)
    provider, _, model = target.partition("/")
    attempt = {"target": target, "status": 200, "code": None, "duration_ms": 800, "first_byte_ms": 200, "cost_usd": 0.001}
    request_id = f"{number:08d}-0000-4000-8000-000000000000"
    detail = {
        "operation": "chat", "asked_model": target, "provider": provider, "model": model, "stream": True,
        "user": f"user-{of_key:05d}", "team_id": "team-00001", "tags": ["prod"], "input_tokens": 900, "output_tokens": 120,
        "cached_tokens": 0, "cost_usd": 0.001, "cost_estimated": False, "duration_ms": 900, "first_token_ms": 210, "error": None,
        "key_name": "sk-hm-0...0000", "key_alias": f"key-{of_key:05d}", "attempts": [attempt],
    }  # fmt: skip
    status = "error" if chance.random() < 0.02 else "ok"
    started = ledger.sort_key(started_s, request_id)
    return request_id, ids[of_key], started, started_s, status, chance.randrange(10**5, 10**7), json.dumps(detail)


@contextmanager
def serving(home: Path) -> Iterator[tuple[Gateway, str]]:
    gateway = Gateway.local(Settings.from_environment({"HAIMAKER_HOME": str(home)}))
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, args=(gateway,), daemon=True)
    thread.start()
    try:
        yield gateway, f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        thread.join()


def first_content_ms(address: str) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Of each view, and of each search, in a tab that is signed in: milliseconds until something is shown, and those of them in
    which this process, the gateway, computed."""
    from playwright.sync_api import sync_playwright

    from tests.console.browsing import launch

    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/console#/playground")
        page.get_by_label("Key").fill(ADMIN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation").wait_for()
        views, searches = {}, {}
        for view, content in VIEWS.items():
            page.evaluate("(view) => { location.hash = `#/${view}`; }", "models" if view == "playground" else "playground")
            page.reload()  # so that no view has anything of before
            page.get_by_role("navigation").wait_for()
            views[view] = _time(page, view, page.locator(content).first.wait_for)
        for search, view in SEARCHES.items():
            page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
            page.locator(ROWS).first.wait_for()
            page.wait_for_timeout(200)
            searches[search] = _time(page, search, page.locator(ROWS).first.filter(has_text=FOUND).wait_for)
        browser.close()
    return views, searches


def _time(page: "Page", view: str, wait: Callable[[], None]) -> tuple[float, float]:
    begun, computed = time.perf_counter(), time.process_time()
    page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
    wait()
    return (time.perf_counter() - begun) * 1000, (time.process_time() - computed) * 1000


ASKS = """
import http.client, select, sys
connection = http.client.HTTPConnection(sys.argv[1])
path = sys.stdin.readline().strip()
while path:
    connection.request("GET", path, headers={"authorization": sys.argv[2]})
    connection.getresponse().read()
    if select.select([sys.stdin], [], [], 0)[0]:
        path = sys.stdin.readline().strip()
"""
"""A client that asks for the last path that it was told, all the time: in a process of its own, as clients are."""


def chats_ms(address: str, seconds: float) -> Iterator[tuple[str, list[float]]]:
    """How long chats took, one after another with pauses, alone, and while each of REPORTS was asked for all the time."""
    import httpx

    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}]}
    command = [sys.executable, "-c", ASKS, address.removeprefix("http://"), f"Bearer {ADMIN}"]
    with (
        httpx.Client(base_url=address, headers={"authorization": f"Bearer {ADMIN}"}, trust_env=False, timeout=120) as client,
        subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as asking,  # noqa: S603 (ours)
    ):
        assert asking.stdin
        client.post("/v1/chat/completions", json=body).raise_for_status()
        for name, path in {"": "", **REPORTS}.items():
            if path:
                client.get(path).raise_for_status()
                print(path, file=asking.stdin, flush=True)
            took_ms: list[float] = []
            until = time.perf_counter() + seconds
            while time.perf_counter() < until or len(took_ms) < 2:
                begun = time.perf_counter()
                client.post("/v1/chat/completions", json=body).raise_for_status()
                took_ms.append((time.perf_counter() - begun) * 1000)
                time.sleep(0.01)
            yield name, took_ms


def _chat_line(took_ms: list[float]) -> str:
    cuts = statistics.quantiles(took_ms, n=100)
    return f"{statistics.median(took_ms):6.1f} ms median {cuts[94]:6.1f} p95 {cuts[98]:6.1f} p99"


def _print(found: Mapping[str, tuple[float, float]], most_ms: float) -> int:
    for name, (milliseconds, computed_ms) in found.items():
        print(
            f"{'!' if milliseconds > most_ms else ' '}{milliseconds:7.0f} ms  {name}  (the gateway computed {computed_ms:.0f} ms)"
        )
    return sum(milliseconds > most_ms for milliseconds, _ in found.values())


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--keys", type=int, default=5_000)
    asked.add_argument("--records", type=int, default=1_000_000)
    asked.add_argument("--most-ms", type=float, default=1_000)
    asked.add_argument("--home", type=Path, help="a folder to keep the store in, or that has it from before")
    asked.add_argument(
        "--chat-seconds", type=float, default=5, help="how long chats are measured beside each report; 0: not at all"
    )
    asked.add_argument("--no-browser", action="store_true", help="measure chats only")
    arguments = asked.parse_args()
    with nullcontext(arguments.home) if arguments.home else tempfile.TemporaryDirectory() as home:
        is_filled = (Path(home) / "haimaker.sqlite").exists()
        with serving(Path(home)) as (gateway, address):
            begun = time.perf_counter()
            if not is_filled:
                fill(gateway, arguments.keys, arguments.records)
                print(f"{arguments.keys} keys, {arguments.records} requests, made in {time.perf_counter() - begun:.0f} s")
            missed = 0
            if not arguments.no_browser:
                views, searches = first_content_ms(address)
                missed = _print(views, arguments.most_ms) + _print(searches, 0.3 * arguments.most_ms)
            if arguments.chat_seconds:
                alone: list[float] = []
                for name, took_ms in chats_ms(address, arguments.chat_seconds):
                    alone = alone or took_ms
                    is_slow = statistics.median(took_ms) > 2 * statistics.median(alone)
                    print(f"{'!' if is_slow else ' '} a chat {f'beside {name}' if name else 'alone'}: {_chat_line(took_ms)}")
                    missed += is_slow
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
