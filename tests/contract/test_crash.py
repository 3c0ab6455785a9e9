"""`python -m local` as the process it is: killed, stopped, started again on the same home, and on DynamoDB. Money stays exact."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from haimaker.accounts.keys import account_id_of
from haimaker.store.sqlite import SQLiteStore
from tests.contract.money_support import ADMIN, AWS, MODEL, chat_body, environment, error_of, exact_json, nanousd, store_of
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion, plays_openai, usage
from tests.support.reply import JSON

ROOT = Path(__file__).parents[2]
COST = 10 * 150 + 5 * 600
SEARCH = 5_000_000
"""In nano-dollars, of Groq's browser."""
SEARCHES = {"model": "groq/openai/gpt-oss-20b", "web_search_options": {"search_context_size": "low"}}
READY = re.compile(r"http://\S+/v1")
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    http: httpx.Client

    def admin(self, path: str, **body: object) -> JSON:
        response = self.http.post(path, json=body, headers=bearer(ADMIN))
        assert response.status_code == 200, response.text
        return response.json()

    def info(self, key: str) -> JSON:
        return exact_json(self.http.get("/key/info", headers=bearer(key)))["info"]

    def chat(self, key: str, **body: object) -> httpx.Response:
        return self.http.post("/chat/completions", json=chat_body(max_tokens=64, **body), headers=bearer(key))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def start(home: Path, upstream: FakeUpstream, more: dict[str, str], limits: str = "") -> subprocess.Popen[str]:
    """`limits` are words of the shell before it."""
    settings = {**environment(home, upstream, **more), "PORT": "0", "PYTHONPATH": "shared", "PATH": os.environ["PATH"]}
    with (home / "log").open("a") as log:
        command = ["sh", "-c", f'{limits} exec "$0" -m local', sys.executable]
        return subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=log, text=True)


@contextmanager
def running(home: Path, upstream: FakeUpstream, *, limits: str = "", **more: str) -> Iterator[Running]:
    process = start(home, upstream, more, limits)
    try:
        assert process.stdout
        ready = READY.search(process.stdout.readline())
        assert ready, (home / "log").read_text()
        with httpx.Client(base_url=ready[0], timeout=60, trust_env=False, verify=False) as http:
            yield Running(process, http)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        upstream.answers(plays_openai())
        yield upstream


GPT, HI = "openai/gpt-5.4", [{"role": "user", "content": "Hi"}]
OF_GOOGLE: JSON = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 64}}
FORMATS: tuple[tuple[str, JSON], ...] = (
    ("/chat/completions", chat_body(max_tokens=64)),
    ("/chat/completions", {**chat_body(max_tokens=64), **SEARCHES}),
    ("/messages", {"model": MODEL, "messages": HI, "max_tokens": 64}),
    ("/responses", {"model": SEARCHES["model"], "input": "Hi", "max_output_tokens": 64}),
    ("/responses", {"model": GPT, "input": "Hi", "max_output_tokens": 64}),
    (f"/models/{MODEL}:generateContent", OF_GOOGLE),
)
"""In every format, as it is and translated; a search among them."""
QUEUED: JSON = {"id": "resp_9", "object": "response", "status": "queued", "output": [], "usage": None}
USED: JSON = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def in_a_stream(path: str, body: JSON) -> tuple[str, JSON]:
    if "contents" in body:
        return path.replace("generateContent", "streamGenerateContent?alt=sse"), body
    return path, {**body, **(STREAM if "messages" in body and path != "/messages" else {"stream": True})}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_a_killed_gateway_held_is_lost_and_nothing_stays_held(tmp_path, upstream, stream):
    """In all formats. What it made in the background has failed; what its provider makes goes on, and costs what it does."""
    never = upstream.gate()

    def begins(call: Call) -> Reply:
        if call.json.get("background"):
            return Reply.json(200, QUEUED)
        streams = call.json.get("stream") and call.path.endswith("/chat/completions")
        return Reply.sse([*chunks()[:2], never]) if streams else Reply.json(200, completion()).after(never)

    with ThreadPoolExecutor(8) as pool, running(tmp_path, upstream, HAIMAKER_LOG_CONTENT="true") as gateway:
        limits = {"max_parallel_requests": 9, "model_max_budget": {MODEL: 1}}
        key = gateway.admin("/key/generate", max_budget=1, **limits)["key"]
        assert gateway.chat(key).status_code == 200
        upstream.answers(begins)
        queued = [
            gateway.http.post("/responses", json=body | {"background": True}, headers=bearer(key)).json()
            for path, body in FORMATS[3:5]
        ]
        assert [each.get("status") for each in queued] == ["queued"] * 2, queued
        ways = [in_a_stream(*way) if stream else way for way in FORMATS]
        asked = [pool.submit(gateway.http.post, path, json=body, headers=bearer(key)) for path, body in ways]
        upstream.wait_for_calls(3 + len(asked))
        held = nanousd(gateway.info(key)["reserved"])
        gateway.kill()
        assert all(isinstance(future.exception(), httpx.HTTPError) for future in asked)
    assert held > 8 * 64 * 600 + SEARCH
    upstream.answers(plays_openai())
    for spent in (COST + held, 2 * COST + held):
        with running(tmp_path, upstream, HAIMAKER_LOG_CONTENT="true") as gateway:
            info = gateway.info(key)
            assert (nanousd(info["spend"]), info["reserved"], info["parallel_requests"]) == (spent, 0, 0)
            of_model = nanousd(info["model_spend"][MODEL])
            assert 64 * 600 < of_model < spent - SEARCH
            assert gateway.chat(key).status_code == 200
            if spent == COST + held:
                continue
            upstream.answers(Reply.json(200, QUEUED | {"status": "completed", "usage": USED}))
            told = [gateway.http.get(f"/responses/{each['id']}", headers=bearer(key)).json() for each in queued]
            assert [each["status"] for each in told] == ["failed", "completed"]
    found = records(tmp_path, key)
    assert Counter(status for status, _, _ in found) == {"ok": 4, "lost": len(FORMATS) + 1}
    made_there = nanousd(told[1]["usage"]["cost"])
    lost = sorted(cost for status, cost, _ in found if status == "lost")
    assert sorted(cost for status, cost, _ in found if status == "ok") == sorted([COST, COST, COST, made_there])
    assert lost_of_model(tmp_path, key) + 2 * COST == of_model
    assert money(tmp_path, key) == (sum(lost) + made_there + 3 * COST, 0, sum(lost) + made_there + 3 * COST)


