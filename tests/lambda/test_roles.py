"""Every function with its role of the template: it may do all that it does, and its role has nothing that it never does.

The front of the stack refuses as IAM does. What a killed function leaves behind, a failing provider, options of the template: each
makes a function do what an ordinary request does not.
"""

import base64
import json
import re
import time
import urllib.request
from itertools import count
from urllib.parse import quote

import pytest

from haimaker.accounts import keys as auth
from haimaker.aws_lambda.runtime import Context
from haimaker.http.values import JSON
from haimaker.store import Account, Reservation
from haimaker.stored_files import ID_PREFIX, FileDescription, StoredFiles, new_id
from tests.support.openai_wire import plays_openai
from tests.support.reply import Reply
from tests.support.roles import ACCOUNT, REGION
from tests.support.sounds import mp3
from tests.support.stack import TABLES, UPSTREAM_KEY, Stack, chat_event, put_secrets

NUMBERS = count(1)
TEAM = "team#killers"
EMBEDDED = {"data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m", "usage": {"prompt_tokens": 1}}
BODIES: dict[str, tuple[str, JSON]] = {
    "chat_completions": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}),
    "completions": ("/v1/completions", {"prompt": "Hi", "max_tokens": 50}),
    "responses": ("/v1/responses", {"input": "Hi", "max_output_tokens": 50}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}),
    "images": ("/v1/images/generations", {"prompt": "A cat"}),
    "audio_transcriptions": ("/v1/audio/transcriptions", {}),
    "audio_speech": ("/v1/audio/speech", {"input": "Hi", "voice": "alloy"}),
    "moderations": ("/v1/moderations", {"input": "Hi"}),
    "gemini": ("/v1beta/models/{id+}", {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 50}}),
    "rerank": ("/v1/rerank", {"query": "Hi", "documents": ["Hi", "Ho"]}),
}
"""A request of each function that calls models, but for its model."""
OTHERS = {"audio_transcriptions": "openai/gpt-4o-mini-transcribe"}
OWN_PROFILE = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/abcdefgh1234"
PROFILES = ["bedrock/us.amazon.nova-lite-v1:0", f"bedrock/{OWN_PROFILE}"]
MODELS = {
    "chat_completions": ("openai/gpt-4o-mini", PROFILES),
    "completions": ("openai/gpt-4o-mini", PROFILES),
    "responses": ("openai/gpt-4o-mini", PROFILES),
    "messages": ("openai/gpt-4o-mini", PROFILES),
    "embeddings": ("openai/text-embedding-3-small", ["bedrock/amazon.titan-embed-text-v2:0", "bedrock/us.cohere.embed-v4:0"]),
    "images": ("openai/dall-e-3", ["bedrock/amazon.nova-canvas-v1:0"]),
    "audio_transcriptions": ("openai/whisper-1", []),
    "audio_speech": ("openai/tts-1", ["aws_polly/neural"]),
    "moderations": ("openai/omni-moderation-latest", ["bedrock/guardrail-1"]),
    "gemini": ("openai/gpt-4o-mini", PROFILES),
    "rerank": ("voyage/rerank-2.5", ["bedrock/amazon.rerank-v1:0"]),
}
"""A model of an ordinary provider, and those that the role itself pays for."""
OBJECTS: dict[str, bytes] = {}
EVENTS: list[JSON] = []
"""That a function sent itself."""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def form(model: str, upload_id: str = "", user: str = "ada", **_: object) -> JSON:
    """A body that asks for the text of a sound, or of one that was put aside before."""
    field = b'file_id"\r\n\r\n' + upload_id.encode() if upload_id else b'file"; filename="a.mp3"\r\n\r\n' + mp3()
    texts = (
        f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in (("model", model), ("user", user))
    )
    body = "".join(texts).encode() + b'--x\r\ncontent-disposition: form-data; name="' + field + b"\r\n--x--\r\n"
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def event(name: str, key: str, model: str, **fields: object) -> JSON:
    path, body = BODIES[name]
    made = chat_event(key) | {"resource": path}
    if name == "audio_transcriptions":
        made["headers"] |= {"content-type": "multipart/form-data; boundary=x"}
        made |= form(model, **fields)
    elif path.endswith("{id+}"):
        action = "streamGenerateContent" if fields.pop("stream", False) else "generateContent"
        made |= {"pathParameters": {"id": quote(f"{model}:{action}", safe="")}, "body": json.dumps({**body, **fields})}
    else:
        made["body"] = json.dumps({"model": model, **body, **fields})
    return made


