"""Four formats at once, native and translated, whole and streamed, some of which fail: the money is exact."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from haimaker.http.values import JSON
from tests.contract import test_messages, test_responses
from tests.contract.money_support import Desk, nanousd
from tests.contract.sdk_support import MODEL
from tests.contract.test_messages import CLAUDE, HELLO, chat_reply
from tests.contract.test_responses import GPT
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

MAX_TOKENS = 40
GEMINI = "gemini/gemini-2.5-flash"
GOOGLES: JSON = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": MAX_TOKENS}}
WAYS: tuple[tuple[str, JSON], ...] = (
    ("/chat/completions", {"model": MODEL, "messages": HELLO, "max_tokens": MAX_TOKENS, "stream_options": {"include_usage": True}}),
    ("/messages", {"model": MODEL, "messages": HELLO, "max_tokens": MAX_TOKENS}),
    ("/messages", {"model": CLAUDE, "messages": HELLO, "max_tokens": MAX_TOKENS, "metadata": {"user_id": "u"}}),
    ("/responses", {"model": MODEL, "input": "Hi", "max_output_tokens": MAX_TOKENS}),
    ("/responses", {"model": GPT, "input": "Hi", "max_output_tokens": MAX_TOKENS}),
    (
        "/chat/completions",
        {"model": "openai/gpt-5-pro", "messages": HELLO, "max_tokens": MAX_TOKENS, "stream_options": {"include_usage": True}},
    ),
    *((f"/models/{model}", GOOGLES) for model in (MODEL, GEMINI)),
)
EACH = 12


def answers(call: Call) -> Reply:
    """In the format that is asked for; a sixth fails, another sixth of the streams breaks off."""
    lot = random.Random(call.body + str(call.at).encode())
    streams, fate = bool(call.json.get("stream")) or "streamGenerate" in call.path, lot.randrange(6)
    read, wrote = lot.randint(1, 12), lot.randint(1, MAX_TOKENS)
    events: Callable[[JSON], list[JSON]]
    named: Callable[[list[JSON]], Reply]
    if fate == 0:
        return Reply.json(500, {"error": {"message": "No.", "type": "server_error"}})
    if call.path.endswith("/messages"):
        used = {"input_tokens": read, "output_tokens": wrote}
        whole = {**test_messages.WHOLE, "content": [{"type": "text", "text": "Hi"}], "usage": used}
        events, named = test_messages.events_of, test_messages.named
    elif call.path.endswith("/responses"):
        used = {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}
        whole = {**test_responses.WHOLE, "output": [test_responses.OUTPUT[3]], "usage": used}
        events, named = test_responses.events_of, test_responses.named
    elif "enerateContent" in call.path:
        used = {"promptTokenCount": read, "candidatesTokenCount": wrote, "totalTokenCount": read + wrote}
        parts = {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "index": 0}
        whole = {"candidates": [{**parts, "finishReason": "STOP"}], "usageMetadata": used, "modelVersion": "m"}
        events, named = (lambda answer: [{**answer, "candidates": [parts]}, answer]), (lambda told: Reply.sse(told, done=False))
    else:
        return chat_reply({"content": "Hi"}, "stop", stream=streams)
    if not streams:
        return Reply.json(200, whole)
    told = events(whole)
    return named(told[: len(told) // 2] if fate == 1 else told)


@pytest.mark.parametrize("budget", [None, 0.05])
def test_of_a_mix_of_formats_each_is_charged_once(desk: Desk, upstream: FakeUpstream, budget: float | None) -> None:
    upstream.answers(answers)
    key = desk.key(**({"max_budget": budget} if budget else {}))
    asked = [(path, {**body, "stream": number % 2 == 0}) for path, body in WAYS for number in range(EACH)]
    asked = [in_its_way(*each) for each in asked]
    asked = [(path, {k: v for k, v in body.items() if body.get("stream") or k != "stream_options"}) for path, body in asked]
    random.Random(1).shuffle(asked)
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda each: desk.ask("POST", *each, key=key), asked))
    desk.settled(key)
    records = desk.records(key)
    admitted = [response for response in responses if response.status_code == 200 or response.status_code >= 500]
    refused = {response.status_code for response in responses if response not in admitted}
    assert refused <= {402}
    assert len(records) == len(admitted)
    assert len(admitted) == len(asked) or budget
    assert desk.money(key) == (sum(record.cost_nanousd for record in records), 0, sum(record.cost_nanousd for record in records))
    assert not [record.detail for record in records if record.detail["over_hold"]]
    assert {record.detail.get("client_format") for record in records} == {None, "messages", "responses", "gemini_generate"}
    told = [cost for response in responses if response.status_code == 200 and (cost := cost_of(response.text)) is not None]
    charged = [record.cost_nanousd for record in records if record.detail["status"] == "ok"]
    assert sorted(map(nanousd, told)) == sorted(charged)
    assert budget is None or sum(charged) <= budget * 10**9


def cost_of(text: str) -> Decimal | None:
    """The last cost that an answer tells, in whichever format."""
    if '"cost":' not in text:
        return None
    return Decimal(text.rpartition('"cost":')[2].partition(",")[0].partition("}")[0])


def in_its_way(path: str, body: JSON) -> tuple[str, JSON]:
    """Google's say in the path whether they stream."""
    if not path.startswith("/models/"):
        return path, body
    action = "streamGenerateContent?alt=sse" if body["stream"] else "generateContent"
    return f"{path}:{action}", {name: value for name, value in body.items() if name != "stream"}