def test_a_second_gateway_on_the_same_home_takes_no_hold_of_the_first(tmp_path, upstream):
    gate = upstream.gate()
    upstream.answers(Reply.json(200, completion()).after(gate), plays_openai())
    with ThreadPoolExecutor(1) as pool, running(tmp_path, upstream) as first:
        key = first.admin("/key/generate", max_budget=1)["key"]
        answer = pool.submit(first.chat, key)
        upstream.wait_for_calls(1)
        held = first.info(key)["reserved"]
        with running(tmp_path, upstream) as second:
            assert second.info(key)["reserved"] == held > 0
            assert second.chat(key).status_code == 200
            gate.open()
            assert answer.result().status_code == 200
            assert nanousd(second.info(key)["spend"]) == 2 * COST
    assert money(tmp_path, key) == (2 * COST, 0, 2 * COST)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stream_that_ends_soon_is_finished_when_the_gateway_is_stopped(tmp_path, upstream, workers):
    gate = upstream.gate()
    events = chunks(["Hel", "lo!"], usage=usage(10, 5))
    upstream.answers(Reply.sse([*events[:2], gate, *events[2:]]))
    with running(tmp_path, upstream, WORKERS=workers) as gateway:
        key = gateway.admin("/key/generate", max_budget=1)["key"]
        body = chat_body(max_tokens=64, **STREAM)
        with gateway.http.stream("POST", "/chat/completions", json=body, headers=bearer(key)) as answer:
            lines = answer.iter_lines()
            next(lines)
            gateway.process.send_signal(signal.SIGTERM)
            gate.open()
            assert list(lines)[-2:] == ["data: [DONE]", ""]
        assert gateway.process.wait(20) == 0
    assert records(tmp_path, key) == [("ok", COST, False)]
    assert money(tmp_path, key) == (COST, 0, COST)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_does_not_end_is_cut_and_settled_when_the_gateway_is_stopped(tmp_path, upstream, workers):
    never = upstream.gate()
    upstream.answers(Reply.sse([*chunks()[:2], never]), Reply.json(200, completion()).after(never))
    with ThreadPoolExecutor(2) as pool, running(tmp_path, upstream, WORKERS=workers) as gateway:
        key = gateway.admin("/key/generate", max_budget=1)["key"]
        asked = []
        for number, options in enumerate((STREAM, {}), start=1):
            asked.append(pool.submit(gateway.chat, key, **options))
            upstream.wait_for_calls(number)
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0
        assert all(isinstance(future.exception(), httpx.HTTPError) for future in asked)
    found = records(tmp_path, key)
    assert [(status, estimated) for status, _, estimated in found] == [("cut", True)] * 2
    assert all(0 < cost < 20_000 for _, cost, _ in found)
    spent = sum(cost for _, cost, _ in found)
    assert money(tmp_path, key) == (spent, 0, spent)


