"""A gateway behind its own front door, what an administrator and clients do with it, and exact sums of money."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from haimaker.accounts.keys import account_id_of
from haimaker.api import keys
from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSClient
from haimaker.gateway import Gateway
from haimaker.settings.settings import Settings
from haimaker.store import Record
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import create_tables
from local.server import Server
from tests.support import dynamodb_emulators
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion
from tests.support.reply import JSON

ADMIN = "sk-local"
MODEL = "openai/gpt-4o-mini"
PROVIDERS = ("OPENAI", "OPENROUTER", "GROQ", "DEEPSEEK", "HOSTED_VLLM")
AWS = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
    "AWS_SESSION_TOKEN": "t",
}
TIMEOUT_S = 60.0
ASKS_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Desk:
    """A gateway that serves at `url`, with every provider of PROVIDERS at `upstream`."""

    url: str
    upstream: FakeUpstream
    gateway: Gateway
    http: httpx.Client

    def ask(self, method: str, path: str, body: JSON | None = None, *, key: str | None = ADMIN) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.http.request(method, path, content=json.dumps(body) if body is not None else None, headers=headers)

    def admin(self, path: str, **body: Any) -> JSON:
        """What an administrator's POST is answered, which has to be a success."""
        response = self.ask("POST", path, body)
        assert response.status_code == 200, response.text
        return json.loads(response.text, parse_float=Decimal)

    def key(self, **fields: Any) -> str:
        return self.admin("/key/generate", **fields)["key"]

    def info(self, key: str) -> JSON:
        """As its owner sees it, money as Decimal."""
        response = self.ask("GET", "/key/info", key=key)
        assert response.status_code == 200, response.text
        return json.loads(response.text, parse_float=Decimal)["info"]

    def money(self, key: str) -> tuple[int, int, int]:
        """Spent in this budget window, held, and spent in all, in nano-dollars; of a key that is blocked, too."""
        balance = self.gateway.store.get(self._id(key))
        assert balance is not None
        return balance.spend_nanousd, balance.held_nanousd, balance.total_spend_nanousd

    def chat(self, key: str, model: str = MODEL, text: str = "Hi", **body: Any) -> httpx.Response:
        return self.http.post("/chat/completions", json=chat_body(model, text, **body), headers={"authorization": f"Bearer {key}"})

    def records(self, key: str) -> list[Record]:
        """All of a key's, in order; also of one that was deleted."""
        found: list[Record] = []
        after: str | None = None
        while True:
            page, after = self.gateway.store.records(self._id(key), after=after)
            found += page
            if after is None:
                return found

    def settled(self, *keys: str) -> None:
        """Waits until nothing is held: a client that left is noticed a moment later."""
        wait_until(lambda: all(self.money(key)[1] == 0 for key in keys))

    def _id(self, key: str) -> str:
        return account_id_of(key)


def chat_body(model: str = MODEL, text: str = "Hi", **body: Any) -> JSON:
    return {"model": model, "messages": [{"role": "user", "content": text}], **body}


def environment(home: Path, upstream: FakeUpstream, **more: str) -> dict[str, str]:
    """Of a gateway that knows no other provider than `upstream`."""
    urls = {f"{name}_BASE_URL": upstream.url for name in PROVIDERS}
    keys = {f"{name}_API_KEY": "sk-upstream" for name in PROVIDERS}
    return {**urls, **keys, "HAIMAKER_HOME": str(home), **more}


@contextmanager
def serving(home: Path, upstream: FakeUpstream, **more: str) -> Iterator[Desk]:
    """A gateway in this process; `more` is added to its environment. Serving the same home again is a restart."""
    settings = Settings.from_environment(environment(home, upstream, **more))
    gateway = Gateway.local(settings) if settings.aws is None else _patient(settings, settings.aws)
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, args=(gateway,))
    thread.start()
    url = f"http://127.0.0.1:{server.port}/v1"
    limits = httpx.Limits(max_connections=None)
    try:
        with httpx.Client(base_url=url, timeout=60, limits=limits, trust_env=False, verify=False) as http:
            yield Desk(url, upstream, gateway, http)
    finally:
        server.stop()
        thread.join()
        if gateway.batches:
            gateway.batches.stop(5)
        if settings.store == "sqlite":
            with closing(gateway.store):
                pass


def plays(counts: JSON, *, service_tier: str = "default") -> Callable[[Call], Reply]:
    """One answer, whole or streamed as it is asked for, with these counts."""

    def answer(call: Call) -> Reply:
        if call.json.get("stream"):
            return Reply.sse(chunks(usage=counts, service_tier=service_tier))
        return Reply.json(200, completion(usage=counts, service_tier=service_tier))

    return answer


def _patient(settings: Settings, aws: AWSAccess) -> Gateway:
    """A gateway that waits for an emulator on a busy machine longer than it would for DynamoDB."""
    dynamo = AWSClient("dynamodb", aws.region, aws.credentials, aws.dynamodb_endpoint, timeout_s=30, total_timeout_s=30)
    create_tables(dynamo, {"accounts": settings.accounts_table, "records": settings.records_table})
    store = DynamoStore(settings.accounts_table, settings.records_table, dynamo, rolled_up=False)
    keys.install_admin(store, settings)
    return Gateway.from_store(settings, store)


@contextmanager
def store_of(kind: str) -> Iterator[dict[str, str]]:
    """What the environment says of a store: nothing of `sqlite`; of `dynalite`, which is skipped without Node, where it is."""
    if kind == "sqlite":
        yield {}
        return
    try:
        with dynamodb_emulators.dynalite() as endpoint:
            yield {"STORE": "dynamodb", "AWS_ENDPOINT_URL_DYNAMODB": endpoint, **AWS}
    except dynamodb_emulators.Unavailable as reason:
        pytest.skip(str(reason))


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.02)


def nanousd(usd: object) -> int:
    """A whole number of nano-dollars, from a number that was read as Decimal or from a header's text."""
    exact = Decimal(str(usd)) * 10**9
    assert exact == int(exact), f"{usd} is finer than a nano-dollar"
    return int(exact)


def exact_json(response: httpx.Response) -> JSON:
    return json.loads(response.text, parse_float=Decimal)


def events(text: str) -> list[JSON]:
    """The JSON events of a stream's text, without `[DONE]`."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line, parse_float=Decimal) for line in lines if line != "[DONE]"]


def usage_of(response: httpx.Response) -> JSON | None:
    """The usage in a body, whole or streamed; None where it has none."""
    if response.headers["content-type"].startswith("text/event-stream"):
        said: Sequence[JSON] = [event["usage"] for event in events(response.text) if event.get("usage")]
        return said[-1] if said else None
    return exact_json(response).get("usage")


def error_of(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json()["error"]["code"]
