"""Sixty requests at once against a budget for ten, for each operation that generates no text: ten pass, and money is exact.

The provider answers nobody until all sixty are decided.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from haimaker.demo.images import Size, png
from tests.contract.money_support import Desk, error_of, nanousd, serving, wait_until
from tests.support import sounds
from tests.support.fake_upstream import Call, FakeUpstream, Gate, Reply
from tests.support.reply import JSON

ASKED, PASSING = 60, 10
OTHERS = ("COHERE", "MISTRAL")
"""Providers besides those of every desk."""


@dataclass(frozen=True)
class Race:
    """What a client sends, what the provider answers, and what that costs."""

    path: str
    reply: Callable[[], Reply]
    cost_nanousd: int
    json: JSON | None = None
    form: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)

    def ask(self, desk: Desk, key: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        if self.json is not None:
            return desk.http.post(self.path, json=self.json, headers=headers)
        return desk.http.post(self.path, data=self.form, files=self.files, headers=headers)


def embedding() -> Reply:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    return Reply.json(200, {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}})


def verdict() -> Reply:
    result = {"categories": {"pii": False}, "category_scores": {"pii": 0.1}}
    return Reply.json(200, {"id": "m", "model": "m", "results": [result], "usage": {"prompt_tokens": 70, "total_tokens": 70}})


def ranking() -> Reply:
    return Reply.json(200, {"results": [{"index": 0, "relevance_score": 0.5}], "meta": {"billed_units": {"search_units": 2}}})


def sound() -> Reply:
    return Reply.raw(200, b"ID3", {"content-type": "audio/mpeg"})


SAID = "Some text to speak"
RACES = [
    Race("/audio/speech", sound, 15_000 * len(SAID), {"model": "openai/tts-1", "input": SAID, "voice": "alloy"}),
    Race(
        "/audio/transcriptions",
        lambda: Reply.json(200, {"text": "Hi", "usage": {"type": "duration", "seconds": 2}}),
        200_000,
        form={"model": "openai/whisper-1"},
        files={"file": ("a.wav", sounds.wav(1.5), "audio/wav")},
    ),
    Race(
        "/images/generations",
        lambda: Reply.json(200, {"created": 1, "data": [{"url": "https://images.example/1.png"}]}),
        40_000_000,
        {"model": "openai/dall-e-3", "prompt": "A cute baby sea otter"},
    ),
    Race(
        "/images/edits",
        lambda: Reply.json(
            200, {"created": 1, "data": [{"b64_json": "aQ=="}], "usage": {"input_tokens": 10, "output_tokens": 272}}
        ),
        10 * 5_000 + 272 * 40_000,
        form={"model": "openai/gpt-image-1", "prompt": "A hat"},
        files={"image": ("a.png", png(b"", Size(16, 16)), "image/png")},
    ),
    Race("/embeddings", embedding, 140, {"model": "openai/text-embedding-3-small", "input": "Some text to embed"}),
    Race("/moderations", verdict, 7_000, {"model": "mistral/mistral-moderation-2411", "input": "Is this bad?"}),
    Race("/rerank", ranking, 4_000_000, {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["long " * 60] * 150}),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with FakeUpstream() as upstream:
        others = {f"{name}_BASE_URL": upstream.url for name in OTHERS} | {f"{name}_API_KEY": "k" for name in OTHERS}
        with serving(tmp_path_factory.mktemp("home"), upstream, **others) as desk:
            yield desk


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.path.strip("/"))
def test_of_sixty_at_once_ten_pass(desk: Desk, race: Race) -> None:
    key = desk.key(max_budget=float(hold_of(desk, race) * PASSING))
    responses = all_at_once(desk, race, key)
    answered = [response for response in responses if response.status_code == 200]
    refused = [response for response in responses if response.status_code != 200]
    assert Counter(map(error_of, refused)) == {(402, "budget_exceeded"): ASKED - PASSING}
    assert desk.money(key) == (race.cost_nanousd * PASSING, 0, race.cost_nanousd * PASSING)
    assert [record.cost_nanousd for record in desk.records(key)] == [race.cost_nanousd] * PASSING
    for response in answered:
        if response.headers["content-type"] == "application/json":
            assert nanousd(json.loads(response.text, parse_float=Decimal)["usage"]["cost"]) == race.cost_nanousd


def hold_of(desk: Desk, race: Race) -> Decimal:
    """What each request reserves."""
    gate, key, seen = desk.upstream.gate(), desk.key(), len(desk.upstream.calls)
    desk.upstream.answers(withheld(race, gate))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(race.ask, desk, key)
        try:
            desk.upstream.wait_for_calls(seen + 1)
            held: Decimal = desk.info(key)["reserved"]
        finally:
            gate.open()
        assert answer.result().status_code == 200, answer.result().text
    assert held > 0
    return held


def all_at_once(desk: Desk, race: Race, key: str) -> list[httpx.Response]:
    gate, seen = desk.upstream.gate(), len(desk.upstream.calls)
    desk.upstream.answers(withheld(race, gate))
    with ThreadPoolExecutor(ASKED) as pool:
        asked = [pool.submit(race.ask, desk, key) for _ in range(ASKED)]
        try:
            wait_until(lambda: len(desk.upstream.calls) - seen + sum(future.done() for future in asked) == ASKED)
        finally:
            gate.open()
        return [future.result() for future in asked]


def withheld(race: Race, gate: Gate) -> Callable[[Call], Reply]:
    return lambda call: race.reply().after(gate)
