"""Nothing in a request has no bound: every schema of the package is walked; and what one body can cost before it is refused."""

import gc
import importlib
import json
import pkgutil
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import haimaker
from haimaker.api import account_fields
from haimaker.http.errors import BadRequestError
from haimaker.http.json import MAX_CONTAINERS, MAX_FLOATS, MAX_NAMES, MAX_TOKEN_IDS, MAX_VALUES, parse_json
from haimaker.http.values import Request
from haimaker.lean_pydantic import BaseModel, schema_of
from haimaker.operations import embeddings, moderations, rerank, speech
from haimaker.operations.chat import parse_chat
from haimaker.operations.completions import parse_completion
from haimaker.validation.bounds import MAX_ITEMS, MAX_NAME, AtMost
from tests.support.builders import chat_body, chat_request

LARGE = 5_900_000
"""Bytes of a body that just fits."""
IN_TIME_S = 2.0
"""Of CPU, on a machine that is busy with other tests; alone it is a tenth of that."""


def schemas() -> Iterator[type[BaseModel]]:
    for module in pkgutil.walk_packages(haimaker.__path__, "haimaker."):
        importlib.import_module(module.name)
    waiting = [BaseModel]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        waiting += subclasses
        yield from (schema for schema in subclasses if schema.__module__.startswith("haimaker."))


def unbounded(node: Any, place: str) -> Iterator[str]:
    """Lists and texts that may be of any length. An object of any values is bounded where JSON is read, with the whole body."""
    if isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from unbounded(inner, f"{place}[{number}]")
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "function-after" and isinstance(node["function"].get("function"), AtMost):
            return
        if kind == "dict" and node.get("values_schema", {}).get("type") == "any":
            return
        if kind in ("str", "list", "tuple", "set", "frozenset", "dict", "bytes") and not node.get("max_length"):
            yield f"{place}: {kind}"
        if kind in ("list", "tuple") and not node.get("fail_fast"):
            yield f"{place}: a {kind} that goes on after an error"
        for name, inner in node.items():
            if name not in ("metadata", "serialization", "ref", "cls", "config"):
                yield from unbounded(inner, f"{place}.{name}" if name.isidentifier() else f"{place}[{name}]")


def test_every_text_and_every_list_of_every_schema_has_an_end() -> None:
    found = list(schemas())
    assert len(found) > 10
    assert [each for schema in found for each in unbounded(schema_of(schema), schema.__name__)] == []


def test_the_walk_finds_what_has_none() -> None:
    class Open(BaseModel):
        text: str
        texts: list[str] | None = None

    assert len(list(unbounded(schema_of(Open), "Open"))) == 4


def sent(parse: Callable[[Request], object]) -> Callable[[bytes], object]:
    return lambda raw: parse(Request("r", {"content-type": "application/json"}, raw))


