"""The functions as deployed: their answers, their calls of AWS, and what a failing store does. In processes of their own where the
runtime has a part in it, else in this one."""

import json
import re
import runpy
from pathlib import Path

import pytest

from haimaker.accounts import keys as auth
from haimaker.api.paths import ROUTES
from haimaker.aws.client import AWSClient
from haimaker.billing import settlement
from haimaker.credentials import sources
from haimaker.store import Account
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import chunks
from tests.support.reply import Reply
from tests.support.stack import UPSTREAM_KEY, chat_event, put_secrets, read

COST = 4_500
"""Of one answer of the scripted provider, 10 and 5 tokens of gpt-4o-mini, in nano-dollars."""
FUNCTIONS = Path(__file__).parents[2] / "functions"
WARM = ["reserve", "PutItem", "release"]
COLD = ["GetItem", "GetParameters", *WARM, "GetItem"]
"""Of a process's first request; the last after its answer, and then every ten minutes: are there newer prices."""


@pytest.fixture
def function(stack):
    return stack.function("chat_completions")


@pytest.fixture
def loaded(stack):
    """The same, in this process."""
    return stack.load("chat_completions")


@pytest.fixture
def impatient(monkeypatch):
    """All that waits for AWS does so for a fifth of the time."""
    for name in ("timeout_s", "total_timeout_s"):
        monkeypatch.setitem(AWSClient.__init__.__kwdefaults__, name, AWSClient.__init__.__kwdefaults__[name] / 5)
    monkeypatch.setattr(sources, "READ_TIMEOUT_S", sources.READ_TIMEOUT_S / 5)
    monkeypatch.setattr(sources, "THROTTLED_TIMEOUT_S", 1.0)
    monkeypatch.setattr(settlement, "THROTTLED_TIMEOUT_S", settlement.THROTTLED_TIMEOUT_S / 5)


@pytest.fixture
def key(stack):
    return stack.key(budget_nanousd=1_000_000_000)


def served_by(name):
    return runpy.run_path(str(FUNCTIONS / name / "app.py"))["handler"].serves


