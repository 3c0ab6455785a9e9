"""Requests of hostile clients: at every route, of every key, in every format, with something wrong in most of them."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from haimaker.api.paths import LOCAL_ROUTES, MODEL_OPERATIONS, ROUTES, Route
from haimaker.http import multipart
from haimaker.http.multipart import UploadedFile
from tests.fuzz.values import TEXTS, damaged, dumps, mutated, raw_of
from tests.support import openai_wire, sounds
from tests.wire.case import ROOT, Case

MODELS = (
    "openai/gpt-4o-mini",
    "openai/gpt-5.4",
    "openai/gpt-5.3-codex",
    "anthropic/claude-sonnet-4-5",
    "gemini/gemini-2.5-flash",
    "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere/command-a-03-2025",
    "mistral/mistral-small-latest",
    "groq/llama-3.3-70b-versatile",
    "deepseek/deepseek-chat",
    "xai/grok-4",
    "openrouter/anthropic/claude-sonnet-4.5",
    "hosted_vllm/any",
    "moonshot/kimi-k2.5",
    "demo/echo",
    "nobody/x",
)
"""Of chats in any format: one of each way to call."""
SAME_FORMAT: Mapping[str, tuple[str, ...]] = {
    "messages": ("anthropic/",),
    **dict.fromkeys(("responses", "responses_compact"), ("openai/", "xai/", "openrouter/", "groq/")),
    **dict.fromkeys(("gemini_generate", "gemini_stream"), ("gemini/",)),
    "responses_retrieve": ("",),
}
"""Whose own format a client's is: what these say is passed on as it came."""
SPOKEN = {
    "messages": "messages",
    "responses": "responses",
    "responses_compact": "responses",
    "gemini_generate": "gemini_generate",
    "gemini_stream": "gemini_generate",
}
"""The format of each operation that has one of its own, by the name that adapters know it by."""
LINKED = 0.002
"""Of chats, those with a link to an image: half of them take as long as fetching may, which is ten seconds."""
PICTURE = "data:image/png;base64,AA=="
SOURCE = {"type": "base64", "media_type": "image/png", "data": "AA=="}
CHAT: dict[str, Any] = {
    "model": MODELS[0],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": PICTURE}}]},
        {"role": "assistant", "tool_calls": [openai_wire.tool_call()]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ],
    "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}],
    "max_tokens": 50, "temperature": 0.5, "stop": ["x"], "user": "u", "n": 1, "response_format": {"type": "text"},
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "messages": {
        "model": MODELS[0],
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "source": SOURCE}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Bern"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}]},
        ],
        "tools": [{"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "auto"},
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
    },
    "responses": {
        "model": MODELS[0],
        "max_output_tokens": 50,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": PICTURE}]},
            {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        ],
        "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}],
        "tool_choice": "auto",
        "temperature": 0.5,
        "text": {"format": {"type": "text"}},
        "store": False,
    },
    "completions": {"model": MODELS[0], "prompt": ["a", "b"], "max_tokens": 5},
    "embeddings": {"model": "openai/text-embedding-3-small", "input": ["a", "b"], "encoding_format": "float"},
    "images_generations": {"model": "openai/gpt-image-1", "prompt": "a", "n": 1, "size": "1024x1024", "quality": "low"},
    "audio_speech": {"model": "openai/tts-1", "input": "a", "voice": "alloy"},
    "moderations": {"input": ["a", "b"]},
    "rerank": {"model": "hosted_vllm/any", "query": "q", "documents": ["a", {"text": "b"}]},
    "key_generate": {"max_budget": 1, "models": ["openai/*"], "metadata": {"a": 1}, "duration": "1h", "tags": ["a"]},
    "key_update": {"key": "sk-hm-x", "max_budget": 1},
    "team_change": {"team_id": "t", "max_budget": 1},
    "end_user_change": {"user_id": "u", "max_budget": 1},
    "spend_calculate": {"model": MODELS[0], "messages": [{"role": "user", "content": "a"}]},
    "route_simulate": {"model": MODELS[0], "messages": [{"role": "user", "content": "a"}]},
}
FORMS: dict[str, dict[str, Any]] = {
    "audio_transcriptions": {"model": "openai/whisper-1", "response_format": "json", "language": "en", "temperature": "0"},
    "audio_translations": {"model": "groq/whisper-large-v3", "response_format": "verbose_json", "prompt": "a"},
    "images_edits": {"model": "openai/gpt-image-1", "prompt": "a", "n": "1", "size": "1024x1024"},
    "images_variations": {"model": "openai/dall-e-2", "n": "1", "response_format": "b64_json"},
    "files_create": {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"},
    "uploads_add_part": {},
}
PICTURE_BYTES = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
FILES = {
    **dict.fromkeys(("audio_transcriptions", "audio_translations"), ("file", UploadedFile("a.wav", "audio/wav", sounds.wav(0.1)))),
    **dict.fromkeys(("images_edits", "images_variations"), ("image", UploadedFile("a.png", "image/png", PICTURE_BYTES))),
    "files_create": ("file", UploadedFile("a.jsonl", "application/jsonl", b'{"custom_id":"a","method":"POST","body":{}}\n' * 3)),
    "uploads_add_part": ("data", UploadedFile("upload", "application/octet-stream", b"abcde")),
}
GOOGLE: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {"city": "Bern"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"result": "sunny"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {}}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {"maxOutputTokens": 50, "temperature": 0.5, "stopSequences": ["x"], "responseMimeType": "text/plain"},
}
EMBED = {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"}
BODIES |= {
    "gemini_generate": GOOGLE,
    "gemini_stream": GOOGLE,
    "gemini_count_tokens": {"contents": GOOGLE["contents"]},
    "gemini_embed": EMBED,
    "gemini_batch_embed": {"requests": [{"model": "models/gemini-embedding-001", **EMBED}] * 2},
    "messages_count_tokens": {name: value for name, value in BODIES["messages"].items() if name != "max_tokens"},
    "responses_input_tokens": BODIES["responses"],
    "responses_compact": {"model": MODELS[1], "input": BODIES["responses"]["input"]},
    "auto_router_new": {"name": "r", "models": [MODELS[0], MODELS[2]], "rules": []},
    "uploads_create": {
        "filename": "a.jsonl",
        "purpose": "batch",
        "bytes": 5,
        "mime_type": "application/jsonl",
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    },
    "uploads_complete": {"part_ids": ["part_hm" + "0" * 30], "md5": "0" * 32},
    "audio_uploads": {"name": "a.wav", "content_type": "audio/wav", "size": 5},
    "providers_test": {"provider": "openai"},
    "batches_create": {
        "input_file_id": "file-hm" + "0" * 30,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"a": "b"},
    },
    "messages_batches_create": {"requests": [{"custom_id": "a", "params": BODIES["messages"]}]},
    "key_import": {"keys": [{"key": "sk-hm-import", "max_budget": 1}]},
}
BATCHED = (
    ("chat_completions", "/v1/chat/completions"),
    ("chat_completions", "/v1/chat/completions"),
    ("responses", "/v1/responses"),
    ("embeddings", "/v1/embeddings"),
    ("moderations", "/v1/moderations"),
)
ENDPOINTS = [url for _, url in BATCHED]
TEXT_OPERATIONS = ("chat_completions", "messages", "responses", "gemini_generate", "gemini_stream", "completions")
QUERIES = (
    "after",
    "purpose",
    "limit",
    "cursor",
    "order",
    "start_date",
    "end_date",
    "group_by",
    "key",
    "page",
    "size",
    "id",
    "model",
    "status",
    "tag",
)
VALUES = (*TEXTS, "1", "00001" + "9" * 4_400, "day,model", "tag", "2026-01-01", "2026-11-29T00:00:00Z", "sk-local", "٣", "%00")
SEGMENTS = (
    *(f"{prefix}{'0' * length}" for prefix in ("file-hm", "batch_hm", "upload_hm", "resp_") for length in (30, 1_100, 2_100)),
    *("x", "new", "info", "list", "update", "openai%2Fgpt-4o-mini", "%00", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "é"),
)
MODEL_ROUTES = tuple(route for route in ROUTES if route.operation in MODEL_OPERATIONS and route.operation not in TEXT_OPERATIONS)
TEXT_ROUTES = tuple(route for route in ROUTES if route.operation in TEXT_OPERATIONS and "deployments" not in route.template)
KEPT_ROUTES = tuple(
    route
    for route in (*ROUTES, *LOCAL_ROUTES)
    if route.operation.startswith(("files_", "uploads_", "batches_", "messages_batches_"))
)
RESPONSE, FILE, BATCH, UPLOAD, PART = "resp_", "file-hm", "batch_hm", "upload_hm", "part_hm"
"""How ids begin of what is kept for a key."""
STORED: Mapping[str, str] = {
    **dict.fromkeys(("responses_retrieve", "responses_delete", "responses_cancel", "responses_input_items"), RESPONSE),
    **dict.fromkeys(("files_retrieve", "files_content", "files_delete"), FILE),
    **dict.fromkeys(("batches_retrieve", "batches_cancel"), BATCH),
    **dict.fromkeys(("uploads_add_part", "uploads_complete", "uploads_cancel"), UPLOAD),
    **{f"messages_batches_{what}": BATCH for what in ("retrieve", "delete", "cancel", "results")},
}
"""What operations name in their path."""
GOOD_KEYS = 3
"""How many of the known keys may ask models."""
UNKNOWN_KEYS = ("", "sk-hm-x", "é", "a" * 900)


