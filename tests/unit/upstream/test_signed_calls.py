"""Calls that are signed, not keyed: whole and streamed through the path of a request, their signatures checked with botocore."""

import datetime
import json
import time
from collections.abc import Mapping
from types import ModuleType

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import Credentials
from haimaker.billing.settlement import AttemptLog
from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.credentials.headers import auth_headers
from haimaker.http.client import CancelToken, HTTPClient
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import JSON, Request, UpstreamRequest
from haimaker.operations import moderations, rerank, speech
from haimaker.operations.operation import ByteStream, EventStream, Result
from haimaker.pricing.usage import Usage
from haimaker.providers.registry import definition_for, get
from haimaker.routing.health import Health
from haimaker.upstream.call import UpstreamCall
from haimaker.upstream.clients import ProviderClients
from tests.support import event_messages
from tests.support.builders import attempt, chat_request
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "session/+="}
MODELS = ["anthropic.claude-3-haiku-20240307-v1:0", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x"]
SAID = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Grüezi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
}
STREAMED = event_messages.stream(
    [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüezi"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": SAID["usage"]}),
    ]
)


def signature_of(call: Call, credentials: Credentials, monkeypatch: pytest.MonkeyPatch, service: str = "bedrock") -> str:
    """What botocore would send for what arrived."""
    then = datetime.datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: then)
    headers = {"content-type": call.headers["content-type"]}
    request = botocore.awsrequest.AWSRequest(call.method, f"http://{call.headers['host']}{call.path}", headers, call.body)
    known = botocore.credentials.Credentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    botocore.auth.SigV4Auth(known, service, "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


def said(upstream: FakeUpstream, env: Mapping[str, str], model: str, *, stream: bool) -> str:
    """The text that comes back; the provider is reached as the environment says."""
    streamed = Reply.raw(200, STREAMED, {"content-type": "application/vnd.amazon.eventstream"})
    upstream.answers(streamed if stream else Reply.json(200, SAID))
    access = connections_from_env({"AWS_REGION": "eu-west-1", "BEDROCK_BASE_URL": upstream.url.removesuffix("/v1"), **env})
    clients = ProviderClients(HTTPClient(), access, Health())
    request = chat_request(model=f"bedrock/{model}", stream=stream, messages=[{"role": "user", "content": "Grüß Gott"}])
    upstream_call = UpstreamCall(clients, request, {}, time.monotonic() + 30, CancelToken())
    attempt_log = AttemptLog(attempt(f"bedrock/{model}"), time.time())
    opened = upstream_call.open(attempt_log)
    if isinstance(opened, Result):
        return str(opened.body["choices"][0]["message"]["content"])
    assert isinstance(opened, EventStream)
    choices = [choice for chunk in opened.events for choice in chunk.body["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_a_upstream_callis_signed_as_botocore_signs_it(model: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream() as upstream:
        assert said(upstream, KEYS, model, stream=stream) == "Grüezi"
        (call,) = upstream.calls
        assert call.headers["authorization"] == signature_of(call, Credentials(*KEYS.values()), monkeypatch)
        assert call.headers["x-amz-security-token"] == KEYS["AWS_SESSION_TOKEN"]


@pytest.mark.parametrize(
    ("module", "fields", "model", "path", "reply"),
    [
        (rerank, {"query": "q", "documents": ["a"]}, "m", "/rerank", {"results": [{"index": 0, "relevanceScore": 0.5}]}),
        (moderations, {"input": "a"}, "guardrail/g:1", "/guardrail/g/version/1/apply", {"action": "NONE", "assessments": []}),
    ],
)
def test_what_bedrock_does_besides_is_signed_for_it(
    module: ModuleType, fields: JSON, model: str, path: str, reply: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeUpstream() as upstream:
        upstream.answers(Reply.json(200, reply))
        access = connections_from_env({"AWS_REGION": "eu-west-1", "BEDROCK_BASE_URL": upstream.url.removesuffix("/v1"), **KEYS})
        asked = module.parse(Request("r", body=json.dumps({"model": f"bedrock/{model}", **fields}).encode()))
        upstream_call = UpstreamCall(
            ProviderClients(HTTPClient(), access, Health()), asked, {}, time.monotonic() + 30, CancelToken()
        )
        row = definition_for(get("bedrock"), model, asked.operation)
        assert isinstance(upstream_call.open(AttemptLog(attempt(f"bedrock/{model}", provider=row), time.time())), Result)
        (call,) = upstream.calls
        assert call.path == path
        assert call.headers["authorization"] == signature_of(call, Credentials(*KEYS.values()), monkeypatch)
        assert module is not rerank or b"arn:aws:bedrock:eu-west-1::foundation-model/m" in call.body


def test_polly_is_called_with_a_signature_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream() as upstream:
        upstream.answers(Reply.raw(200, b"ID3", {"content-type": "audio/mpeg", "x-amzn-RequestCharacters": "2"}))
        access = connections_from_env({"AWS_REGION": "eu-west-1", "AWS_POLLY_BASE_URL": upstream.url.removesuffix("/v1"), **KEYS})
        body = b'{"model": "aws_polly/neural", "input": "Hi", "voice": "alloy"}'
        clients = ProviderClients(HTTPClient(), access, Health())
        upstream_call = UpstreamCall(clients, speech.parse(Request("r", body=body)), {}, time.monotonic() + 30, CancelToken())
        row = definition_for(get("aws_polly"), "neural", "audio_speech")
        attempt_log = AttemptLog(attempt("aws_polly/neural", provider=row), time.time())
        opened = upstream_call.open(attempt_log)
        assert isinstance(opened, ByteStream)
        assert list(opened.pieces) == [b"ID3"]
        assert attempt_log.tokens == Usage(characters=2)
        (call,) = upstream.calls
        assert call.path == "/v1/speech"
        assert call.headers["authorization"] == signature_of(call, Credentials(*KEYS.values()), monkeypatch, "polly")


def test_a_upstream_callis_signed_with_what_a_role_hands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=6)
    document = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "t", "Expiration": expires.isoformat()}
    with FakeUpstream() as upstream, FakeUpstream() as role:
        role.answers(Reply.json(200, document))
        env = {"HAIMAKER_SIGNED_PROVIDERS": "bedrock", "AWS_CONTAINER_CREDENTIALS_FULL_URI": role.url}
        for _ in range(2):
            assert said(upstream, env, MODELS[0], stream=False) == "Grüezi"
        for call in upstream.calls:
            assert call.headers["authorization"] == signature_of(call, Credentials("ASIA1", "s", "t"), monkeypatch)
        assert len(role.calls) == 1


def test_a_key_goes_before_a_signature() -> None:
    with FakeUpstream() as upstream:
        assert said(upstream, {**KEYS, "AWS_BEARER_TOKEN_BEDROCK": "bedrock-key"}, MODELS[0], stream=False) == "Grüezi"
        assert upstream.calls[0].headers["authorization"] == "Bearer bedrock-key"
        assert "x-amz-date" not in upstream.calls[0].headers


class Nothing:
    def current(self) -> Credentials:
        raise AWSError("credentials", "none of http://10.0.0.1")


def test_without_credentials_another_target_may_answer() -> None:
    access = ProviderConnection("http://127.0.0.1:1", credentials=Nothing(), region="eu-west-1")
    with pytest.raises(ServiceUnavailableError) as raised:
        auth_headers(definition_for(get("bedrock"), "m"), access, UpstreamRequest("/x", b"", {}), 0)
    assert (raised.value.code, raised.value.headers) == ("credentials_unavailable", {"retry-after": "5"})
    assert "10.0.0.1" not in str(raised.value)