def plays_everything(call):
    """Each operation in OpenAI's format; of S3, that it took an object."""
    if call.path.endswith("/transcriptions"):
        return Reply.json(200, {"text": "Hi", "usage": {"type": "duration", "seconds": 1}})
    if call.path.endswith("/responses"):
        said = {"id": "rs_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
        used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return Reply.json(200, {"id": "resp_1", "object": "response", "status": "completed", "output": [said], "usage": used})
    if call.path.startswith("/2015-03-31/functions/"):
        EVENTS.append(call.json)
        return Reply.raw(202)
    if "/responses/" in call.path or call.path.startswith("/stack-files/files/"):
        return plays_s3(call)
    if "/images/" in call.path:
        return Reply.json(200, {"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}]})
    if call.method != "POST":
        return Reply.raw(200, mp3())
    return plays_openai()(call)


def plays_s3(call):
    if call.method == "PUT":
        OBJECTS[call.path] = call.body
    found = OBJECTS.pop(call.path, None) if call.method == "DELETE" else OBJECTS.get(call.path)
    return Reply.raw(404) if found is None and call.method == "GET" else Reply.raw(200, found or b"")


PARTS_WITH_FILES = {
    "chat_completions": lambda file_id: {
        "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": file_id}}]}]
    },
    "messages": lambda file_id: {
        "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": file_id}}]}]
    },
    "responses": lambda file_id: {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": file_id}]}]},
}
"""How a request names a file, of the functions that may read them."""


def keep_file(stack: Stack, team_id: str) -> str:
    """A file of a team's."""
    files = StoredFiles(stack.store.documents, None)
    file_id = new_id(ID_PREFIX, time.time())
    OBJECTS[f"/stack-files/files/{file_id}"] = b"%PDF-1.7"
    return files.add(file_id, 8, team_id, FileDescription("a.pdf", "user_data"), time.time()).id


def leave_hold(stack: Stack, *account_ids: str) -> None:
    """What a function leaves that was killed: holds that nobody settles, whose deadlines have passed."""
    request_id, billed = f"killed-{next(NUMBERS)}", account_ids if len(account_ids) > 1 else ()
    for account_id in account_ids:
        reservation = Reservation(request_id, account_id, 1, 1_000, 0, time.time() - 2_000, int(time.time()) - 1_000, billed)
        assert stack.store.reserve(reservation)


def key_of_a_team(stack: Stack, **fields: object) -> tuple[str, str]:
    team_id = f"team#{next(NUMBERS)}-{time.time()}"
    assert stack.store.put(Account(team_id, "team", 1))
    return stack.key(team_id=team_id.removeprefix("team#"), **fields), team_id


def split_key(stack: Stack, **fields: object) -> str:
    """A key whose account is in two parts, since it was asked for more often than one item bears."""
    key = stack.key(**fields)
    stack.store.shards.grow(auth.account_id_of(key))
    return key


def wait_for_query(stack: Stack) -> None:
    deadline_s = time.monotonic() + 10
    while "Query" not in stack.front.calls and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert "Query" in stack.front.calls


def test_a_target_that_fails_rests_for_every_function(stack, tmp_path):
    """By a Query of the accounts table, beside the request."""
    routes = tmp_path / "gateway.toml"
    routes.write_text('[routes.either]\ntargets = [{model = "openai/gpt-4o-mini"}, {model = "openai/gpt-4.1"}]\n')
    function = stack.load("chat_completions", HAIMAKER_CONFIG=str(routes))
    key = stack.key()
    for _ in range(2):
        function.ask(chat_event(key, model="either"))
    wait_for_query(stack)
    assert stack.role("chat_completions").refused == []


OPTIONS = {
    "HAIMAKER_USER_BUDGET": "5",
    "HAIMAKER_SIGNED_PROVIDERS": "bedrock,bedrock_invoke,aws_polly",
    "HAIMAKER_CONTENT_BUCKET": "a-bucket",
    "HAIMAKER_FILES_BUCKET": "stack-files",
}
"""As the template sets them with every option on."""


