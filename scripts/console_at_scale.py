"""Fills a store with many keys and requests, and measures how long each view of the console takes to show something: `make scale`.

    python -m scripts.console_at_scale --keys 5000 --records 1000000

Prints a line per view: the milliseconds until its first content in a browser, and how long a chat took meanwhile. It fails if a
view takes longer than `--most-ms`.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haimaker.accounts import keys as auth
from haimaker.gateway import Gateway
from haimaker.settings.settings import Settings
from haimaker.store import Account, ledger, sqlite_totals
from haimaker.store.sqlite_schema import KEEP, open_database
from local.server import Server

ADMIN = "sk-local"
DAYS = 30
DAY_S = 86_400
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "groq/llama-3.3-70b-versatile", "gemini/gemini-2.5-flash")
VIEWS = {
    "spend": "main table tbody tr",
    "keys": "main table tbody tr",
    "keys?search=key-00": "main table tbody tr",
    "keys?sort_by=spend&sort_order=desc": "main table tbody tr",
    "payers": "main table tbody tr",
    "requests": "main table tbody tr",
    "providers": "main table tbody tr",
    "audit": "main .empty, main table",
    "models": "main table tbody tr",
    "playground": "main .said",
}
"""By their address; what is there once something is shown."""


def fill(gateway: Gateway, keys: int, records: int) -> None:
    """Keys by the store itself, records by one transaction: they would take hours one by one."""
    chance, now_s, store = random.Random(1), time.time(), gateway.store  # noqa: S311 (made up)
    store.put(Account("team#product", "product", int(now_s), alias="Product"))
    ids = []
    for number in range(keys):
        key = f"sk-hm-{number:043d}"
        ids.append(auth.account_id_of(key))
        team = "product" if number % 3 else None
        account = Account(ids[-1], auth.display_name_of(key), int(now_s) - number, alias=f"key-{number:04d}", team_id=team)
        store.put(account)
    connection = open_database(gateway.settings.home / "haimaker.sqlite")
    connection.execute("BEGIN")
    connection.executemany(KEEP, (_record(chance, chance.choice(ids), number, now_s) for number in range(records)))
    sqlite_totals.add_up(connection.execute)
    connection.execute("COMMIT")
    connection.close()


def _record(chance: random.Random, account_id: str, number: int, now_s: float) -> tuple[object, ...]:
    started_s = now_s - chance.random() * DAYS * DAY_S
    target = chance.choice(MODELS)
    provider, _, model = target.partition("/")
    attempt = {"target": target, "status": 200, "code": None, "duration_ms": 800, "first_byte_ms": 200, "cost_usd": 0.001}
    request_id = f"{number:08d}-0000-4000-8000-000000000000"
    detail = {
        "operation": "chat", "asked_model": target, "provider": provider, "model": model, "stream": True, "user": None,
        "team_id": "product", "tags": ["prod"], "input_tokens": 900, "output_tokens": 120, "cached_tokens": 0, "cost_usd": 0.001,
        "cost_estimated": False, "duration_ms": 900, "first_token_ms": 210, "error": None, "key_name": "sk-hm-0...0000",
        "key_alias": f"key-{number % 5000:04d}", "attempts": [attempt],
    }  # fmt: skip
    status = "error" if chance.random() < 0.02 else "ok"
    started = ledger.sort_key(started_s, request_id)
    return request_id, account_id, started, started_s, status, chance.randrange(10**5, 10**7), json.dumps(detail)


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


def first_content_ms(address: str) -> dict[str, float]:
    """By view, in a tab that is signed in."""
    from playwright.sync_api import sync_playwright

    from tests.console.browsing import launch

    found = {}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/console#/playground")
        page.get_by_label("Key").fill(ADMIN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation").wait_for()
        for view, content in VIEWS.items():
            page.goto("about:blank")
            page.goto(f"{address}/console")
            page.get_by_role("navigation").wait_for()
            begun = time.perf_counter()
            page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
            page.locator(content).first.wait_for()
            found[view] = (time.perf_counter() - begun) * 1000
        browser.close()
    return found


@contextmanager
def chatting(address: str, took_ms: list[float]) -> Iterator[None]:
    """One chat after another, meanwhile."""
    import httpx

    done = threading.Event()

    def chat() -> None:
        body = {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}]}
        with httpx.Client(base_url=address, headers={"authorization": f"Bearer {ADMIN}"}, trust_env=False) as client:
            while not done.wait(0.02):
                begun = time.perf_counter()
                client.post("/v1/chat/completions", json=body).raise_for_status()
                took_ms.append((time.perf_counter() - begun) * 1000)

    thread = threading.Thread(target=chat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--keys", type=int, default=5_000)
    asked.add_argument("--records", type=int, default=1_000_000)
    asked.add_argument("--most-ms", type=float, default=1_000)
    arguments = asked.parse_args()
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as (gateway, address):
        begun = time.perf_counter()
        fill(gateway, arguments.keys, arguments.records)
        print(f"{arguments.keys} keys, {arguments.records} requests, made in {time.perf_counter() - begun:.0f} s")
        took_ms: list[float] = []
        with chatting(address, took_ms):
            found = first_content_ms(address)
    for view, milliseconds in found.items():
        print(f"{milliseconds:8.0f} ms  {view}")
    middle, slow = statistics.median(took_ms), statistics.quantiles(took_ms, n=100)[98]
    print(f"a chat meanwhile: median {middle:.1f} ms, 99 % within {slow:.1f} ms")
    return int(any(milliseconds > arguments.most_ms for milliseconds in found.values()))


if __name__ == "__main__":
    sys.exit(main())
