"""What the gateway itself refuses: before a provider is asked, at no cost, and with nothing held."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest

from haimaker.accounts import keys as auth
from tests.contract.money_support import ADMIN, Desk
from tests.contract.sdk_support import MODEL, PROMPT, ask_all, sdk
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
MINUTE_S = 60
TEST_S = 5
"""More than a test of a limit per minute lasts: none begins so late in a minute that it could end in the next."""


def new_key(desk: Desk, **limits: Any) -> str:
    return desk.key(**limits)


def blocked(desk: Desk) -> str:
    key = desk.key()
    desk.admin("/key/block", key=key)
    return key


def blocked_after_use(desk: Desk) -> str:
    """The gateway knows this key's configuration by heart."""
    key = desk.key()
    assert desk.chat(key).status_code == 200
    desk.admin("/key/block", key=key)
    return key


def deleted(desk: Desk) -> str:
    key = desk.key()
    assert desk.chat(key).status_code == 200
    desk.admin("/key/delete", keys=[key])
    return key


def expired(desk: Desk) -> str:
    key = desk.key(duration="1s")
    time.sleep(1.1)
    return key


def spent(desk: Desk) -> str:
    """Its budget pays for one answer of five million tokens."""
    key = desk.key(max_budget=1)
    usage = openai_wire.usage(10, 5_000_000)
    desk.upstream.answers(Reply.json(200, openai_wire.completion(usage=usage)), openai_wire.plays_openai())
    assert desk.chat(key, max_tokens=5).status_code == 200
    return key


def used_up(desk: Desk) -> str:
    return after_one(desk, rpm_limit=1)


def used_up_tokens(desk: Desk) -> str:
    """A request takes no more than the whole limit, so that the first one of a minute passes."""
    return after_one(desk, tpm_limit=100)


def after_one(desk: Desk, **limits: int) -> str:
    """A key that has made a request in a minute that lasts long enough for another."""
    time.sleep(max(0.0, time.time() % MINUTE_S - (MINUTE_S - TEST_S)) and MINUTE_S - time.time() % MINUTE_S)
    key = desk.key(**limits)
    assert desk.chat(key).status_code == 200
    return key


@dataclass(frozen=True)
class Row:
    name: str
    key: Any
    """A key, or what makes one."""
    error: type[openai.APIStatusError]
    status: int
    code: str
    type: str
    model: str = MODEL
    param: str | None = None
    says: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


UNAUTHORISED: dict[str, Any] = {"error": openai.AuthenticationError, "status": 401, "type": "authentication_error"}
LIMITED: dict[str, Any] = {"error": openai.RateLimitError, "status": 429, "code": "rate_limit_exceeded"}
FINAL = {"x-should-retry": "false"}
ROWS = [
    Row("no key", "", code="missing_api_key", says="Authorization", **UNAUTHORISED),
    Row("junk", "sk-junk", code="invalid_api_key", says="Incorrect API key", **UNAUTHORISED),
    Row("mistyped", lambda desk: desk.key()[:-1] + "!", code="invalid_api_key", **UNAUTHORISED),
    Row("unknown", lambda desk: auth.new_key(), code="invalid_api_key", **UNAUTHORISED),
    Row("very long", "k" * 20_000, code="invalid_api_key", **UNAUTHORISED),
    Row("deleted", deleted, code="invalid_api_key", **UNAUTHORISED),
    Row("blocked", blocked, code="key_blocked", says="is blocked", **UNAUTHORISED),
    Row("blocked after use", blocked_after_use, code="key_blocked", **UNAUTHORISED),
    Row("expired", expired, code="key_expired", says="has expired", **UNAUTHORISED),
    Row(
        "model not allowed",
        lambda desk: desk.key(models=["openai/*"]),
        openai.PermissionDeniedError,
        403,
        "model_not_allowed",
        "permission_error",
        param="model",
    ),
    *(
        Row(name, new_key, openai.NotFoundError, 404, code, "invalid_request_error", model, "model", says)
        for name, model, code, says in [
            ("unknown model", "no-such-model", "model_not_found", "does not exist"),
            ("unknown provider", "nobody/gpt-4o", "model_not_found", "does not exist"),
            ("no model after the slash", "openai/", "model_not_found", "does not exist"),
            ("only a slash", "/", "model_not_found", "does not exist"),
            ("an unknown demo", "demo/gpt", "model_not_found", "echo"),
        ]
    ),
    Row(
        "budget spent",
        spent,
        openai.APIStatusError,
        402,
        "budget_exceeded",
        "budget_exceeded",
        says="The budget of the key sk-hm-",
        headers={**FINAL, "retry-after": None},
    ),
    Row(
        "no budget",
        lambda desk: desk.key(max_budget=0),
        openai.APIStatusError,
        402,
        "budget_exceeded",
        "budget_exceeded",
        headers=FINAL,
    ),
    Row("requests per minute", used_up, type="requests", says="requests per minute", headers={"x-should-retry": None}, **LIMITED),
    Row("a prompt", lambda desk: desk.key(tpm_limit=1), type="tokens", says="1 tokens per minute", headers=FINAL, **LIMITED),
    Row("tokens per minute", used_up_tokens, type="tokens", says="tokens per minute", headers={"x-should-retry": None}, **LIMITED),
    Row(
        "none", lambda desk: desk.key(max_parallel_requests=0), type="requests", says="parallel requests", headers=FINAL, **LIMITED
    ),
]


