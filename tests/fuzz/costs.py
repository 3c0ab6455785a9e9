"""`python -m tests.fuzz.costs`: what bodies of each shape cost before they are admitted, in milliseconds of CPU; the dearest first.

Each shape fills a body of each client format up to its size, and is sent with a key whose budget is spent, so that all is done that
comes before a reservation and nothing after it. A large body of such a key is refused before it is read as JSON; here it is read,
as that of a key which could pay for a small request, unless `--unread` is said.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from haimaker import gateway as gateway_module
from haimaker.gateway import Gateway
from haimaker.http.values import Request, Response
from haimaker.settings.settings import Settings
from local.mistakes import WORK_MS, weight_of

Filling = Callable[[int], bytes]
"""A JSON value of about so many bytes."""


def repeated(piece: bytes, opening: bytes = b"[", closing: bytes = b"]") -> Filling:
    """Items of one kind, separated by commas."""
    return lambda size: opening + b",".join([piece] * max(1, size // (len(piece) + 1))) + closing


def text(piece: bytes) -> Filling:
    return lambda size: b'"' + piece * max(1, size // len(piece)) + b'"'


def members(value: bytes) -> Filling:
    """An object of many names."""
    return lambda size: b"{" + b",".join(b'"%07x":%b' % (at, value) for at in range(max(1, size // (11 + len(value))))) + b"}"


def nested(piece: bytes, depth: int = 150) -> Filling:
    """Objects that are nested so deep, side by side."""
    one = piece * depth + b"1" + b"}" * piece.count(b"{") * depth + b"]" * piece.count(b"[") * depth
    return repeated(one)


VALUES: Mapping[str, Filling] = {
    "ascii": text(b"a"),
    "unicode": text("é".encode()),
    "emoji": text("\U0001f600".encode()),
    "escapes": text(b"\\u00e9"),
    "surrogates": text(b"\\ud83d"),
    "pairs": text(b"\\ud83d\\ude00"),
    "quotes": text(b'\\"'),
    "base64": text(b"QUJD"),
    "zeros": repeated(b"0"),
    "integers": repeated(b"1" * 300),
    "long integers": repeated(b"1" * 639),
    "floats": repeated(b"0.12345678901234567"),
    "exponents": repeated(b"1e1"),
    "short texts": repeated(b'""'),
    "texts": repeated(b'"abcd"'),
    "nulls": repeated(b"null"),
    "objects": repeated(b"{}"),
    "lists": repeated(b"[]"),
    "members": members(b"0"),
    "members of texts": members(b'"a"'),
    "nested lists": nested(b"["),
    "nested objects": nested(b'{"a":'),
}
PIECES = ("texts", "members")
SCHEMAS: Mapping[str, Filling] = {
    "properties": lambda size: b'{"type":"object","properties":%b}' % members(b'{"type":"string"}')(size),
    "empty properties": lambda size: b'{"type":"object","properties":%b}' % members(b"{}")(size),
    "any of": lambda size: b'{"anyOf":%b}' % repeated(b'{"type":["string","null"]}')(size),
    "references": lambda size: b'{"$defs":{"a":{"type":"object"}},"allOf":%b}' % repeated(b'{"$ref":"#/$defs/a"}')(size),
    "definitions": lambda size: b'{"type":"object","$defs":%b}' % members(b'{"type":"string"}')(size),
    "enumeration": lambda size: b'{"type":"string","enum":%b}' % repeated(b'"a"')(size),
    "deep schema": lambda size: b'{"anyOf":%b}' % nested(b'{"type":"object","properties":{"a":', 60)(size).replace(b"1}", b"{}}"),
}
CHAT, MESSAGES, RESPONSES = "chat_completions", "messages", "responses"
USER = b'{"model":"%b","max_tokens":9,"messages":[{"role":"user","content":"a"}],'
INPUT = b'{"model":"%b","input":"a",'
CONTENTS = b'{"contents":[{"parts":[{"text":"a"}]}],'


class Place(NamedTuple):
    """Where in a body a value is: what stands before it and after it."""

    operation: str
    head: bytes
    tail: bytes
    fillings: Mapping[str, Filling]


def listed(**pieces: bytes) -> Mapping[str, Filling]:
    return {name.replace("_", " "): repeated(piece) for name, piece in pieces.items()}


PLACES: Mapping[str, Place] = {
    "chat: content": Place(CHAT, b'{"model":"%b","messages":[{"role":"user","content":', b"}]}", VALUES),
    "chat: anything": Place(CHAT, USER + b'"metadata":', b"}", VALUES),
    "chat: messages": Place(
        CHAT,
        b'{"model":"%b","messages":',
        b"}",
        listed(
            small=b'{"role":"u","content":""}',
            parts=b'{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":""},{"type":"text","text":""}]}',
            images=b'{"role":"user","content":[%b]}' % b",".join([b'{"type":"image_url","image_url":{"url":"https://a.b/"}}'] * 10),
            calls=b'{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"a","arguments":"{}"}}]}',
            results=b'{"role":"tool","tool_call_id":"a","content":"b"}',
            wrong=b"{}",
        ),
    ),
    "chat: parts": Place(
        CHAT,
        b'{"model":"%b","messages":[{"role":"user","content":',
        b"}]}",
        listed(
            parts=b'{"type":"text","text":""}',
            images=b'{"type":"image_url","image_url":{"url":"https://a.b/"}}',
            data=b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}',
        ),
    ),
    "chat: tools": Place(
        CHAT,
        USER + b'"tools":',
        b"}",
        listed(
            functions=b'{"type":"function","function":{"name":"a"}}',
            searches=b'{"type":"web_search"}',
            code=b'{"type":"code_interpreter","container":{"type":"auto"}}',
            other=b'{"type":"a"}',
            wrong=b"{}",
        ),
    ),
    "chat: a schema": Place(
        CHAT, USER + b'"tools":[{"type":"function","function":{"name":"a","strict":true,"parameters":', b"}}]}", SCHEMAS
    ),
    "chat: a tool of the provider's": Place(CHAT, USER + b'"tools":[{"type":"code_interpreter","container":', b"}]}", VALUES),
    "chat: a format": Place(
        CHAT,
        USER + b'"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":',
        b"}}}",
        SCHEMAS,
    ),
    "messages: anything": Place(MESSAGES, USER + b'"metadata":', b"}", VALUES),
    "messages: a schema": Place(MESSAGES, USER + b'"tools":[{"name":"a","input_schema":', b"}]}", SCHEMAS),
    "messages: input": Place(
        MESSAGES,
        b'{"model":"%b","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":',
        b"}]}]}",
        VALUES,
    ),
    "messages: blocks": Place(
        MESSAGES,
        b'{"model":"%b","max_tokens":9,"messages":[{"role":"user","content":',
        b"}]}",
        listed(
            text=b'{"type":"text","text":""}',
            results=b'{"type":"tool_result","tool_use_id":"a"}',
            calls=b'{"type":"tool_use","id":"a","name":"b","input":{}}',
            images=b'{"type":"image","source":{"type":"url","url":"https://a.b/"}}',
            thinking=b'{"type":"thinking","thinking":"","signature":""}',
        ),
    ),
    "messages: messages": Place(
        MESSAGES,
        b'{"model":"%b","max_tokens":9,"messages":',
        b"}",
        listed(
            small=b'{"role":"user","content":""}',
            results=b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"b"}]}',
        ),
    ),
    "messages: tools": Place(
        MESSAGES,
        USER + b'"tools":',
        b"}",
        listed(functions=b'{"name":"a","input_schema":{}}', searches=b'{"type":"web_search_20250305","name":"web_search"}'),
    ),
    "responses: anything": Place(RESPONSES, INPUT + b'"metadata":', b"}", VALUES),
    "responses: a schema": Place(
        RESPONSES, INPUT + b'"tools":[{"type":"function","name":"a","strict":true,"parameters":', b"}]}", SCHEMAS
    ),
    "responses: items": Place(
        RESPONSES,
        b'{"model":"%b","input":',
        b"}",
        listed(
            small=b'{"role":"user","content":""}',
            parts=b'{"role":"user","content":[{"type":"input_text","text":""}]}',
            calls=b'{"type":"function_call","call_id":"a","name":"b","arguments":"{}"}',
            results=b'{"type":"function_call_output","call_id":"a","output":"b"}',
            reasoning=b'{"type":"reasoning","id":"a","summary":[]}',
            wrong=b"{}",
        ),
    ),
    "responses: tools": Place(
        RESPONSES,
        INPUT + b'"tools":',
        b"}",
        listed(
            functions=b'{"type":"function","name":"a"}', searches=b'{"type":"web_search"}', mcp=b'{"type":"mcp","server_url":"a"}'
        ),
    ),
    "gemini: anything": Place("gemini_generate", CONTENTS + b'"labels":', b"}", VALUES),
    "gemini: snake case": Place(
        "gemini_generate", CONTENTS + b'"generation_config":', b"}", {"members": members(b'{"a_b":1}'), **VALUES}
    ),
    "gemini: a schema": Place(
        "gemini_generate", CONTENTS + b'"tools":[{"functionDeclarations":[{"name":"a","parameters":', b"}]}]}", SCHEMAS
    ),
    "gemini: a format": Place("gemini_generate", CONTENTS + b'"generationConfig":{"responseSchema":', b"}}", SCHEMAS),
    "gemini: contents": Place(
        "gemini_generate",
        b'{"contents":',
        b"}",
        listed(
            text=b'{"role":"user","parts":[{"text":"a"}]}',
            parts=b'{"role":"user","parts":[%b]}' % b",".join([b'{"text":"a"}'] * 20),
            calls=b'{"role":"model","parts":[{"functionCall":{"name":"a","args":{}}}]}',
            results=b'{"role":"user","parts":[{"functionResponse":{"name":"a","response":{}}}]}',
        ),
    ),
    "gemini: requests": Place(
        "gemini_batch_embed",
        b'{"requests":',
        b"}",
        listed(small=b'{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]}}'),
    ),
    "embeddings: input": Place(
        "embeddings",
        b'{"model":"openai/text-embedding-3-small","input":',
        b"}",
        {**VALUES, "token lists": repeated(b"[" + b",".join([b"1"] * 400) + b"]")},
    ),
    "completions: prompt": Place("completions", b'{"model":"openai/gpt-3.5-turbo-instruct","prompt":', b"}", VALUES),
    "rerank: documents": Place(
        "rerank",
        b'{"model":"cohere/rerank-v3.5","query":"a","documents":',
        b"}",
        {**VALUES, **listed(objects=b'{"text":"a"}')},
    ),
    "moderations: input": Place(
        "moderations",
        b'{"model":"openai/omni-moderation-latest","input":',
        b"}",
        {**VALUES, **listed(parts=b'{"type":"text","text":"a"}')},
    ),
    "speech: input": Place("audio_speech", b'{"model":"openai/tts-1","voice":"a","input":', b"}", VALUES),
    "images: prompt": Place("images_generations", b'{"model":"openai/gpt-image-1","prompt":', b"}", VALUES),
}
MODELS = {
    CHAT: ("openai/gpt-4o-mini", "gemini/gemini-2.5-flash", "many"),
    MESSAGES: ("anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "many"),
    RESPONSES: ("openai/gpt-5.4", "anthropic/claude-sonnet-4-5", "many"),
}
ROUTE = """
[routes."many"]
targets = ["openai/gpt-4o-mini", "gemini/gemini-2.5-flash", "anthropic/claude-sonnet-4-5", "openai/gpt-5.4"]
fallbacks = ["mistral/mistral-small-latest", "groq/llama-3.3-70b-versatile", "deepseek/deepseek-chat"]
"""
PROVIDERS = ("OPENAI", "GEMINI", "ANTHROPIC", "MISTRAL", "GROQ", "DEEPSEEK", "COHERE")


class Case(NamedTuple):
    """A request, and what it is."""

    name: str
    operation: str
    request: Request


def cases(size: int, key: str, *, few: bool = False) -> Iterator[Case]:
    """One of every place, filling and model, or a few: those that something looks at piece by piece, at most targets."""
    for place_name, place in PLACES.items():
        for model in MODELS.get(place.operation, ("gemini/gemini-2.5-flash",))[-1 if few else 0 :]:
            head = place.head.replace(b"%b", model.encode())
            for filling_name, filling in place.fillings.items():
                if few and filling_name in VALUES and filling_name not in PIECES:
                    continue
                raw = head + filling(size - len(head) - len(place.tail)) + place.tail
                parameters = {"id": "gemini-2.5-flash"} if place.operation.startswith("gemini_") else {}
                request = Request("r", {"authorization": f"Bearer {key}"}, raw, parameters, {})
                yield Case(f"{place_name}: {filling_name} at {model}", place.operation, request)


@contextmanager
def spent() -> Iterator[tuple[Gateway, str]]:
    """A gateway, and a key of it whose budget is spent."""
    with TemporaryDirectory() as home:
        (Path(home) / "gateway.toml").write_text(ROUTE)
        keys = {f"{name}_API_KEY": "sk-upstream" for name in PROVIDERS}
        settings = Settings.from_environment({**keys, "HAIMAKER_HOME": home, "HAIMAKER_CONFIG": str(Path(home) / "gateway.toml")})
        gateway = Gateway.local(settings)
        body = b'{"max_budget":0.000000001}'
        made = gateway.handle("key_generate", Request("r", {"authorization": "Bearer sk-local"}, body, {}, {}))
        yield gateway, json.loads(made.body)["key"]


def cpu_ms(gateway: Gateway, case: Case, times: int) -> tuple[float, Response]:
    """The least of some tries, and the answer."""
    took: list[float] = []
    for _ in range(times):
        began_s = time.thread_time()
        answer = gateway.handle(case.operation, case.request)
        took.append((time.thread_time() - began_s) * 1_000)
    return min(took), answer


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--megabytes", type=float, default=1)
    asked.add_argument("--times", type=int, default=2)
    asked.add_argument("--dearest", type=int, default=40)
    asked.add_argument("--unread", action="store_true")
    options = asked.parse_args()
    logging.disable()
    if not options.unread:
        gateway_module.LARGE_BYTES = sys.maxsize
    found: list[str] = []
    with spent() as (gateway, key):
        for case in cases(int(options.megabytes * 1_000_000), key):
            took_ms, answer = cpu_ms(gateway, case, options.times)
            weight = weight_of(case.request.body)
            found.append(f"{took_ms / weight:5.2f} ms a mistake, {took_ms:6.1f} ms, {answer.status} {case.name}")
    print(*sorted(found, reverse=True)[: options.dearest], f"at most {WORK_MS:.0f} ms a mistake is promised", sep="\n")


if __name__ == "__main__":
    main()