def test_every_operation_has_its_function(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    served = {
        folder.name: set(served_by(folder.name)) for folder in FUNCTIONS.iterdir() if folder.name not in ("rollup", "batch_worker")
    }
    assert set().union(*served.values()) == {*(route.operation for route in ROUTES), "metrics"}, "which says where they are"
    assert served["chat_completions"] & served["models"] == served["completions"] & served["chat_completions"] == {"health"}
    assert all(operation.startswith(("key_", "team_", "end_user_")) for operation in served["keys"])


@pytest.mark.parametrize("tables", ["stack", "stack_on_dynalite"])
def test_calls_of_aws_per_request(request, tables):
    stack = request.getfixturevalue(tables)
    function, key = stack.load("chat_completions"), stack.key(budget_nanousd=1_000_000_000, rpm_limit=100, tpm_limit=100_000)
    assert stack.front.take() == [], "nothing is read before the first request"
    for number, stream in enumerate((False, False, True)):
        assert function.ask(chat_event(key, stream=stream)).status == 200
        assert stack.front.take() == (WARM if number else COLD)
    second = stack.key()
    assert function.ask(chat_event(second)).status == 200
    assert stack.front.take() == ["GetItem", *WARM]
    assert stack.money(key) == (3 * COST, False, [COST] * 3)


def test_a_whole_answer(stack, function, key):
    answer = read(function.invoke(chat_event(key)))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["choices"][0]["message"]["content"] == "Hello!"
    assert answer.json["usage"]["cost"] == COST / 1e9
    assert stack.store.record(answer.headers["x-request-id"]).cost_nanousd == COST
    assert stack.upstream.calls[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert UPSTREAM_KEY not in function.output()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_completions_have_a_function_of_their_own(stack, key, stream):
    event = chat_event(key, model="demo/echo", prompt=["Hello!", "Bye!"], stream=stream) | {"resource": "/v1/completions"}
    answer = stack.load("completions", HAIMAKER_DEMO="true").ask(event)
    assert answer.status == 200
    assert answer.raw.count(b'"text_completion"') == (6 if stream else 1)
    assert answer.raw.endswith(b"data: [DONE]\n\n") is stream
    assert stack.money(key) == (0, False, [0])
    assert stack.load("completions").ask(chat_event(key)).status == 404


def test_the_log_has_one_line_and_metrics_of_a_request(function, key):
    answer = read(function.invoke(chat_event(key)))
    function.wait_for("next", 2)
    lines = [json.loads(line) for line in function.output().splitlines()]
    (request,) = [line for line in lines if line.get("message") == "request"]
    assert request["request_id"] == answer.headers["x-request-id"]
    assert request["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "operation"]]
    assert (request["Requests"], request["service"], request["ColdStarts"]) == (1, "haimaker", 1)
    assert len(lines) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_content_is_in_the_bucket_before_the_function_is_frozen(stack, stream):
    with FakeUpstream() as s3:
        s3.answers(Reply.raw(200))
        endpoint = s3.url.removesuffix("/v1")
        function = stack.function("chat_completions", HAIMAKER_CONTENT_BUCKET="a-bucket", AWS_ENDPOINT_URL_S3=endpoint)
        answer = read(function.invoke(chat_event(stack.key(log_content=True), stream=stream)))
        function.wait_for("next", 2)
        [call] = s3.calls
        assert read(function.invoke(chat_event(stack.key(), stream=stream))).status == 200
        function.wait_for("next", 3)
        assert len(s3.calls) == 1, "no other key's"
    request_id = answer.headers["x-request-id"]
    assert (call.method, call.path.rsplit("/", 1)[1]) == ("PUT", f"{request_id}.json")
    assert call.json["request"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert call.json["response"]["choices"][0]["message"]["content"] == "Hello!"


def test_a_stream_arrives_piece_by_piece_and_is_settled_before_its_end(stack, function, key):
    gate = stack.upstream.gate()
    first, said, *others = chunks(["Hel", "lo!"], usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
    stack.upstream.answers(Reply.sse([first, said, gate, *others]))
    answer = function.invoke(chat_event(key, stream=True))
    head = answer.head()
    assert (head["statusCode"], head["headers"]["content-type"]) == (200, "text/event-stream; charset=utf-8")
    pieces = answer.chunks()
    assert json.loads(next(pieces).partition(b"\n\n")[0].removeprefix(b"data: "))["choices"] == first["choices"]
    assert stack.money(key) == (0, True, [])
    gate.open()
    rest = b"".join(pieces)
    assert rest.endswith(b"data: [DONE]\n\n")
    assert stack.money(key) == (COST, False, [COST])


def test_one_environment_serves_many_streams_at_once_and_settles_each(stack, key):
    """As Lambda Managed Instances ask for it: as many pollers as the environment may have invocations."""
    many, gate = 64, stack.upstream.gate()
    first, said, *others = chunks(["Hel", "lo!"], usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
    stack.upstream.answers(Reply.sse([first, said, gate, *others]))
    function = stack.function("chat_completions", AWS_LAMBDA_MAX_CONCURRENCY=str(many))
    function.wait_for("next", many)
    streams = [function.invoke(chat_event(key, stream=True)) for _ in range(many)]
    bodies = [stream.chunks() for stream in streams if stream.head()["statusCode"] == 200]
    assert [json.loads(next(body).partition(b"\n\n")[0].removeprefix(b"data: "))["choices"] for body in bodies] == [
        first["choices"]
    ] * many
    assert stack.balance(key).reservations == many
    gate.open()
    assert all(b"".join(body).endswith(b"data: [DONE]\n\n") for body in bodies)
    function.wait_for("next", 2 * many)
    spent, held, costs = stack.money(key)
    assert (spent, held, costs) == (many * COST, False, [COST] * many)


def test_ten_thousand_chunks_arrive_in_order(stack, function, key):
    words = [f"{number} " for number in range(10_000)]
    stack.upstream.answers(Reply.sse(chunks(words)))
    answer = read(function.invoke(chat_event(key, stream=True)))
    events = [json.loads(line[6:]) for line in answer.raw.decode().splitlines() if line.startswith("data: {")]
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events) == "".join(words)
    assert len(events) == 10_002


def test_an_answer_that_nobody_takes_is_given_up_and_settled(stack, function, key):
    stack.upstream.answers(Reply.sse(chunks(["word "] * 5_000), pace_s=0.01))
    function.invoke(chat_event(key, stream=True), breaks_after=5)
    function.wait_for("next", 2)
    spent, held, costs = stack.money(key)
    assert spent > 0
    assert (held, costs) == (False, [spent])
    assert stack.upstream.calls[0].closed_by_client.wait(10)


def test_an_answer_that_takes_too_long_ends_in_time_and_is_settled(stack, function, key):
    stack.upstream.answers(Reply.json(200, {}).after(stack.upstream.gate()))
    answer = read(function.invoke(chat_event(key), lasts_s=6))
    assert (answer.status, answer.code) == (504, "provider_timeout")
    assert answer.headers["x-should-retry"] == "false"
    function.wait_for("next", 2)
    assert not stack.money(key)[1]
    assert stack.front.calls == COLD


@pytest.mark.parametrize(
    ("key", "status", "code", "calls"),
    [
        (None, 401, "missing_api_key", []),
        ("sk-junk", 401, "invalid_api_key", ["GetItem"]),
        ("sk-local", 401, "invalid_api_key", ["GetItem"]),
        ("unknown", 401, "invalid_api_key", ["GetItem"]),
    ],
)
def test_a_key_that_is_none_costs_next_to_nothing(stack, loaded, key, status, code, calls):
    """One of another form is looked for where keys were imported, which an environment asks the store once in a while."""
    event = chat_event(auth.new_key() if key == "unknown" else key or "")
    answer = loaded.ask(event)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["x-request-id"]
    assert stack.front.calls == calls
    if key in ("sk-junk", "sk-local"):
        assert loaded.ask(chat_event(f"{key}-2")).code == code
        assert stack.front.calls == calls
    assert stack.upstream.calls == []


@pytest.mark.parametrize("fault", ["throttled", "failing", "dropped", "lost", "half"])
def test_without_the_providers_secrets_nothing_is_sent_and_the_next_request_reads_them(stack, impatient, loaded, key, fault):
    stack.front.breaks("GetParameters", fault)
    answer = loaded.ask(chat_event(key))
    assert (answer.status, answer.code) == (503, "credentials_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert "reserve" not in stack.front.calls
    stack.front.heals()
    assert loaded.ask(chat_event(key)).status == 200
    assert stack.money(key) == (COST, False, [COST])


def test_the_models_that_have_credentials_are_listed(stack):
    key = stack.key()
    listing = stack.load("models").ask(chat_event(key) | {"resource": "/v1/models", "httpMethod": "GET"})
    names = [model["id"] for model in listing.json["data"]]
    assert "openai/gpt-4o-mini" in names
    assert not [name for name in names if name.startswith(("demo/", "groq/"))]
    assert stack.front.calls == ["GetItem", "GetParameters"]


def test_the_console_needs_nothing_but_its_files(stack):
    function = stack.function("console")
    event = chat_event("") | {"resource": "/console", "httpMethod": "GET"}
    page = function.invoke(event).buffered()
    assert (page["statusCode"], page["headers"]["content-type"]) == (200, "text/html; charset=utf-8")
    version = re.findall(r"console/(\w+)/app.js", page["body"])[0]
    script = function.invoke(event | {"resource": "/console/{file+}", "pathParameters": {"file": f"{version}/app.js"}}).buffered()
    assert (script["statusCode"], script["isBase64Encoded"]) == (200, False)
    assert script["headers"]["content-security-policy"] == page["headers"]["content-security-policy"]
    assert "immutable" in script["headers"]["cache-control"]
    assert stack.front.calls == []


def test_keys_are_issued_without_the_providers_secrets(stack):
    admin = auth.new_key()
    assert stack.store.put(Account(auth.account_id_of(admin), "sk-hm-admin", 1, role="admin"))
    function = stack.load("keys")
    stack.front.breaks("GetParameters", "failing")

    def ask(key, method, resource, body=None):
        event = chat_event(key) | {"resource": resource, "httpMethod": method, "body": json.dumps(body or {})}
        answer = function.ask(event)
        return answer.status, answer.json

    status, issued = ask(admin, "POST", "/key/generate", {"max_budget": 1})
    assert status == 200
    assert ask(issued["key"], "GET", "/key/info")[1]["info"]["max_budget"] == 1
    assert ask(issued["key"], "POST", "/key/generate")[0] == 403
    assert ask(admin, "GET", "/key/list")[0] == 200
    assert "GetParameters" not in stack.front.calls


@pytest.mark.parametrize(
    ("call", "fault", "status"),
    [
        ("GetItem", "throttled", 429),
        ("GetItem", "failing", 503),
        ("GetItem", "half", 503),
        ("GetItem", "slow", 503),
        ("reserve", "throttled", 429),
        ("reserve", "failing", 503),
        ("reserve", "dropped", 503),
        ("reserve", "lost", 503),
        ("reserve", "half", 503),
        ("reserve", "slow", 503),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_store_that_fails_before_lets_nothing_through(stack, impatient, loaded, key, call, fault, status, stream):
    stack.front.breaks(call, fault)
    answer = loaded.ask(chat_event(key, stream=stream))
    assert answer.status == status
    assert answer.json["error"]["type"] == ("requests" if status == 429 else "server_error")
    assert int(answer.headers["retry-after"]) > 0
    assert stack.upstream.calls == []
    spent, held, costs = stack.money(key)
    assert (spent, held, costs) == (0, False, [])


@pytest.mark.parametrize("call", ["PutItem", "release"])
@pytest.mark.parametrize("fault", ["throttled", "failing", "dropped", "lost", "half"])
@pytest.mark.parametrize("times", [1, 1_000], ids=["once", "always"])
def test_a_store_that_fails_after_charges_once_or_leaves_the_hold(stack, impatient, loaded, key, call, fault, times):
    """An answer that could not be settled is charged as lost when its hold's deadline has passed: never free."""
    stack.front.breaks(call, fault, times)
    answer = loaded.ask(chat_event(key))
    assert answer.status == 200
    spent, held, costs = stack.money(key)
    assert spent in (0, COST)
    assert held is (spent == 0)
    assert costs in ([], [COST])
    if times == 1:
        assert (spent, held, costs) == (COST, False, [COST])
    stack.front.heals()
    assert loaded.ask(chat_event(key)).status == 200
    assert stack.money(key)[0] == spent + COST
    if held:
        assert stack.store.charge_lost(auth.account_id_of(key), now_s=10**10) == 1
        assert not stack.money(key)[1]
        assert stack.money(key)[0] > COST
        assert stack.store.charge_lost(auth.account_id_of(key), now_s=10**10) == 0


@pytest.mark.parametrize("call", ["PutItem", "release"])
def test_what_was_admitted_is_settled_by_a_table_that_refuses_for_long(stack, impatient, loaded, key, call):
    """Longer than an admission waits: a table that is too busy for new requests must not leave the holds of old ones."""
    stack.front.breaks(call, "throttled", 10)
    answer = loaded.ask(chat_event(key))
    assert answer.status == 200
    assert stack.front.calls.count(call) >= 11
    assert stack.money(key) == (COST, False, [COST])


def test_an_unreachable_store_is_503(stack, key):
    answer = stack.load("chat_completions", AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:9").ask(chat_event(key))
    assert (answer.status, answer.code) == (503, "store_unavailable")
    assert stack.upstream.calls == []


def test_a_second_parameter_adds_to_the_first(stack, moto, key):
    put_secrets(moto, stack.secrets, {"GROQ_API_KEY": "gsk-1"})
    put_secrets(moto, f"{stack.secrets}-2", {"OPENAI_API_KEY": UPSTREAM_KEY})
    assert stack.load("chat_completions").ask(chat_event(key)).status == 200


def test_without_a_parameter_the_secrets_are_those_of_the_environment(stack, key):
    function = stack.load("chat_completions", HAIMAKER_PROVIDERS_PARAMETER="", OPENAI_API_KEY=UPSTREAM_KEY)
    assert function.ask(chat_event(key)).status == 200
    assert "GetParameters" not in stack.front.calls


@pytest.mark.parametrize("missing", ["HAIMAKER_ACCOUNTS_TABLE", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_a_function_that_is_set_up_wrongly_says_so_at_its_start(stack, missing):
    function = stack.function("chat_completions", **{missing: ""})
    function.wait_for("init/error")
    assert function.init_error["errorType"] == "SettingsError"
    assert missing in function.init_error["errorMessage"]
