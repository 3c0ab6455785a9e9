"""The official SDK for Node, where it is another client than Python's: how it sends files, leaves streams, waits and retries.

One process per topic: `tests/support/node_sdk/` has a script for each, which tells what it saw. It is skipped without Node.
"""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from haimaker.demo.images import Size, png
from haimaker.http import multipart
from haimaker.http.values import Request
from haimaker.routing import deadlines
from local.request_reader import BODY_LIMIT
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, ONCE, price
from tests.support import openai_wire, silence, sounds
from tests.support.fake_upstream import Call, FakeUpstream, Pause
from tests.support.node_packages import Unavailable, installed
from tests.support.reply import JSON, Reply

SCRIPTS = Path(__file__).parent.parent / "support" / "node_sdk"
TOUR = Path(__file__).parents[2] / "docs" / "tour.md"
TIMEOUT_S = 60
TEXT = "Hello there, Zürich"
CITY = {"city": "Zürich"}
COUNTS = openai_wire.usage(100, 20)
COST = price(100, 20) / 10**9
PNG = png(b"seed", Size(32, 16))
IMAGE = base64.b64encode(PNG).decode()
IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 1_056,
    "total_tokens": 1_106,
}
SOUND = b"ID3\x04" + bytes(range(256))
VECTOR = [0.5, -1.0, 0.25]


def run(topic: str, desk: Desk, key: str, **given: object) -> JSON:
    """What the topic's script tells."""
    return json.loads(node(f"{topic}.js", json.dumps({"url": desk.url, "key": key, **given})))


