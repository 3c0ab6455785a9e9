"""A batch whose gateway is killed at random points: every line is in the output once, and money is exact.

`make batch-kills` does it 50 times with 2,000 lines. Here it is a few times with a few lines.
"""

import json
import os
import random
import time
from pathlib import Path
from urllib.parse import quote

from tests.contract.money_support import exact_json, nanousd, wait_until
from tests.contract.test_crash import Running, bearer, running
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import JSON, Reply

KILLS = int(os.environ.get("BATCH_KILLS", "3"))
LINES = int(os.environ.get("BATCH_LINES", "300"))
SEED = int(os.environ.get("BATCH_SEED", "7"))
LONGEST_LIFE_S = float(os.environ.get("BATCH_LIFE_S", "0.5"))
ANSWER_S = float(os.environ.get("BATCH_ANSWER_S", "0.1"))
MODELS = ("openai/gpt-4o-mini", "deepseek/deepseek-chat", "demo/echo", "openai/gpt-4o")


def answer(call: Call) -> Reply:
    time.sleep(ANSWER_S)
    text = call.json["messages"][0]["content"]
    if int(text) % 17 == 0:
        return Reply.json(400, {"error": {"message": "no", "code": None}})
    return Reply.json(200, completion(f"answer {text}"))


def line(number: int) -> JSON:
    body = {"model": MODELS[number % len(MODELS)], "messages": [{"role": "user", "content": str(number)}], "max_tokens": 20}
    return {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def test_a_batch_outlives_the_gateway(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with FakeUpstream() as upstream:
        upstream.answers(answer)
        with running(tmp_path, upstream) as gateway:
            key, batch = begin(gateway)
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
            gateway.kill()
        for life in range(1, KILLS):
            asked = len(upstream.calls)
            with running(tmp_path, upstream) as gateway:
                if life == 1:  # when a request is under way, whatever the machine's pace; the others may meet anything
                    wait_until(lambda asked=asked: len(upstream.calls) > asked)
                    time.sleep(chance.uniform(0, ANSWER_S / 2))
                else:
                    time.sleep(chance.uniform(0, LONGEST_LIFE_S))
                gateway.kill()
        with running(tmp_path, upstream) as gateway:
            check(gateway, key, ended(gateway, key, batch))


def begin(gateway: Running) -> tuple[str, JSON]:
    key = gateway.admin("/key/generate", max_budget=100)["key"]
    data = "\n".join(json.dumps(line(number)) for number in range(LINES))
    sent = gateway.http.post("/files", headers=bearer(key), data={"purpose": "batch"}, files={"file": ("l.jsonl", data.encode())})
    body = {"input_file_id": sent.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    body["metadata"] = {"haimaker_mode": "now"}
    return key, gateway.http.post("/batches", headers=bearer(key), json=body).json()


def ended(gateway: Running, key: str, batch: JSON) -> JSON:
    end_s = time.monotonic() + 60 + LINES / 20
    while (now := exact_json(gateway.http.get(f"/batches/{batch['id']}", headers=bearer(key))))["status"] != "completed":
        assert now["status"] in ("validating", "in_progress", "finalizing"), now
        assert time.monotonic() < end_s, now
        time.sleep(0.05)
    return now


def rows(gateway: Running, key: str, file_id: str) -> list[JSON]:
    return [json.loads(row) for row in gateway.http.get(f"/files/{file_id}/content", headers=bearer(key)).text.splitlines()]


def logs(gateway: Running, key: str) -> dict[str, JSON]:
    found, after = dict[str, JSON](), ""
    while True:
        page = exact_json(gateway.http.get(f"/spend/logs?limit=100{after}", headers=bearer(key)))
        found |= {each["request_id"]: each for each in page["data"]}
        if not page.get("next_cursor"):
            return found
        after = f"&cursor={quote(page['next_cursor'])}"


def check(gateway: Running, key: str, batch: JSON) -> None:
    output, errors = (rows(gateway, key, batch[f"{kind}_file_id"]) for kind in ("output", "error"))
    refused = [n for n in range(LINES) if n % 17 == 0 and not MODELS[n % len(MODELS)].startswith("demo")]
    assert [row["custom_id"] for row in errors] == [f"line-{n}" for n in refused]
    assert [row["custom_id"] for row in output] == [f"line-{n}" for n in range(LINES) if n not in set(refused)]
    counts = batch["request_counts"]
    assert counts == {"total": LINES, "completed": len(output), "failed": len(errors)}
    info, found = gateway.info(key), logs(gateway, key)
    assert info["reserved"] == 0
    assert nanousd(info["spend"]) == sum(nanousd(each["spend"]) for each in found.values()) == nanousd(batch["usage"]["cost"])
    for row in (*output, *errors):
        assert found[row["response"]["request_id"]]["batch"] == batch["id"]
    asked_before = {name for each in found.values() for name in each.get("asked_before", ())}
    answered = {row["response"]["request_id"] for row in (*output, *errors)}
    assert asked_before, "a kill met a request"
    assert found.keys() - answered <= asked_before, "whoever was asked twice is named by the second record"
