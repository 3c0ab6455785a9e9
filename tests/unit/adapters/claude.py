"""Requests to Claude, as a client makes them and as Anthropic gets them."""

import json
from typing import Any

from haimaker.adapters.anthropic import chat
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from haimaker.providers.registry import get
from tests.support import vendor_schemas

OLD, SONNET_45, OPUS_46, OPUS_48, OPUS_5, OPUS_55, SONNET_55, FUTURE = (
    "claude-3-5-sonnet-20241022",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-saga-7",
)
HELLO = {"role": "user", "content": "Hello"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}


def attempt(model: str = SONNET_45, **fields: Any) -> Attempt:
    model_info = catalog.find_model("anthropic", model) or ModelInfo.unknown("anthropic", model)
    return Attempt("req-1", 1_700_000_000, get("anthropic"), model, model_info, **fields)


def sent(body: JSON, model: str = SONNET_45, adapter: Any = chat, **fields: Any) -> UpstreamRequest:
    request = parse_chat(dumps({"model": f"anthropic/{model}", "messages": [HELLO], **body}))
    made: UpstreamRequest = adapter.to_upstream(request, attempt(model, **fields))
    return made


def call(body: JSON, model: str = SONNET_45) -> JSON:
    made: JSON = json.loads(sent(body, model).body)
    vendor_schemas.anthropic_types(made)
    return made


def text(content: str) -> JSON:
    return {"type": "text", "text": content}