@pytest.mark.parametrize(("limits", "answered"), [("ulimit -Sn 100;", 120), ("ulimit -n 100;", 18)])
def test_as_many_are_answered_at_once_as_files_may_be_open(tmp_path, upstream, limits, answered):
    """More are asked for where the system lets a process have more; else some are told to come again."""
    gate = upstream.gate()
    upstream.answers(Reply.json(200, completion()).after(gate))
    with ThreadPoolExecutor(120) as pool, running(tmp_path, upstream, limits=limits) as gateway:
        key = gateway.admin("/key/generate")["key"]
        gateway.http.close()
        url, body, headers = f"{gateway.http.base_url}chat/completions", chat_body(max_tokens=64), bearer(key)
        with httpx.Client(timeout=180, limits=httpx.Limits(max_connections=None), trust_env=False, verify=False) as http:
            asked = [pool.submit(http.post, url, json=body, headers=headers) for _ in range(120)]
            upstream.wait_for_calls(answered, 120)
            gate.open()
            statuses = Counter(future.result().status_code for future in asked if not future.exception())
        assert statuses[200] >= answered
        assert statuses.keys() <= {200, 503}


def records(home: Path, key: str) -> list[tuple[str, int, bool | None]]:
    store = SQLiteStore(home / "haimaker.sqlite")
    found, _ = store.records(account_id_of(key))
    store.close()
    return [(record.status, record.cost_nanousd, record.detail.get("cost_estimated")) for record in found]


def lost_of_model(home: Path, key: str) -> int:
    """What the requests for MODEL among those that were lost are charged of its limit."""
    store = SQLiteStore(home / "haimaker.sqlite")
    found, _ = store.records(account_id_of(key))
    store.close()
    holds = [record.detail.get("model_holds", {}) for record in found if record.status == "lost"]
    return sum(held[MODEL] for each in holds for held in each.values())


def money(home: Path, key: str) -> tuple[int, int, int]:
    store = SQLiteStore(home / "haimaker.sqlite")
    balance = store.get(account_id_of(key))
    store.close()
    assert balance
    return balance.spend_nanousd, balance.held_nanousd, balance.total_spend_nanousd


ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
NO_CREDENTIALS = "haimaker: STORE=dynamodb needs AWS credentials"


@pytest.fixture
def tables():
    with store_of("dynalite") as store:
        yield {**store, "HAIMAKER_ACCOUNTS_TABLE": "own-accounts", "HAIMAKER_RECORDS_TABLE": "own-records"}


def test_on_dynamodb_keys_and_usage_survive_a_restart(tmp_path, upstream, tables):
    with running(tmp_path, upstream, **tables) as gateway:
        key = gateway.admin("/key/generate", max_budget=1, key_alias="kept")["key"]
        assert [gateway.chat(key, **options).status_code for options in ({}, STREAM)] == [200, 200]
        before = gateway.info(key)
        assert (nanousd(before["spend"]), before["reserved"]) == (2 * COST, 0)
        gateway.kill()
    with running(tmp_path, upstream, **tables) as gateway:
        assert gateway.info(key) == before
        assert gateway.chat(key).status_code == 200
        assert nanousd(gateway.info(key)["spend"]) == 3 * COST
        gateway.admin("/key/delete", key=key)
        assert error_of(gateway.chat(key)) == (401, "invalid_api_key")
    assert [path.name for path in tmp_path.iterdir()] == ["log"], "nothing is kept in the home"
    log = (tmp_path / "log").read_text()
    assert not [secret for secret in (key, "a-secret", "sk-upstream") if secret in log]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"STORE": "dynamodb"}, "haimaker: STORE=dynamodb needs AWS_REGION"),
        ({"STORE": "dynamodb", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}, NO_CREDENTIALS),
        ({"STORE": "dynamodb", **AWS, "AWS_SECRET_ACCESS_KEY": " "}, "haimaker: STORE=dynamodb needs AWS credentials"),
        ({"STORE": "dynamodb", **AWS, ENDPOINT: "127.0.0.1"}, "haimaker: AWS_ENDPOINT_URL_DYNAMODB must be an http"),
        ({"STORE": "dynamodb", **AWS, ENDPOINT: "http://127.0.0.1:9"}, "haimaker: the store can't be used: DynamoDB"),
        ({"STORE": "redis"}, "haimaker: STORE must be one of sqlite, dynamodb"),
        ({"HAIMAKER_HOME": "/dev/null"}, "haimaker: /dev/null is no folder. Name another folder: HAIMAKER_HOME=... make run"),
        ({"HAIMAKER_HOME": "/dev/null/x"}, "haimaker: /dev/null/x can't be made. Name another folder: HAIMAKER_HOME=... make run"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_a_store_that_cannot_be_used_is_one_line(tmp_path, upstream, settings, message):
    process = start(tmp_path, upstream, settings)
    assert process.communicate(timeout=20)[0] == ""
    log = (tmp_path / "log").read_text()
    assert (process.returncode, log.count("\n"), log[: len(message)]) == (1, 1, message)
    assert "a-secret" not in log