class Asked(NamedTuple):
    """The bytes of a request, and what it is."""

    data: bytes
    operation: str
    model: str
    """Empty where it was changed to something else."""
    key: int
    """Whose, by its place among the known ones; -1 is nobody's."""
    stored: str
    """The response, file or batch that it names."""
    is_damaged: bool
    """Whether bytes of it were changed, so that it may be no HTTP."""
    has_damaged_form: bool = False
    """Whether bytes of its form were, so that it may say something else than it seems to."""

    @property
    def same_format(self) -> bool:
        """Whether the provider may speak the client's own format."""
        return self.operation in SAME_FORMAT and (not self.model or self.model.startswith(SAME_FORMAT[self.operation]))


def make(random: Random, keys: Sequence[str], links: Sequence[str], seen: Sequence[str], kept: float = 0.1) -> Asked:
    """A request of one of these keys, or of nobody; `seen` are ids of what was kept for some key, `kept` is the part of requests
    for files and batches."""
    share = random.random() - kept
    routes = (
        KEPT_ROUTES if share < 0 else TEXT_ROUTES if share < 0.45 else MODEL_ROUTES if share < 0.7 else (*ROUTES, *LOCAL_ROUTES)
    )
    route = random.choice(routes)
    stored = _seen(random, STORED[route.operation], seen) if route.operation in STORED and random.random() < 0.8 else ""
    model = _model(random, route.operation)
    path = _path(random, route, model, stored)
    content_type, raw, has_damaged_form = "application/json", b"", False
    if route.operation in FORMS:
        content_type, raw, has_damaged_form = _form(random, route.operation, model)
    elif route.method == "POST":
        body = _body(random, route.operation, model, links, seen)
        raw = dumps(body) if random.random() < 0.6 else raw_of(random, body)
        if route.operation in SAME_FORMAT and b'"model": "%b"' % model.encode() not in raw:
            model = ""
    elif route.method == "PUT":
        raw = random.randbytes(random.choice((0, 5, 5_000)))
    if route.method == "GET" and random.random() < 0.7:
        path += "?" + "&".join(f"{random.choice(QUERIES)}={quote_plus(random.choice(VALUES), errors='replace')}" for _ in range(2))
    key = random.randrange(GOOD_KEYS if random.random() < 0.85 else len(keys)) if random.random() < 0.97 else -1
    known = keys[key] if key >= 0 else random.choice(UNKNOWN_KEYS)
    name = random.choice(("authorization: Bearer",) * 4 + ("x-api-key:", "api-key:", "x-goog-api-key:"))
    head = [f"{route.method} /v1{path} HTTP/1.1", "host: localhost", f"{name} {known}", f"content-type: {content_type}"]
    if random.random() < 0.05:
        head.append(random.choice(HEADERS))
    data = "\r\n".join((*head, f"content-length: {len(raw)}", "", "")).encode("latin-1", "replace") + raw
    is_damaged = random.random() < 0.02
    sent = damaged(random, data) if is_damaged else data
    return Asked(sent, route.operation, model, key, stored, is_damaged, has_damaged_form)


