"""Values that many tests start from: each has the least that is valid, and a test names what it is about."""

import json
from typing import Any

from haimaker.billing.settlement import AttemptLog, Settlement, Status
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest, parse_chat
from haimaker.operations.completions import CompletionRequest, parse_completion
from haimaker.operations.operation import UpstreamBody
from haimaker.pricing.usage import Usage
from haimaker.providers.provider import Dialect, MessageRules, Provider
from haimaker.providers.registry import definition_for, get
from haimaker.store import Account, Record, Reservation, Settled

MESSAGES = [{"role": "user", "content": "Hi"}]
NOW_S = 1_700_000_000


def chat_body(**fields: Any) -> JSON:
    return {"model": "openai/gpt-4o-mini", "messages": MESSAGES, **fields}


def chat_request(**fields: Any) -> ChatRequest:
    return parse_chat(json.dumps(chat_body(**fields), ensure_ascii=False).encode())


def completion_request(**fields: Any) -> CompletionRequest:
    body = {"model": "openai/davinci-002", "prompt": "Hi", **fields}
    return parse_completion(json.dumps(body, ensure_ascii=False).encode())


def model_info_for(target: str) -> ModelInfo:
    name, _, model = target.partition("/")
    return find_model(name, model) or ModelInfo.unknown(name, model)


def attempt(target: str = "openai/gpt-4o-mini", *, provider: Provider | None = None, **over: Any) -> Attempt:
    name, _, model = target.partition("/")
    fields: dict[str, Any] = {"model_info": model_info_for(target), **over}
    return Attempt("req-1", NOW_S, provider or definition_for(get(name), model), model, **fields)


def in_dialect(**fields: Any) -> Provider:
    """A provider with these fields in its dialect, or in its rules for messages."""
    rules = {name: fields.pop(name) for name in tuple(fields) if name in MessageRules.__dataclass_fields__}
    return Provider("acme", dialect=Dialect(**fields, messages=MessageRules(**rules)))


def account(**over: Any) -> Account:
    return Account(**{"id": "key#" + "0" * 64, "name": "sk-hm-abcd...wxyz", "created_s": NOW_S, **over})


def request(body: Any = None, **over: Any) -> Request:
    return Request("req-1", body=b"" if body is None else json.dumps(body).encode(), **over)


class Forgetful:
    """A store for records that nobody reads again."""

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled:
        return Settled()


ASKED = {
    "operation": "chat",
    "asked_model": "fast",
    "stream": True,
    "user": "u",
    "key_name": "sk-hm-a...z",
    "key_alias": None,
    "tags": [],
}


def record(status: Status = "ok", error: APIError | None = None, *, target: str = "openai/gpt-4o-mini") -> Record:
    """Of a stream that a second target served."""
    used = Usage(input=10, cached=3, cache_write_5m=2, output=5, reasoning=4)
    attempt_logs = [
        AttemptLog(attempt("groq/llama-3.3-70b-versatile"), 1.0, 503),
        AttemptLog(attempt(target), 1.5, 200, first_byte_ms=40, tokens=used),
    ]
    reservation = Reservation("req-1", "key#1", 1, 10**9, 0, 1.0, 2)
    settlement = Settlement(Forgetful(), reservation, ASKED, 1.0, attempt_logs)  # type: ignore[arg-type]
    settlement.first_chunk_s, settlement.first_token_s = 1.55, 1.6
    return settlement.settle(status, 2.0, error)


def result_of(adapter: Any, body: Any, attempt: Attempt, request: Any = None) -> Any:
    """What a chat adapter makes of a provider's 2xx answer."""
    return adapter.from_upstream(UpstreamBody({}, json.dumps(body).encode()), request or chat_request(), attempt).body
