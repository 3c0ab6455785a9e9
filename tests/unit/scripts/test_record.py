import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import record
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.wire.case import Case, chunks, response, upstream_request

KEY = "gsk_0123456789abcdef"
COHERE = {"finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "Hoi"}]}}
"""Without an id, so that what a client gets has one of ours."""
BODY = {"messages": [{"role": "user", "content": "Grüezi"}], "seed": 1, "logit_bias": {"5": 1}}


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def recorded(upstream: FakeUpstream, folder: Path, provider: str = "groq", **fields: Any) -> tuple[int, Case]:
    asked = folder / "asked.json"
    asked.write_text(json.dumps({**BODY, **fields}))
    environment = {f"{provider.upper()}_API_KEY": KEY, f"{provider.upper()}_BASE_URL": upstream.url}
    done = record.main([provider, "llama-9", "hello", str(asked)], environment, folder / "wire")
    return done, Case(folder / "wire" / provider / "chat" / "hello")


@pytest.mark.parametrize(
    ("reply", "fields", "files"),
    [
        (Reply.json(200, openai_wire.completion("Hoi ü")), {}, {"upstream_response.json", "response.json"}),
        (Reply.sse(openai_wire.chunks(["H", "oi ü"])), {"stream": True}, {"upstream_response.sse", "chunks.jsonl"}),
        (Reply.json(200, COHERE), {"provider": "cohere", "logit_bias": None}, {"upstream_response.json", "response.json"}),
        (Reply.json(400, openai_wire.error("No.")), {"stream": True}, {"upstream_response.json", "response.json"}),
    ],
    ids=["whole", "stream", "other format", "error"],
)
def test_a_recorded_case_passes_as_it_is(
    upstream: FakeUpstream, tmp_path: Path, reply: Reply, fields: dict[str, Any], files: set[str]
) -> None:
    upstream.answers(reply)
    done, case = recorded(upstream, tmp_path, **fields)
    assert done == 0
    assert {file.name for file in case.folder.iterdir()} == {"case.json", "request.json", "upstream_request.json", *files}
    [call] = upstream.calls
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.json == case.json("upstream_request.json")["body"]
    assert upstream_request(case.request(), case.attempt()) == case.json("upstream_request.json")
    assert case.about["source"].startswith("recorded 20")
    if case.has("chunks.jsonl"):
        lines = [json.loads(line) for line in case.bytes("chunks.jsonl").splitlines()]
        assert list(chunks(case.request(), [case.bytes("upstream_response.sse")], case.attempt())) == lines
    else:
        status = case.about.get("upstream_status", 200)
        assert response(case.request(), status, case.json("upstream_response.json"), case.attempt()) == case.json("response.json")
    assert not any(KEY.encode() in file.read_bytes() for file in case.folder.iterdir())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply.json(401, openai_wire.error(f"Wrong key {KEY}")), "would hold a credential"),
        (Reply.raw(200, b"<html>"), "Expecting value"),
        (Reply.hangup(), "closed the connection"),
    ],
)
def test_what_can_not_be_recorded_leaves_nothing(
    upstream: FakeUpstream, tmp_path: Path, capsys: pytest.CaptureFixture[str], reply: Reply, said: str
) -> None:
    upstream.answers(reply)
    done, case = recorded(upstream, tmp_path)
    assert (done, case.folder.exists()) == (1, False)
    error = capsys.readouterr().err
    assert said in error
    assert KEY not in error


def test_a_provider_without_a_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "asked.json").write_text(json.dumps(BODY))
    assert record.main(["groq", "llama-9", "hello", str(tmp_path / "asked.json")], {}, tmp_path) == 1
    assert "GROQ_API_KEY" in capsys.readouterr().err


def test_a_case_is_not_written_over(upstream: FakeUpstream, tmp_path: Path) -> None:
    upstream.answers(Reply.json(200, openai_wire.completion()))
    assert [recorded(upstream, tmp_path)[0] for _ in range(2)] == [0, 1]
    assert len(upstream.calls) == 1


PAGE = "https://docs.groq.example/chat"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"--answer": "answer.json", "--source": PAGE}, ""),
        ({"--answer": "answer.json"}, "the page that shows it"),
        ({"--source": PAGE}, "a source an answer"),
    ],
)
def test_a_case_of_a_vendors_page_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], said: str
) -> None:
    (tmp_path / "asked.json").write_text(json.dumps(BODY))
    (tmp_path / "answer.json").write_text(json.dumps(openai_wire.completion("Hoi")))
    given = [str(tmp_path / word) if word == "answer.json" else word for pair in options.items() for word in pair]
    done = record.main(["groq", "llama-9", "hello", str(tmp_path / "asked.json"), *given], {}, tmp_path)
    case = Case(tmp_path / "groq" / "chat" / "hello")
    assert (done, case.folder.exists()) == ((1, False) if said else (0, True))
    assert said in capsys.readouterr().err
    if not said:
        assert case.about["source"] == PAGE
        assert case.json("response.json")["choices"][0]["message"]["content"] == "Hoi"