HEADERS = (
    "anthropic-version: 2023-06-01",
    "anthropic-beta: a\tb, " + "c" * 500,
    "openai-organization: x\x80y",
    "x-request-timeout: nan",
    "x-stainless-timeout: 1e999",
    "origin: https://evil.example",
    "x-forwarded-for: 127.0.0.1, " + "1," * 500,
    "accept-encoding: " + "gzip," * 500,
    "expect: 100-continue",
    "content-encoding: gzip",
    "range: bytes=0-,0-,0-",
)


def _path(random: Random, route: Route, model: str, stored: str) -> str:
    path = route.template
    if route.operation.startswith("gemini_") and random.random() < 0.8:
        path = path.replace("{id+}", quote_plus(model).replace("%2F", "/"))
    if stored:
        path = path.replace("{id}", stored)
    while "{" in path:
        begin, _, rest = path.partition("{")
        path = begin + random.choice(SEGMENTS) + rest.partition("}")[2]
    action = route.action or ("streamGenerateContent" if route.operation == "gemini_unserved" else "")
    path += f":{action}" if action else ""
    return path + "?alt=sse" if action == "streamGenerateContent" and random.random() < 0.7 else path


def _seen(random: Random, prefix: str, seen: Sequence[str]) -> str:
    """An id of this kind; empty where none was seen."""
    of_kind = [each for each in seen if each.startswith(prefix)]
    return random.choice(of_kind) if of_kind else ""


