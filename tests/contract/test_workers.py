"""Several workers as the processes they are: one port, one store, exact money, whoever is killed."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from haimaker.observability.prometheus import WRITE_AFTER_S
from tests.contract.money_support import chat_body, nanousd, wait_until
from tests.contract.test_crash import COST, STREAM, Running, bearer, records, running, start
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion, plays_openai

ENDING = slice(-12, None)
"""Of a request's id, by which its worker is known."""
MOST_REQUESTS = 400


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        upstream.answers(plays_openai())
        yield upstream


def workers_of(gateway: Running) -> set[int]:
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in found.splitlines()]
    return {int(process) for process, parent, state in lines if int(parent) == gateway.process.pid and state[0] != "Z"}


def chat(gateway: Running, key: str, **fields: object) -> httpx.Response:
    """On a connection of its own, which any worker may take."""
    url = f"{gateway.http.base_url}chat/completions"
    return httpx.post(url, json=chat_body(max_tokens=64, **fields), headers=bearer(key), trust_env=False, timeout=60)


def counted(gateway: Running) -> int:
    url = str(gateway.http.base_url).replace("/v1/", "/metrics")
    text = httpx.get(url, headers=bearer("m"), trust_env=False).text
    return sum(int(count) for count in re.findall(r"^haimaker_requests_total\{.*\} (\d+)$", text, re.MULTILINE))


def test_workers_share_the_port_the_store_and_what_they_count(tmp_path, upstream):
    with running(tmp_path, upstream, WORKERS="3", HAIMAKER_METRICS_TOKEN="m") as gateway, ThreadPoolExecutor(6) as pool:
        assert len(workers_of(gateway)) == 3
        key = gateway.admin("/key/generate", max_budget=1)["key"]
        seen, asked = set[str](), 0
        while len(seen) < 3:
            answers = list(pool.map(lambda _: chat(gateway, key), range(6)))
            assert {answer.status_code for answer in answers} == {200}
            seen |= {answer.headers["x-request-id"][ENDING] for answer in answers}
            asked += len(answers)
            assert asked < MOST_REQUESTS, f"{seen} answered alone"
        assert nanousd(gateway.info(key)["spend"]) == asked * COST
        wait_until(lambda: counted(gateway) == asked)
        time.sleep(2 * WRITE_AFTER_S)  # who told the sum may have its own part in memory still
        victim = min(workers_of(gateway))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(workers_of(gateway) - {victim}) == 3)
        assert counted(gateway) == asked, "what a worker counted stays when it has died"


def held(home) -> list[str]:
    """The endings of the requests for which something is reserved."""
    with sqlite3.connect(home / "haimaker.sqlite") as connection:
        found = [name for (name,) in connection.execute("SELECT request_id FROM holds")]
    connection.close()
    return [name[ENDING] for name in found]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_a_killed_worker_held_is_charged_at_once_and_the_others_go_on(tmp_path, upstream, stream):
    gate, options = upstream.gate(), STREAM if stream else {}
    upstream.answers(Reply.sse([*chunks()[:2], gate, *chunks()[2:]]) if stream else Reply.json(200, completion()).after(gate))
    with ThreadPoolExecutor(50) as pool, running(tmp_path, upstream, WORKERS="2") as gateway:
        key = gateway.admin("/key/generate", max_budget=100)["key"]
        asked = list[Future[httpx.Response]]()
        while len(set(held(tmp_path))) < 2:
            assert len(asked) < 50, "one worker took all"
            asked.append(pool.submit(chat, gateway, key, **options))
            upstream.wait_for_calls(len(asked))
        [each] = {nanousd(gateway.info(key)["reserved"]) // len(asked)}
        victim = min(workers_of(gateway))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(set(held(tmp_path))) == 1)
        left = len(held(tmp_path))
        info = gateway.info(key)
        assert (nanousd(info["spend"]), nanousd(info["reserved"])) == ((len(asked) - left) * each, left * each)
        gate.open()
        cut = [future for future in asked if isinstance(future.exception(), httpx.HTTPError)]
        assert len(cut) == len(asked) - left > 0
        assert all(future.result().status_code == 200 for future in asked if future not in cut)
        wait_until(lambda: not held(tmp_path))
        assert sorted(status for status, _, _ in records(tmp_path, key)) == ["lost"] * len(cut) + ["ok"] * left
        wait_until(lambda: len(workers_of(gateway) - {victim}) == 2)
        upstream.answers(plays_openai())
        assert chat(gateway, key).status_code == 200
    assert "SIGKILL" in (tmp_path / "log").read_text()


def test_workers_end_with_the_process_above_them(tmp_path, upstream):
    with running(tmp_path, upstream, WORKERS="2") as gateway:
        workers = workers_of(gateway)
        gateway.kill()
        wait_until(lambda: not any(is_running(worker) for worker in workers))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_workers_that_cannot_start_say_so_once_and_end(tmp_path, upstream):
    (tmp_path / "haimaker.sqlite").write_bytes(b"no database, but long enough to be taken for one" * 100)
    process = start(tmp_path, upstream, {"WORKERS": "2"})
    assert process.wait(30) == 1
    assert process.stdout
    process.stdout.close()
    assert (tmp_path / "log").read_text().count("the store can't be used") == 1