def filled(before: bytes, again: bytes, after: bytes) -> bytes:
    return before + again * ((LARGE - len(before) - len(after)) // len(again)) + after


CHAT = b'{"model":"m","messages":['
HOSTILE = [
    pytest.param(parse_chat, filled(CHAT, b"{},", b"{}]}"), id="empty messages"),
    pytest.param(parse_chat, filled(CHAT, b'{"role":"user"},', b"{}]}"), id="short messages"),
    pytest.param(parse_chat, filled(CHAT + b'{"role":"user","content":[', b"{},", b"1]}]}"), id="empty parts"),
    pytest.param(parse_chat, filled(CHAT + b'{"role":"user","content":[', b"1,", b"1]}]}"), id="numbers for parts"),
    pytest.param(parse_chat, filled(b'{"model":"m","stop":[', b"1,", b"1]}"), id="numbers for stops"),
    pytest.param(parse_chat, filled(b'{"model":"m","tools":[', b'"",', b"1]}"), id="texts for tools"),
    pytest.param(parse_chat, filled(b'{"a":', b"[", b""), id="deep"),
    pytest.param(parse_chat, filled(b'{"a":"', b"\\", b'"}'), id="backslashes"),
    pytest.param(parse_chat, filled(b'{"a":[', b"1.5,", b"1]}"), id="floats"),
    pytest.param(parse_chat, b"{" + b",".join(b'"%d":1' % number for number in range(500_000)) + b"}", id="names"),
    pytest.param(parse_completion, filled(b'{"model":"m","prompt":[', b'[""],', b"1]}"), id="prompts"),
    pytest.param(parse_completion, filled(b'{"model":"m","prompt":[', b"-,".replace(b"-", b"null"), b"1]}"), id="nulls for tokens"),
    pytest.param(sent(rerank.parse), filled(b'{"model":"m","query":"q","documents":[', b"1,", b"1]}"), id="numbers for documents"),
    pytest.param(sent(rerank.parse), b'{"model":"m","query":"q","documents":[' + b"1," * 900_000 + b"1]}", id="fewer of them"),
    pytest.param(sent(embeddings.parse), filled(b'{"model":"m","input":[', b"{},", b"1]}"), id="inputs"),
    pytest.param(sent(embeddings.parse), b'{"model":"m","input":[' + b"[]," * 18_000 + b"1]}", id="lists for inputs"),
    pytest.param(sent(moderations.parse), filled(b'{"input":[', b"1,", b"1]}"), id="moderations"),
    pytest.param(sent(speech.parse), filled(b'{"model":"m","input":"a","voice":[', b"1,", b"1]}"), id="voice"),
    pytest.param(
        lambda raw: account_fields.parse(parse_json(raw), account_fields.KeyFields), filled(b'{"models":[', b"1,", b"1]}"), id="key"
    ),
    pytest.param(
        lambda raw: account_fields.parse(parse_json(raw), account_fields.KeyFields),
        b"{" + b",".join(b'"%d":1' % number for number in range(150_000)) + b"}",
        id="fields of a key",
    ),
]


@pytest.mark.parametrize(("parse", "raw"), HOSTILE)
def test_a_body_of_many_mistakes_is_refused_at_its_first(parse: Callable[[bytes], object], raw: bytes) -> None:
    gc.freeze()  # as a function's start does: what other tests left behind is not looked through
    try:
        began_s = time.thread_time()
        with pytest.raises(BadRequestError) as raised:
            parse(raw)
        assert time.thread_time() - began_s < IN_TIME_S
    finally:
        gc.unfreeze()
    assert len(raised.value.message) < 1_000


def test_nor_does_it_take_much_memory() -> None:
    tracemalloc.start()
    try:
        for raw in (filled(CHAT, b"{},", b"{}]}"), CHAT + b"{}," * 18_000 + b"{}]}"):
            with pytest.raises(BadRequestError):
                parse_chat(raw)
        assert tracemalloc.get_traced_memory()[1] < 10 * LARGE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("parse", "head"), [(sent(embeddings.parse), b'{"model":"m","input":['), (parse_completion, b'{"model":"m","prompt":[')]
)
def test_more_values_are_taken_where_they_are_tokens(parse: Callable[[bytes], object], head: bytes) -> None:
    assert parse(head + b"1," * (MAX_TOKEN_IDS - 3) + b"1]}")
    with pytest.raises(BadRequestError, match="too many values"):
        parse(head + b"1," * MAX_TOKEN_IDS + b"1]}")


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b'{"a":[' + b"{}," * (MAX_CONTAINERS - 3) + b"{}]}", True),
        (b'{"a":[' + b"{}," * MAX_CONTAINERS + b"{}]}", False),
        (b'{"a":[' + b"1," * MAX_VALUES + b"1]}", True),
        (b'{"a":[' + b"1," * MAX_VALUES + b"1,1]}", False),
        (b'{"a":[' + b"1.5," * (MAX_FLOATS - 1) + b"1.5]}", True),
        (b'{"a":[' + b"1.5," * (MAX_FLOATS + 1) + b"1.5]}", False),
        (b"{" + b",".join(b'"%d":1' % number for number in range(MAX_NAMES + 2)) + b"}", False),
        (json.dumps({"a": "{[,.:" * (MAX_VALUES + 1)}).encode(), True),
        (json.dumps({"a": '{[,"\\' * (MAX_VALUES // 2), "b": 1e300}).encode(), True),
        (json.dumps({"a": "\\" * 99_999 + "{," * (MAX_VALUES + 1)}).encode(), True),
    ],
    ids=[
        "objects",
        "too many",
        "values",
        "too many values",
        "floats",
        "too many floats",
        "too many names",
        "text",
        "quotes",
        "slashes",
    ],
)
def test_what_is_in_texts_is_no_value(raw: bytes, read: bool) -> None:
    if read:
        assert parse_json(raw) == json.loads(raw)
    else:
        with pytest.raises(BadRequestError, match="too many values"):
            parse_json(raw)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"user": "u" * (MAX_NAME + 1)}, "user"),
        ({"messages": [{"role": "user", "content": "", "name": "n" * (MAX_NAME + 1)}]}, "messages[0].name"),
        ({"messages": [{"role": "r" * (MAX_NAME + 1)}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": ""}] * (MAX_ITEMS + 1)}, "messages"),
        ({"stop": ["a"] * (MAX_ITEMS + 1)}, "stop"),
        ({"tools": [{}] * (MAX_ITEMS + 1)}, "tools"),
    ],
)
def test_what_is_too_long_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        parse_chat(json.dumps(chat_body(**fields)).encode())
    assert (raised.value.param, raised.value.code) == (param, "invalid_value")
    assert "at most" in raised.value.message


def test_what_is_as_long_as_it_may_be_passes() -> None:
    odd = "\ud800" + "u" * (MAX_NAME - 1)
    request = chat_request(user="u" * MAX_NAME, stop=["a"] * 4, messages=[{"role": "user", "content": ""}] * MAX_ITEMS)
    assert len(request.fields.messages) == MAX_ITEMS
    assert parse_chat(json.dumps(chat_body(user=odd)).encode()).fields.user == odd
