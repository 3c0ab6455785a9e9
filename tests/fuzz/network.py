"""Hostile clients at every route of a gateway in a process of its own, and a hostile provider behind it.

After each request: a status that is no defect of ours, an end in time, JSON and events that JavaScript and the official SDK read.
At the end: nothing is held, what was spent is what the records say, and threads and memory are back to where they were.
"""

import base64
import gzip
import http.client
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

from bench.servers import Server
from haimaker.api.paths import LOCAL_ROUTES, ROUTES
from haimaker.http import multipart
from haimaker.http.multipart import UploadedFile
from haimaker.store.sqlite import SQLiteStore
from tests.contract.money_support import environment
from tests.fuzz.answers import check_event, check_whole, readable
from tests.fuzz.image_host import ImageHost
from tests.fuzz.values import TEXTS, damaged, dumps, mutated, raw_of
from tests.support import openai_wire, sounds
from tests.support.fake_upstream import Call, FakeUpstream, Reply

ADMIN = "sk-local"
MODELS = (
    "openai/gpt-4o-mini",
    "groq/llama-3.3-70b-versatile",
    "deepseek/deepseek-chat",
    "hosted_vllm/any",
    "moonshot/kimi-k2.5",
    "demo/echo",
    "nobody/x",
)
LONGEST_S = 15.0
"""For an answer to come to its end, of providers that all answer at once or break off."""
KEPT_THREADS, KEPT_BYTES = 64, 200 * 2**20
"""What a gateway keeps for who comes next: threads of answers and look-ups, caches, and what the allocator gives back to nobody."""
LINKED = 0.01
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
}
PICTURE_BYTES = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
FILES = {
    **dict.fromkeys(("audio_transcriptions", "audio_translations"), ("file", UploadedFile("a.wav", "audio/wav", sounds.wav(0.1)))),
    **dict.fromkeys(("images_edits", "images_variations"), ("image", UploadedFile("a.png", "image/png", PICTURE_BYTES))),
}
USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
IMAGE_USAGE = {**USAGE, "input_tokens_details": {"image_tokens": 1, "text_tokens": 4}}
SEGMENT = {"id": 0, "seek": 0, "start": 0, "end": 0.1, "text": "Hi", "tokens": [1], "temperature": 0.0, "avg_logprob": -0.1}
ANSWERS: dict[str, dict[str, Any]] = {
    "/embeddings": {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": [0.5, -0.5]} for index in range(2)],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    },
    "/images/": {"created": 1, "data": [{"b64_json": "aGk=", "revised_prompt": "a"}], "usage": IMAGE_USAGE, "output_format": "png"},
    "/audio/trans": {
        "text": "Hi",
        "language": "en",
        "duration": 0.1,
        "segments": [{**SEGMENT, "compression_ratio": 1.0, "no_speech_prob": 0.0}],
        "usage": {"type": "duration", "seconds": 1},
    },
    "/moderations": {
        "id": "m",
        "model": "m",
        "results": [{"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}}],
    },
    "/rerank": {"id": "r", "results": [{"index": 1, "relevance_score": 0.5}, {"index": 0, "relevance_score": 0.1}], "usage": USAGE},
}
"""What a provider says, by a part of the path that it is asked at."""
CHATS = ("chat_completions", "messages", "responses")
CHAT_ROUTES = [route for route in ROUTES if route.operation in CHATS and "{" not in route.template]
"""Asked for more often than others."""
QUERIES = ("limit", "cursor", "order", "start_date", "end_date", "group_by", "key", "page", "size", "id", "model", "status", "tag")
VALUES = (*TEXTS, "1", "00001" + "9" * 4_400, "day,model", "tag", "2026-01-01", "2026-11-29T00:00:00Z", "sk-local", "٣", "%00")
CHUNKS = openai_wire.chunks(["H", "i"], usage=openai_wire.usage(10, 5))
WHOLE = openai_wire.completion("Hi", usage=openai_wire.usage(10, 5, cached=4))


@dataclass
class World:
    """A gateway, the provider behind it, and what was seen of them."""

    server: Server
    upstream: FakeUpstream
    home: Path
    random: Random
    images: ImageHost
    threads: int = 0
    memory_bytes: int = 0
    """Of the gateway before it was asked anything."""
    counts: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)

    def connect(self, source: str = "127.0.0.1") -> http.client.HTTPConnection:
        host, port = self.server.url.split("/")[2].split(":")
        return http.client.HTTPConnection(host, int(port), timeout=LONGEST_S, source_address=(source, 0))

    def admin(self, path: str, body: Any) -> Any:
        connection = self.connect()
        connection.request("POST", path, dumps(body), {"authorization": f"Bearer {ADMIN}"})
        return json.loads(connection.getresponse().read())


@contextmanager
def world(seed: int, *, mistakes: bool = False) -> Iterator[World]:
    """With `mistakes`, its bound on unknown keys and malformed requests is the usual one."""
    with TemporaryDirectory() as home, FakeUpstream() as upstream, ImageHost() as images:
        own = environment(Path(home), upstream, HAIMAKER_MISTAKES_PER_MINUTE="120" if mistakes else "0")
        own |= {"MOONSHOT_API_KEY": "sk-upstream", "MOONSHOT_BASE_URL": upstream.url}
        with Server("tests.fuzz.gateway", own) as server:
            made = World(server, upstream, Path(home), Random(seed), images)
            answering, lock = Random(seed), Lock()

            def answer(call: Call) -> Reply:
                with lock:
                    return hostile_reply(answering, call)

            upstream.answers(answer)
            made.admin("/team/new", {"team_id": "t"})
            limits: tuple[Any, ...] = ({"max_budget": 1_000}, {"team_id": "t"}, {"max_budget": 0})
            made.keys = [ADMIN, *(made.admin("/key/generate", limit)["key"] for limit in limits)]
            made.threads, made.memory_bytes = server.threads(), server.resident_bytes()
            yield made


def hostile_reply(random: Random, call: Call) -> Reply:
    """Whole or streamed, right or not, cut or not."""
    streamed = b'"stream": true' in call.body or b'"stream":true' in call.body
    status = random.choice((200,) * 8 + (201, 204, 301, 400, 401, 403, 404, 413, 429, 500, 502, 529))
    headers = {"content-type": random.choice(("application/json", "application/json", "text/html", ""))}
    if random.random() < 0.1:
        headers["retry-after"] = random.choice(("0", "-1", "nan", "99999", "x" * 400))
    if streamed and random.random() < 0.8:
        bodies = [raw_of(random, chunk) if random.random() < 0.4 else dumps(chunk) for chunk in CHUNKS]
        events = [b"data: %b\n\n" % body for body in bodies]
        reply = Reply.sse(
            [damaged(random, event) if random.random() < 0.1 else event for event in events], done=random.random() < 0.9
        )
        return reply.cut(after_events=random.randrange(4), reset=random.random() < 0.5) if random.random() < 0.1 else reply
    if call.path.endswith("/audio/speech"):
        return Reply.raw(
            status, random.randbytes(random.choice((0, 1, 2_000))), {"content-type": random.choice(("audio/mpeg", "text/html", ""))}
        )
    said = next((answer for path, answer in ANSWERS.items() if path in call.path), WHOLE)
    body = dumps(said) if random.random() < 0.3 else raw_of(random, said)
    if random.random() < 0.1:
        body, headers["content-encoding"] = gzip.compress(body) if random.random() < 0.8 else body, "gzip"
    reply = Reply.raw(status, body, headers)
    return reply.cut(after_bytes=random.randrange(len(body) + 1), reset=random.random() < 0.5) if random.random() < 0.1 else reply


def request(at: World) -> tuple[bytes, str, bool]:
    """The bytes of a request, the operation that it is for, and whether bytes of it were changed."""
    random = at.random
    route = random.choice((*ROUTES, *LOCAL_ROUTES)) if random.random() < 0.5 else random.choice(CHAT_ROUTES)
    path = route.template
    while "{" in path:
        begin, _, rest = path.partition("{")
        path = begin + random.choice(("x", "new", "info", "openai%2Fgpt-4o-mini", "%00", "..")) + rest.partition("}")[2]
    body = BODIES.get(route.operation, CHAT if route.operation == "chat_completions" else {})
    if route.operation in CHATS:
        body = {**body, "model": random.choice(MODELS), "stream": random.random() < 0.5}
        if route.operation == "chat_completions" and random.random() < LINKED:
            body = with_link(body, random.choice(at.images.links()))
    content_type, raw = "application/json", b""
    if route.operation in FORMS:
        content_type, raw = _form(random, route.operation)
    elif route.method == "POST":
        raw = dumps(body) if random.random() < 0.5 else raw_of(random, body)
    if route.method == "GET" and random.random() < 0.7:
        path += "?" + "&".join(f"{random.choice(QUERIES)}={quote_plus(random.choice(VALUES), errors='replace')}" for _ in range(2))
    key = random.choice(at.keys) if random.random() < 0.9 else random.choice(("", "sk-hm-x", "é", "a" * 900))
    head = [
        f"{route.method} /v1{path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {key}",
        f"content-type: {content_type}",
    ]
    data = "\r\n".join((*head, f"content-length: {len(raw)}", "", "")).encode("latin-1", "replace") + raw
    is_damaged = random.random() < 0.02
    return damaged(random, data) if is_damaged else data, route.operation, is_damaged


def with_link(body: dict[str, Any], link: str) -> dict[str, Any]:
    """With an image that the gateway fetches, of a provider that takes them only inside a request."""
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": link}}]
    return {**body, "model": "moonshot/kimi-k2.5", "messages": [{"role": "user", "content": parts}]}


def _form(random: Random, operation: str) -> tuple[str, bytes]:
    fields = FORMS[operation] if random.random() < 0.5 else mutated(random, FORMS[operation])
    named = [(name, value) for name, value in fields.items() if isinstance(value, str)] if isinstance(fields, dict) else []
    name, file = FILES[operation]
    if random.random() < 0.2:
        file = UploadedFile(file.name, file.content_type, damaged(random, file.data))
    content_type, raw = multipart.encode(
        [(each, value.encode("utf-8", "replace").decode()) for each, value in named], [(name, file)]
    )
    return content_type, damaged(random, raw) if random.random() < 0.2 else raw


def ask(at: World) -> str:
    """One request; what is wrong with its answer, empty if nothing is."""
    data, operation, is_damaged = request(at)
    leaves = at.random.random() < 0.15
    stays_for = at.random.randrange(3_000) if leaves else None
    connection = at.connect()
    try:
        connection.connect()
        sent = data[: at.random.randrange(len(data))] if leaves and at.random.random() < 0.3 else data
        connection.sock.sendall(sent)
        if leaves:
            at.counts["clients that left"] += 1
            if stays_for and select.select([connection.sock], [], [], 0.05)[0]:
                connection.sock.recv(stays_for)
            return ""
        if is_damaged:
            connection.sock.shutdown(socket.SHUT_WR)  # or it would wait for the rest of what is too short
        answer = http.client.HTTPResponse(connection.sock, method=data.split(b" ", 1)[0].decode("latin-1"))
        answer.begin()
        body = answer.read()
        at.counts[f"{answer.status // 100}xx"] += 1
        wrong = judge(operation, answer.status, answer.getheader("content-type") or "", body)
        return f"{wrong} after {data[:2_000]!r}" if wrong else ""
    except TimeoutError:
        return f"no end of an answer in {LONGEST_S} s after {data[:2_000]!r}"
    except (OSError, http.client.HTTPException):
        at.counts["cut"] += 1  # as is right for what is no HTTP
        return ""
    finally:
        connection.close()


def judge(operation: str, status: int, content_type: str, body: bytes) -> str:
    """What is wrong with an answer."""
    if b'"internal_error"' in body or (status == 500 and b"The gateway failed" in body):
        return f"{operation}: a defect of ours, {body[:500]!r}"
    try:
        if content_type.startswith("application/json") and body:
            read = readable(body)
            if status == 200:
                check_whole(operation, read, "verbose_json" if operation == "audio_translations" and read.get("duration") else None)
        elif content_type.startswith("text/event-stream"):
            for event in body.split(b"\n\n"):
                data = event.partition(b"data: ")[2]
                if data and data != b"[DONE]":
                    check_event(operation, readable(data))
    except (ValueError, AttributeError, TypeError) as error:
        return f"{operation}: an answer that can't be read, {type(error).__name__} {str(error)[:200]}, {body[:500]!r}"
    return ""


def settled(at: World) -> list[str]:
    """What is not as it was, once all is over."""
    until_s = time.monotonic() + 30
    while ((held := _held(at.home)) or _threads_more(at) > KEPT_THREADS) and time.monotonic() < until_s:
        time.sleep(0.5)
    found = [f"{len(held)} accounts still hold something"] if held else []
    if (more := _threads_more(at)) > KEPT_THREADS:
        found.append(f"{more} threads more than before")
    if (grown := at.server.resident_bytes() - at.memory_bytes) > KEPT_BYTES:
        found.append(f"{grown / 2**20:.0f} MB more than before")
    store = SQLiteStore(at.home / "haimaker.sqlite")
    try:
        spent: Counter[str] = Counter()
        after: str | None = None
        while True:
            page, after = store.records(after=after, limit=1_000)
            for record in page:
                at.counts["records"] += 1
                for account_id in {record.account_id, *record.detail.get("charged", ())}:
                    spent[account_id] += record.cost_nanousd
            if after is None:
                break
        for kind in ("key", "team", "user"):
            for balance in store.accounts(kind, limit=100_000)[0]:
                total = balance.account.carried_nanousd + spent[balance.account.id]
                if balance.total_spend_nanousd != total:
                    found.append(f"{balance.account.id} spent {balance.total_spend_nanousd}, its records say {total}")
    finally:
        store.close()
    return found


def _threads_more(at: World) -> int:
    return at.server.threads() - at.threads


def _held(home: Path) -> list[str]:
    store = SQLiteStore(home / "haimaker.sqlite")
    try:
        kinds = (store.accounts(kind, limit=100_000)[0] for kind in ("key", "team", "user"))
        return [balance.account.id for found in kinds for balance in found if balance.held_nanousd]
    finally:
        store.close()