@STREAM
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_refusals(desk: Desk, upstream: FakeUpstream, row: Row, stream: bool):
    upstream.answers(openai_wire.plays_openai())
    key = row.key(desk) if callable(row.key) else row.key
    headers = {} if key else {"authorization": ""}
    seen = len(upstream.calls)
    with pytest.raises(row.error) as raised:
        ask_all(sdk(desk, key or "none", default_headers=headers), row.model, stream=stream)
    error = raised.value
    assert (error.status_code, error.code, error.type, error.param) == (row.status, row.code, row.type, row.param)
    assert error.body.keys() == {"message", "type", "param", "code"} | ({"attempts"} if row.name == "an unknown demo" else set())
    assert row.says in error.body["message"]
    assert {name: error.response.headers.get(name) for name in row.headers} == row.headers
    assert row.status != 429 or row.headers == FINAL or 1 <= int(error.response.headers["retry-after"]) <= MINUTE_S
    assert error.response.headers["x-request-id"]
    assert not key or key not in error.response.text + str(error.response.headers)
    assert PROMPT not in error.response.text
    assert len(upstream.calls) == seen


def test_a_refusal_holds_nothing(desk: Desk, upstream: FakeUpstream):
    key = spent(desk)
    before = desk.info(key)
    for _ in range(3):
        assert desk.chat(key).status_code == 402
    after = desk.info(key)
    assert (after["reserved"], after["parallel_requests"], after["spend"]) == (0, 0, before["spend"])
    assert len(desk.records(key)) == 1


def test_one_at_a_time(desk: Desk, upstream: FakeUpstream):
    """A second request is refused while the first one runs, and passes afterwards."""
    gate, seen = upstream.gate(), len(upstream.calls)
    upstream.answers(Reply.json(200, openai_wire.completion()).after(gate), openai_wire.plays_openai())
    client = sdk(desk, desk.key(max_parallel_requests=1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask_all, client, stream=False)
        upstream.wait_for_calls(seen + 1)
        with pytest.raises(openai.RateLimitError, match="parallel"):
            ask_all(client, stream=False)
        gate.open()
        first.result()
    ask_all(client, stream=False)


def test_a_provider_without_credentials_is_named_with_its_variable(tmp_path):
    """Nothing is configured here, so that only the demo can answer."""
    from haimaker.gateway import Gateway
    from haimaker.http.values import Request
    from haimaker.settings.settings import Settings

    gateway = Gateway.local(Settings.from_environment({"HAIMAKER_HOME": str(tmp_path)}))
    for model, variable in (("groq/llama-3.3-70b-versatile", "GROQ_API_KEY"), ("hosted_vllm/any", "HOSTED_VLLM_BASE_URL")):
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]}).encode()
        response = gateway.handle("chat_completions", Request("r", {"authorization": f"Bearer {ADMIN}"}, body))
        error: JSON = json.loads(response.body)["error"]
        assert (response.status, error["code"], error["param"]) == (404, "provider_not_configured", "model")
        assert variable in error["message"]
    gateway.store.close()


def test_the_log_tells_of_answers_and_refusals(desk: Desk, key: str, upstream: FakeUpstream, log):
    """So that what other tests do not find in it could be there."""
    upstream.answers(openai_wire.plays_openai())
    assert desk.chat(key).status_code == 200
    assert desk.chat(key, "no-such-model").status_code == 404
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["request", "refused"]
    assert (lines[0]["gen_ai.response.model"], lines[1]["error.type"]) == ("gpt-4o-mini", "model_not_found")