def node(*arguments: str) -> str:
    try:
        program = installed(SCRIPTS, "openai")
    except Unavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run([program, *arguments], cwd=SCRIPTS, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(error: JSON, *names: str) -> tuple[Any, ...]:
    return tuple(error.get(name) for name in names)


def form_of(call: Call) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The files of an upload, by field and name, and the other fields."""
    form = multipart.decode(call.headers["content-type"], call.body)
    return [(field, file.name) for field, file in form.files], sorted(form.fields)


def chats(call: Call) -> Reply:
    """A text; to who asked for a tool, a call of it first; an object to who asked for a schema."""
    body = call.json
    has_result = body["messages"][-1]["role"] == "tool"
    calls = [openai_wire.tool_call(arguments=json.dumps(CITY))] if body.get("tools") and not has_result else []
    text = json.dumps(CITY) if body.get("response_format") else TEXT
    if body.get("stream"):
        return Reply.sse(openai_wire.chunks([text[:5], text[5:]], tool_calls=calls, usage=COUNTS))
    return Reply.json(200, openai_wire.completion(text, tool_calls=calls, usage=COUNTS))


@pytest.mark.parametrize("waits_s", [0, 0.1], ids=["prompt", "slow"])
def test_chat_and_its_helpers(
    desk: Desk, upstream: FakeUpstream, key: str, waits_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow answer begins with comments or white space, before it is known who makes it."""
    if waits_s:
        silence.shorten(monkeypatch, waits_s / 4)
    upstream.answers(lambda call: chats(call).after(Pause(waits_s)))
    found = run("chat", desk, key, model=MODEL)
    assert found["whole"] == {"text": TEXT, "cost": COST, "names": [True, None if waits_s else "any"]}
    assert found["streamed"] == {"text": TEXT, "cost": COST}
    assert found["toolCalls"] == {"done": [["get_weather", CITY]], "finish_reason": "tool_calls"}
    assert found["runTools"] == [{"text": TEXT, "asked": ["Zürich"], "tokens": 240}] * 2
    assert found["parsed"] == [CITY, CITY]


def test_an_answer_that_is_given_up_is_cut_and_settled(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    gate, seen = upstream.gate(), len(upstream.calls)
    chunks = openai_wire.chunks(["Once ", "upon ", "a time"])

    def plays(call: Call) -> Reply:
        if call.json.get("stream"):
            return Reply.sse([*chunks[:3], gate, *chunks[3:]])
        return Reply.json(200, openai_wire.completion("Too late")).after(gate)

    upstream.answers(plays)
    found = run("leaving", desk, key, model=MODEL)
    assert found == {"whole": "APIUserAbortError", "read": ["", "Once ", "", "Once "]}
    calls = upstream.calls[seen:]
    assert [call.closed_by_client.wait(3) for call in calls] == [True] * 3
    gate.open()
    records = desk.records(key)
    assert [(record.status, record.detail["error"]) for record in records] == [("cut", "client_left")] * 3
    assert sorted(record.detail["output_tokens"] > 0 for record in records) == [False, True, True]


STATUSES: Mapping[int, tuple[str, int]] = {
    400: ("BadRequestError", 400),
    401: ("InternalServerError", 502),
    402: ("APIError", 402),
    403: ("InternalServerError", 502),
    404: ("NotFoundError", 404),
    409: ("ConflictError", 409),
    413: ("APIError", 413),
    422: ("UnprocessableEntityError", 422),
    429: ("RateLimitError", 429),
    500: ("InternalServerError", 500),
    529: ("InternalServerError", 529),
}
"""What a provider answers; which class that is here, and with which status."""
ONCE_MORE = {"402": 1, "400": 1, "401": 1, "429": 2, "503": 2}
"""How often each is asked for by a client that would try once more."""
TIMEOUTS = {700: "0", 1_000: "1", 1_999: "1", 10_000: "10", 300_000: "300"}
"""What is said of a call's timeout in milliseconds. Of the client's own nothing is said."""


def fails(message: str) -> Reply:
    status = int(message.split()[-1])
    return Reply.json(status, openai_wire.error(f"No: {message}"), {"retry-after": "0"})


def test_errors_have_their_class_and_are_tried_again_where_it_helps(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    asked: list[str] = []

    def plays(call: Call) -> Reply:
        message = call.json["messages"][0]["content"]
        asked.append(message)
        if message == "broken":
            return Reply.sse([*openai_wire.chunks()[:2], openai_wire.error("It broke.", code="broken")], done=False)
        if message.startswith("again") and asked.count(message) > 1:
            return Reply.json(200, openai_wire.completion())
        return fails(message)

    upstream.answers(plays)
    statuses = [f"status {status}" for status in STATUSES]
    retried = [f"again {status}" for status in ONCE_MORE]
    given = {"model": ONCE, "statuses": statuses, "retried": retried, "broken": "broken", "timeouts_ms": list(TIMEOUTS)}
    found = run("errors", desk, key, spentKey=desk.key(max_budget=0.000000001), **given)
    assert {name: told(error, "class", "status") for name, error in found["statuses"].items()} == dict(
        zip(statuses, STATUSES.values(), strict=True)
    )
    assert all(error["id"] and error["type"] for error in found["statuses"].values())
    assert [asked.count(message) for message in retried] == list(ONCE_MORE.values())
    assert {message: found["retried"][message] for message in retried if asked.count(message) > 1} == dict.fromkeys(
        ("again 429", "again 503")
    )
    assert told(found["unknownKey"], "class", "code") == ("AuthenticationError", "invalid_api_key")
    assert told(found["spent"], "class", "status", "code", "calls") == ("APIError", 402, "budget_exceeded", 1)
    assert told(found["noMessages"], "class", "param") == ("BadRequestError", "messages")
    assert told(found["unknownPath"], "class", "code") == ("NotFoundError", "unknown_url")
    assert told(found["brokenStream"], "class", "code") == ("APIError", "broken")
    assert found["timeouts"] == [None, *TIMEOUTS.values()]


@pytest.mark.parametrize(("timeout_ms", "said"), TIMEOUTS.items())
def test_the_gateway_gives_up_before_the_client_does(timeout_ms: int, said: str) -> None:
    assert deadlines.client_timeout_s(Request("", {"x-stainless-timeout": said}, b"")) < timeout_ms / 1000


def draws(call: Call) -> Reply:
    if "multipart" not in call.headers["content-type"] and call.json.get("stream"):
        about = {"created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
        done = {"type": "image_generation.completed", "b64_json": IMAGE, "usage": IMAGE_USAGE, **about}
        return Reply.sse([{**done, "type": "image_generation.partial_image", "partial_image_index": 0}, done], done=False)
    return Reply.json(200, {"created": 1_700_000_000, "data": [{"b64_json": IMAGE}], "usage": IMAGE_USAGE})


def test_images_and_the_files_they_are_made_from(desk: Desk, upstream: FakeUpstream, key: str, tmp_path: Path) -> None:
    path, seen = tmp_path / "otter.png", len(upstream.calls)
    path.write_bytes(PNG)
    upstream.answers(draws)
    found = run("images", desk, key, model="openai/gpt-image-1", path=str(path), tooLarge=BODY_LIMIT + 1)
    assert (found["same"], found["cost"]) == (True, 0.04269)
    assert found["events"] == ["image_generation.partial_image", "image_generation.completed"]
    assert told(found["refused"], "class", "param") == ("BadRequestError", "image")
    assert told(found["missing"], "class", "param") == ("BadRequestError", "image")
    assert [told(error, "status", "code") for error in found["tooLarge"]] == [(413, "request_too_large")] * 2
    edits = [call for call in upstream.calls[seen:] if call.path.endswith("/images/edits")]
    assert all(call.body.count(PNG) == len(form_of(call)[0]) for call in edits)
    read, named = ("image", "otter.png"), ("image", "Zürich 7.png")
    assert [form_of(call)[0] for call in edits] == [
        [read],
        [named, ("mask", "mask.png")],
        [("image", "a.png")],
        [("image", "blob")],
        [("image[]", "otter.png"), ("image[]", "Zürich 7.png")],
    ]
    assert form_of(edits[-1])[1] == [("model", "gpt-image-1"), ("prompt", "a hat"), ("size", "1024x1024")]
    assert len(desk.records(key)) == 7


def hears(call: Call) -> Reply:
    if call.path.endswith("/speech"):
        return Reply.raw(200, SOUND, {"content-type": "audio/ogg" if call.json.get("response_format") else "audio/mpeg"}).split(64)
    fields = dict(form_of(call)[1])
    if fields.get("response_format") == "text":
        return Reply.raw(200, f"{TEXT}\n".encode(), {"content-type": "text/plain"})
    if fields.get("stream"):
        pieces = [{"type": "transcript.text.delta", "delta": TEXT}, {"type": "transcript.text.done", "text": TEXT}]
        return Reply.sse(pieces)
    return Reply.json(200, {"text": TEXT, "duration": 1.5, "language": "german"})


def test_what_is_said_and_heard(desk: Desk, upstream: FakeUpstream, key: str, tmp_path: Path) -> None:
    path, seen = tmp_path / "speech.wav", len(upstream.calls)
    path.write_bytes(sounds.wav(1.5))
    upstream.answers(hears)
    found = run("audio", desk, key, speaks="openai/tts-1", hears="openai/whisper-1", path=str(path))
    encoded = base64.b64encode(SOUND).decode()
    assert found["speech"] == ["audio/mpeg", encoded, "audio/ogg", encoded]
    assert found["texts"] == [TEXT, f"{TEXT}\n", TEXT, TEXT, TEXT]
    assert found["cost"] == 0.00015
    forms = [form_of(call) for call in upstream.calls[seen:] if not call.path.endswith("/speech")]
    names = ["speech.wav"] * 3 + ["Zürich.wav", "speech.wav"]
    assert [files[0] for files, _ in forms] == [("file", name) for name in names]
    assert all(call.body.count(sounds.wav(1.5)) == 1 for call in upstream.calls[seen:] if "speech" not in call.path)
    assert forms[0][1] == [
        ("language", "de"),
        ("model", "whisper-1"),
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "segment"),
        ("timestamp_granularities[]", "word"),
    ]
    assert upstream.calls[-1].path.endswith("/audio/translations")


def answers(call: Call) -> Reply:
    if call.path.endswith("/embeddings"):
        asked = call.json["input"]
        data = [{"object": "embedding", "index": index, "embedding": VECTOR} for index in range(len(asked))]
        return Reply.json(200, {"object": "list", "data": data, "model": "any", "usage": {"prompt_tokens": 2, "total_tokens": 2}})
    if call.path.endswith("/completions") and "prompt" in call.json:
        choice = {"index": 0, "text": TEXT, "logprobs": None, "finish_reason": "stop"}
        whole = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "any", "choices": [choice], "usage": COUNTS}
        return Reply.sse([whole]) if call.json.get("stream") else Reply.json(200, whole)
    return chats(call) if call.path.endswith("/chat/completions") else hears(call)


def test_everything_else_and_azures_client(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answers)
    sound = base64.b64encode(sounds.wav()).decode()
    found = run("others", desk, key, model=MODEL, embeds="hosted_vllm/embedder", hears="openai/whisper-1", sound=sound)
    assert found["embeddings"] == [VECTOR] * 3
    assert found["completions"] == [TEXT, TEXT]
    assert found["flagged"] == [True, False]
    assert (found["models"]["listed"], found["models"]["id"]) == (True, "openai/gpt-4o-mini")
    assert told(found["models"]["unknown"], "class", "code") == ("NotFoundError", "model_not_found")
    assert found["azure"] == {"texts": [TEXT] * 3, "embeddings": [VECTOR] * 3}


def test_the_program_of_the_tour(desk: Desk, key: str) -> None:
    [program] = re.findall(r"^```js\n(.*?)^```$", TOUR.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    there = program.replace("http://127.0.0.1:8000/v1", desk.url).replace("sk-local", key)
    assert node("--input-type=module", "--eval", there) == "1 2 3 4 5"
