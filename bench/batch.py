"""How fast the local gateway answers a batch, and how much memory that takes: `make bench-batch LINES=50000`.

The provider answers each request after WAIT_MS, and 32 are asked at once, so that 1,600 a second is all that could be.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from bench.servers import Server

WAIT_MS, GOAL_PER_S = 20, 400
ADMIN = {"authorization": "Bearer sk-local"}
ENDPOINT = "/v1/chat/completions"
LOOKS_EVERY_S = 0.5
MB = 1_000_000


def lines(count: int) -> str:
    asked = {"model": "openai/gpt-4o-mini", "max_tokens": 50}
    return "\n".join(
        json.dumps(
            {
                "custom_id": f"line-{number}",
                "method": "POST",
                "url": ENDPOINT,
                "body": {**asked, "messages": [{"role": "user", "content": f"Say {number}; wait={WAIT_MS}"}]},
            }
        )
        for number in range(count)
    )


def measure(gateway: Server, count: int) -> bool:
    """Prints what a batch took; whether it was as fast as it should be."""
    with httpx2.Client(base_url=f"{gateway.url}/v1", headers=ADMIN, timeout=60) as client:
        key = client.post("/key/generate", json={"max_budget": 10_000}).json()["key"]
        client.headers["authorization"] = f"Bearer {key}"
        before = gateway.resident_bytes()
        sent = client.post("/files", data={"purpose": "batch"}, files={"file": ("lines.jsonl", lines(count).encode())})
        body = {"input_file_id": sent.json()["id"], "endpoint": ENDPOINT, "completion_window": "24h"}
        body["metadata"] = {"haimaker_mode": "now"}
        batch = client.post("/batches", json=body).json()
        began_s, asked_s, cpu_s, most = time.monotonic(), 0.0, 0.0, before
        while batch["status"] not in ("completed", "failed", "cancelled", "expired"):
            time.sleep(LOOKS_EVERY_S)
            batch, most = client.get(f"/batches/{batch['id']}").json(), max(most, gateway.resident_bytes())
            if batch["status"] != "validating" and not asked_s:
                asked_s, cpu_s = time.monotonic(), gateway.cpu_s()
        took_s, cpu_s = time.monotonic() - asked_s, gateway.cpu_s() - cpu_s
    if batch["request_counts"]["completed"] != count:
        raise RuntimeError(f"the batch ended as {batch}")
    print(f"{count} lines: checked in {asked_s - began_s:.1f} s, answered in {took_s:.1f} s, {count / took_s:.0f} a second")
    print(f"CPU {cpu_s / count * 1000:.2f} ms a line; memory {before / MB:.0f} MB before, {most / MB:.0f} MB at most")
    return count / took_s >= GOAL_PER_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    count = parser.parse_args().lines
    with TemporaryDirectory() as home, Server("bench.upstream", {}) as upstream:
        settings = {
            "HAIMAKER_HOME": str(Path(home)), "OPENAI_API_KEY": "sk-none", "OPENAI_BASE_URL": f"{upstream.url}/v1",
        }  # fmt: skip
        with Server("local", settings) as gateway:
            return 0 if measure(gateway, count) else 1


if __name__ == "__main__":
    sys.exit(main())