@pytest.mark.parametrize("name", BODIES)
def test_the_role_of_a_function_that_calls_models_has_what_it_does_and_no_more(stack_with_everything, moto, tmp_path, name):
    """It charges what a killed function held of its key and that one's team, too."""
    stack = stack_with_everything
    stack.upstream.answers(plays_everything)
    ordinary, signed = MODELS[name]
    routes = tmp_path / "gateway.toml"
    routes.write_text(f'[routes.either]\ntargets = [{{model = "{ordinary}"}}, {{model = "{OTHERS.get(name, ordinary + "-2")}"}}]\n')
    put_secrets(moto, stack.secrets, {"OPENAI_API_KEY": UPSTREAM_KEY, "VOYAGE_API_KEY": "v-1", "CEREBRAS_API_KEY": "c-1"})
    put_secrets(moto, f"{stack.secrets}-2", {"GROQ_API_KEY": "gsk-1"})
    addresses = dict.fromkeys(("BEDROCK_BASE_URL", "AWS_POLLY_BASE_URL"), stack.front.url)
    addresses |= dict.fromkeys(("VOYAGE_BASE_URL", "CEREBRAS_BASE_URL"), stack.upstream.url)
    function = stack.load(name, **OPTIONS, **addresses, HAIMAKER_CONFIG=str(routes))
    key, team_id = key_of_a_team(stack, log_content=True)
    leave_hold(stack, auth.account_id_of(key), team_id)
    asked = [event(name, split_key(stack), ordinary), event(name, key, ordinary, user=f"ada-{team_id}"), event(name, key, "either")]
    asked += [event(name, key, model, stream=stream) for model in signed for stream in (False, True)]
    if name in PARTS_WITH_FILES:
        asked.append(event(name, key, ordinary, **PARTS_WITH_FILES[name](keep_file(stack, team_id))))
    if name == "responses":
        asked.append(event(name, key, ordinary, input=[{"type": "item_reference", "id": "rs_1"}]))
        asked.append(event(name, key, "cerebras/any"))
        asked.append(event(name, key, "cerebras/any", background=True))
    if name == "images":
        asked.append(event(name, key, ordinary, response_format="url"))
    if name == "audio_transcriptions":
        asked.append(chat_event(key) | {"resource": "/v1/audio/uploads"})
    answers = [function.ask(one) for one in asked]
    for link in re.findall(rb'"url": ?"(http[^"]+)"', answers[-1].raw):
        method = "PUT" if name == "audio_transcriptions" else "GET"
        urllib.request.urlopen(urllib.request.Request(link.decode(), b"" if method == "PUT" else None, method=method)).close()
    if name == "responses":
        queued = answers[-1].json
        for _ in range(2):  # an event may come twice
            function.handler(EVENTS[-1], Context("invocation-2", "", int((time.time() + 900) * 1000)))
        for method, ends in (("GET", ("queued", "completed")), ("DELETE", (True,))):
            stored = {"resource": "/v1/responses/{id}", "pathParameters": {"id": queued["id"]}, "body": None, "httpMethod": method}
            answers.append(function.ask(chat_event(key) | stored))
            assert (queued.get("status"), answers[-1].json.get("status")) == ends or answers[-1].json["deleted"]
        assert function.handler({"background": "*"}, Context("invocation-3", "", 10**15)) == {"settled": 0}
        assert stack.balance(key).held_nanousd == 0
    if name == "audio_transcriptions":
        asked.append(event(name, key, ordinary) | form(ordinary, answers[-1].json["id"]))
        answers.append(function.ask(asked[-1]))
    wait_for_query(stack)
    team = stack.store.get(team_id)
    assert team
    assert (team.reservations, team.spend_nanousd >= 1_000, 503 in {answer.status for answer in answers}) == (0, True, False)
    role = stack.role(name)
    assert role.refused == [], answers
    assert role.unused() == set(), [answer.raw[:300] for answer in answers]


