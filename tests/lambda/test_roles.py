"""Every function with its role of the template: it may do all that it does, and its role has nothing that it never does.

The front of the stack refuses as IAM does. What a killed function leaves behind, a failing provider, options of the template: each
makes a function do what an ordinary request does not.
"""

import json
import time
from itertools import count

import pytest

from haimaker.accounts import keys as auth
from haimaker.accounts.directory import end_user_account_id
from haimaker.http.values import JSON
from haimaker.store import Account, Reservation
from tests.support.aws_tools import ROOT
from tests.support.reply import Reply
from tests.support.roles import OF_AWS_ITSELF
from tests.support.stack import UPSTREAM_KEY, Stack, chat_event, put_secrets, read

NUMBERS = count(1)
TEAM = "team#killers"
EMBEDDED = {"data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m", "usage": {"prompt_tokens": 1}}
BODIES: dict[str, tuple[str, JSON]] = {
    "chat_completions": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}),
    "completions": ("/v1/completions", {"prompt": "Hi", "max_tokens": 50}),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}),
    "images": ("/v1/images/generations", {"prompt": "A cat"}),
    "audio_transcriptions": ("/v1/audio/transcriptions", {}),
    "audio_speech": ("/v1/audio/speech", {"input": "Hi", "voice": "alloy"}),
    "moderations": ("/v1/moderations", {"input": "Hi"}),
    "rerank": ("/v1/rerank", {"query": "Hi", "documents": ["Hi", "Ho"]}),
}
"""A request of each function that calls models, but for its model."""
MODELS = {
    "chat_completions": ("openai/gpt-4o-mini", ["bedrock/amazon.nova-lite-v1:0"]),
    "completions": ("openai/gpt-4o-mini", ["bedrock/amazon.nova-lite-v1:0"]),
    "embeddings": ("openai/text-embedding-3-small", ["bedrock/amazon.titan-embed-text-v2:0"]),
    "images": ("openai/dall-e-3", ["bedrock/amazon.nova-canvas-v1:0"]),
    "audio_transcriptions": ("openai/whisper-1", []),
    "audio_speech": ("openai/tts-1", ["aws_polly/neural"]),
    "moderations": ("openai/omni-moderation-latest", ["bedrock/guardrail-1"]),
    "rerank": ("voyage/rerank-2.5", ["bedrock/amazon.rerank-v1:0"]),
}
"""A model of an ordinary provider, and those that the role itself pays for."""
FORM = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\n%b\r\n--x\r\ncontent-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nID3\r\n--x--\r\n'


def event(name: str, key: str, model: str, **fields: object) -> JSON:
    path, body = BODIES[name]
    made = chat_event(key) | {"resource": path}
    if name == "audio_transcriptions":
        made["headers"] |= {"content-type": "multipart/form-data; boundary=x"}
        made["body"] = (FORM % model.encode()).decode()
    else:
        made["body"] = json.dumps({"model": model, **body, **fields})
    return made


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


@pytest.mark.parametrize("name", BODIES)
def test_what_a_killed_function_held_of_a_key_and_its_team_is_charged_by_the_next_request(stack, moto, name):
    key, team_id = key_of_a_team(stack)
    leave_hold(stack, auth.account_id_of(key), team_id)
    put_secrets(moto, stack.secrets, {"OPENAI_API_KEY": UPSTREAM_KEY, "VOYAGE_API_KEY": "v-1"})
    function = stack.function(name, VOYAGE_BASE_URL=stack.upstream.url)
    statuses = [read(function.invoke(event(name, key, MODELS[name][0]))).status for _ in range(3)]
    assert 503 not in statuses
    team = stack.store.get(team_id)
    assert team
    assert (team.holds, team.spend_nanousd >= 1_000) == (0, True)


def test_a_target_that_fails_rests_for_every_function(stack, tmp_path):
    """By a Query of the accounts table, beside the request."""
    routes = tmp_path / "gateway.toml"
    routes.write_text('[routes.either]\ntargets = [{model = "openai/gpt-4o-mini"}, {model = "openai/gpt-4.1"}]\n')
    function = stack.function("chat_completions", HAIMAKER_CONFIG=str(routes))
    key = stack.key()
    for _ in range(2):
        read(function.invoke(chat_event(key, model="either")))
    role = stack.role("chat_completions")
    deadline_s = time.monotonic() + 10
    while "Query" not in stack.front.calls and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert "Query" in stack.front.calls
    assert role.refused == []


OPTIONS = {
    "HAIMAKER_USER_BUDGET": "5",
    "HAIMAKER_SIGNED_PROVIDERS": "bedrock,bedrock_invoke,aws_polly",
    "HAIMAKER_CONTENT_BUCKET": "a-bucket",
    "HAIMAKER_FILES_BUCKET": "stack-files",
}
"""As the template sets them with every option on."""


@pytest.mark.parametrize("name", BODIES)
def test_the_role_of_a_function_that_calls_models_has_what_it_does_and_no_more(stack_with_everything, moto, name):
    stack = stack_with_everything
    put_secrets(moto, stack.secrets, {"OPENAI_API_KEY": UPSTREAM_KEY, "VOYAGE_API_KEY": "v-1"})
    put_secrets(moto, f"{stack.secrets}-2", {"GROQ_API_KEY": "gsk-1"})
    addresses = ("BEDROCK_BASE_URL", "AWS_POLLY_BASE_URL", "BEDROCK_RERANK_BASE_URL")
    options = OPTIONS | dict.fromkeys(addresses, stack.front.url) | {"VOYAGE_BASE_URL": stack.upstream.url}
    function = stack.function(name, **options)
    ordinary, signed = MODELS[name]
    key, team_id = key_of_a_team(stack, log_content=True)
    leave_hold(stack, auth.account_id_of(key), team_id)
    for fields in ({"user": f"ada-{team_id}"}, {}):
        read(function.invoke(event(name, key, ordinary, **fields)))
    for model in signed:
        for stream in (False, True):
            read(function.invoke(event(name, key, model, stream=stream)))
    read(function.invoke(event(name, key, "openai/missing")))
    function.wait_for("next", 4 + 2 * len(signed))
    role = stack.role(name)
    assert (role.refused, role.unused()) == ([], set())