def _body(random: Random, operation: str, model: str, links: Sequence[str], seen: Sequence[str]) -> Any:
    body: Any = BODIES.get(operation, CHAT if operation == "chat_completions" else {})
    recorded = _recorded().get("chat" if operation == "chat_completions" else operation, ())
    if recorded and random.random() < 0.3:
        body, model = random.choice(recorded)
    if operation in MODEL_OPERATIONS and not operation.startswith("gemini_"):
        body = {**body, "model": model}
    if operation in TEXT_OPERATIONS:
        body = {**body, "stream": random.random() < 0.5} if not operation.startswith("gemini_") else body
        if operation == "responses" and random.random() < 0.4:
            body = {**body, "store": True}
            if random.random() < 0.3 and (earlier := _seen(random, RESPONSE, seen)):
                body["previous_response_id"] = earlier
            if random.random() < 0.2:
                body["background"] = True
        if operation == "chat_completions" and random.random() < 0.01 and (file := _seen(random, FILE, seen)):
            body = {**body, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": file}}]}]}
        if operation == "chat_completions" and links and random.random() < LINKED:
            body = with_link(body, random.choice(links))
    if operation == "batches_create" and random.random() < 0.9 and (file := _seen(random, FILE, seen)):
        body = {**body, "input_file_id": file, "endpoint": random.choice(ENDPOINTS)}
    if operation == "uploads_create":
        body = {**body, "bytes": random.choice((1, 5, 5, 10))}
    if operation == "uploads_complete":
        parts = [each for each in seen if each.startswith(PART)]
        chosen = random.sample(parts[-3:], k=random.randrange(len(parts[-3:]) + 1)) or body["part_ids"]
        body = {"part_ids": chosen, **({"md5": body["md5"]} if random.random() < 0.2 else {})}
    if operation == "messages_batches_create":
        params = {**BODIES["messages"], "model": model, "max_tokens": random.choice((1, 50))}
        body = {"requests": [{"custom_id": f"c{number}", "params": params} for number in range(random.choice((1, 3, 40)))]}
    return body


def with_link(body: dict[str, Any], link: str) -> dict[str, Any]:
    """With an image that the gateway fetches, of a provider that takes them only inside a request."""
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": link}}]
    return {**body, "model": "moonshot/kimi-k2.5", "messages": [{"role": "user", "content": parts}]}


def _form(random: Random, operation: str, model: str) -> tuple[str, bytes, bool]:
    """With its content type, and whether bytes of it were changed."""
    form = {**FORMS[operation], **({"model": model} if operation in MODEL_OPERATIONS else {})}
    fields = form if random.random() < 0.5 else mutated(random, form)
    named = [(name, value) for name, value in fields.items() if isinstance(value, str)] if isinstance(fields, dict) else []
    name, file = FILES[operation]
    if operation == "files_create" and random.random() < 0.8:
        file = UploadedFile("a.jsonl", "application/jsonl", _lines(random))
    if random.random() < 0.2:
        file = UploadedFile(file.name, file.content_type, damaged(random, file.data))
    content_type, raw = multipart.encode(
        [(each, value.encode("utf-8", "replace").decode()) for each, value in named], [(name, file)]
    )
    is_damaged = random.random() < 0.2
    return content_type, damaged(random, raw) if is_damaged else raw, is_damaged


def _lines(random: Random) -> bytes:
    """A file of a batch: most of its lines can be answered."""
    made = []
    for number in range(random.choice((1, 3, 40))):
        operation, url = random.choice(BATCHED)
        body = {**(BODIES | {"chat_completions": CHAT})[operation], "model": _model(random, operation)}
        line: Any = {"custom_id": f"c{number}", "method": "POST", "url": url, "body": body}
        made.append(dumps(line) if random.random() < 0.8 else raw_of(random, line))
    return b"\n".join(made)


def _model(random: Random, operation: str) -> str:
    """Mostly one that serves the operation, of any provider of which something is recorded."""
    if operation in TEXT_OPERATIONS or operation not in MODEL_OPERATIONS:
        return random.choice(MODELS)
    recorded = _recorded().get("embeddings" if operation in ("gemini_embed", "gemini_batch_embed") else operation, ())
    return random.choice(recorded)[1] if recorded and random.random() < 0.9 else random.choice(MODELS)


@cache
def _recorded() -> Mapping[str, tuple[tuple[Any, str], ...]]:
    """By operation, what clients sent in wire cases, and to which model."""
    found: dict[str, tuple[tuple[Any, str], ...]] = {}
    for file in sorted(ROOT.glob("*/*/*/case.json")):
        case = Case(file.parent)
        model, body = f"{case.about['provider']}/{case.about['model']}", case.json("request.json")
        found[case.operation] = (*found.get(case.operation, ()), (body, model))
    return found


def providers() -> list[str]:
    """Those of which something is recorded."""
    return sorted({file.parent.parent.parent.name for file in ROOT.glob("*/*/*/case.json")})