TODAY = time.strftime("%Y-%m-%d", time.gmtime())
RULE = {"name": "code", "model": "openai/gpt-4.1", "examples": ["fix this"]}
ROUTER = {"rules": [RULE], "embedding_model": "openai/text-embedding-3-small", "default_model": "openai/gpt-4o-mini"}
BOOKS: dict[str, list[tuple[str, str, JSON]]] = {
    "models": [("GET", "/v1/models", {})],
    "keys": [
        ("POST", "/key/generate", {"max_budget": 1}),
        ("GET", "/key/list", {}),
        ("POST", "/team/{action}", {"action": "new", "team_id": "blue"}),
        ("POST", "/team/{action}", {"action": "update", "team_id": "blue", "max_budget": 2}),
        ("POST", "/team/{action}", {"action": "delete", "team_ids": ["blue"]}),
    ],
    "spend": [
        ("GET", "/spend/logs", {"start_date": TODAY}),
        ("GET", "/spend/logs", {"api_key": "{key}"}),
        ("GET", "/spend/report", {}),
        ("GET", "/spend/keys", {}),
        ("GET", "/generation", {"id": "killed"}),
    ],
    "routing": [
        ("POST", "/auto-router/new", ROUTER),
        ("GET", "/auto-router/list", {}),
        ("POST", "/auto-router/{id}/simulate", {"id": "{id}", "prompt": "fix it"}),
        ("POST", "/auto-router/{id}/delete", {"id": "{id}"}),
        ("GET", "/providers", {}),
        ("POST", "/providers/credentials", {"variable": "GROQ_API_KEY", "value": "gsk-1"}),
        ("POST", "/providers/credentials", {"variable": "CEREBRAS_API_KEY", "value": "c" * 4_050}),
    ],
    "console": [("GET", "/console", {})],
}
"""What administrators ask of the other functions: method, resource, and the fields that go into path, query or body."""


@pytest.mark.parametrize("name", BOOKS)
def test_the_role_of_a_function_that_keeps_the_books_has_what_it_does_and_no_more(stack, name):
    key, team_id = key_of_a_team(stack, role="admin")
    leave_hold(stack, auth.account_id_of(key))
    assert stack.store.charge_lost(auth.account_id_of(key), time.time()) == 1
    leave_hold(stack, auth.account_id_of(key), team_id)
    function, router_id, answers = stack.load(name, HAIMAKER_RECORDS_BY_DAY="true", HAIMAKER_TAKES_CREDENTIALS="true"), "", []
    if name != "console":  # it knows no keys
        method, resource, given = BOOKS[name][0]
        other = chat_event(split_key(stack, role="admin")) | {"resource": resource, "httpMethod": method, "body": json.dumps(given)}
        function.ask(other)
    for method, resource, given in BOOKS[name]:
        fields = {field: value.format(key=key, id=router_id) if isinstance(value, str) else value for field, value in given.items()}
        path = {field: fields[field] for field in re.findall(r"{(\w+)}", resource)}
        asked = chat_event(key) | {
            "resource": resource,
            "httpMethod": method,
            "pathParameters": path,
            "body": json.dumps({n: v for n, v in fields.items() if n not in path}),
        }
        if method == "GET":
            asked |= {"queryStringParameters": fields, "multiValueQueryStringParameters": {n: [v] for n, v in fields.items()}}
        answers.append(function.ask(asked))
        router_id = router_id or (method == "POST" and answers[-1].json.get("auto_router_id")) or ""
    role = stack.role(name)
    assert role.refused == [], answers
    assert role.unused() == set(), [(answer.status, answer.raw[:300]) for answer in answers]


def test_the_role_of_the_totals_has_what_it_does_and_no_more(stack):
    image = {"id": {"S": "r1"}, "account": {"S": "key#1"}, "started_s": {"N": "1790000000"}, "status": {"S": "ok"}}
    image |= {"cost_nanousd": {"N": "7"}, "detail": {"S": json.dumps({"model": "gpt-4o", "provider": "openai", "tags": []})}}
    stack.store.dynamo.call("PutItem", {"TableName": TABLES["records"], "Item": image})
    function = stack.function("rollup")
    function.invoke({"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": image}}]}).buffered()
    role = stack.role("rollup")
    assert (role.refused, role.unused(), stack.front.calls) == ([], set(), ["TransactWriteItems"])
