"""Every command of docs/budgets.md is run, in its order, against what `make run` serves, and prints what the page shows."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documentation import Guide, Served, run, serve, shape

ADMIN = "sk-local"
VARYING = re.compile(r'"(start_date|end_date|date)": "\d{4}-\d\d-\d\d"|"\w+_(ms|at|time)": \d+(\.\d+)?|"latency": \d+')


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path)


def post(served: Served, path: str, key: str = ADMIN, **body: object) -> tuple[dict, str]:
    """What is answered, and the request's id."""
    request = urllib.request.Request(f"http://{served.address}{path}", json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response), response.headers["x-request-id"]


def alike(answer: object) -> object:
    """Without what differs from run to run."""
    text = json.dumps(shape(answer))
    return json.loads(VARYING.sub(lambda found: re.sub(r": .*", ": 0", found[0]), text))


def test_every_command_prints_what_the_guide_shows(served: Served, tmp_path: Path) -> None:
    key = post(served, "/key/generate", key_alias="ada", tags=["prod"])[0]["key"]
    message = {"role": "user", "content": "Hi"}
    _, request_id = post(served, "/v1/chat/completions", key, model="demo/echo", user="zoe", messages=[message])
    commands = Guide.read("docs/budgets.md").answered()
    assert len(commands) >= 3
    for command, expected in commands:
        printed = run(command, served, KEY=key, REQUEST_ID=request_id, HAIMAKER_HOME=str(tmp_path))
        if command.startswith("curl"):
            assert "error" not in json.loads(printed), printed
        if expected is not None:
            assert alike(json.loads(printed)) == alike(expected)
