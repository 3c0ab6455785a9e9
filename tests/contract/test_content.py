"""Prompts and answers are kept where the deployer and the key both say so, and nowhere else; never in an answer's way."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haimaker.blobs import BlobError
from haimaker.blobs.folder import FolderBlobs
from haimaker.observability.redaction import BUILT_IN, Redaction
from haimaker.settings.gateway_toml import parse_gateway_toml
from haimaker.validation.settings import SettingsError
from tests.contract.money_support import ADMIN, Desk, error_of, serving, wait_until
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import error, plays_openai
from tests.support.reply import Reply

PROMPT = "Write to ada@example.com"


ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "content.md").read_text("utf-8")


@pytest.fixture(scope="module")
def desk(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(tmp_path_factory.mktemp("content"), upstream, HAIMAKER_LOG_CONTENT="true") as desk:
        yield desk


def files(desk: Desk) -> list[Path]:
    return sorted(desk.gateway.settings.home.glob("content/*/*.json"))


def kept(desk: Desk, request_id: str) -> dict[str, Any]:
    desk.gateway.content.finish(10)
    wait_until(lambda: any(file.stem == request_id for file in files(desk)))
    return json.loads(next(file for file in files(desk) if file.stem == request_id).read_text("utf-8"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("wish", [{"log_content": True}, {"metadata": {"log_content": True}}], ids=["field", "metadata"])
def test_a_key_that_wants_it_has_its_content_kept(desk: Desk, upstream: FakeUpstream, wish: dict[str, Any], stream: bool):
    upstream.answers(plays_openai("Sent to ada@example.com"))
    alias = f"wished {stream} {next(iter(wish))}"
    key = desk.key(key_alias=alias, **wish)
    answer = desk.chat(key, text=PROMPT, stream=stream)
    assert stream or answer.json()["choices"][0]["message"]["content"] == "Sent to ada@example.com", "as it is, to its client"
    entry = kept(desk, answer.headers["x-request-id"])
    assert entry["request"]["messages"] == [{"role": "user", "content": "Write to [email]"}]
    [choice] = entry["response"]["choices"]
    assert choice["message"]["content"] == "Sent to [email]"
    assert choice["finish_reason"] == "stop"
    assert (entry["key_alias"], entry["status"], entry["provider"]) == (alias, "ok", "openai")
    assert key not in json.dumps(entry)
    assert entry["cost_usd"] == float(desk.info(key)["spend"])


def test_what_is_kept_is_shown_to_its_key_and_to_administrators(desk: Desk, upstream: FakeUpstream):
    upstream.answers(plays_openai("Sent to ada@example.com"))
    desk.ask("POST", "/team/new", {"team_id": "t"})
    key = desk.key(log_content=True, team_id="t")
    viewer, boss = (desk.key(role=role, team_id="t") for role in ("viewer", "team_admin"))
    asked = desk.chat(key, text=PROMPT).headers["x-request-id"]
    path = f"/generation/content?id={asked}"
    for reader in (key, ADMIN):
        entry = desk.ask("GET", path, key=reader).json()["data"]
        assert entry["request"]["messages"][0]["content"] == "Write to [email]"
        assert entry["response"]["choices"][0]["message"]["content"] == "Sent to [email]"
    for reader in (desk.key(), viewer, boss):
        assert error_of(desk.ask("GET", path, key=reader)) == (404, "generation_not_found")
    silent = desk.chat(desk.key(), text=PROMPT).headers["x-request-id"]
    assert error_of(desk.ask("GET", f"/generation/content?id={silent}")) == (404, "content_not_kept")
    assert desk.ask("GET", "/generation/content").status_code == 400
    assert desk.ask("GET", path, key=None).status_code == 401


def test_a_failure_is_kept_with_its_error(desk: Desk, upstream: FakeUpstream):
    answer = desk.chat(desk.key(log_content=True), model="openai/gpt-4o-mini", text=PROMPT, n=0)
    assert answer.status_code == 400, "refused before it is admitted: nothing to keep"
    desk.gateway.content.finish(10)
    assert answer.headers["x-request-id"] not in [file.stem for file in files(desk)]
    upstream.answers(Reply.json(400, error("No.", code="invalid_value")))
    answer = desk.chat(desk.key(log_content=True), text=PROMPT)
    entry = kept(desk, answer.headers["x-request-id"])
    assert (entry["status"], entry["error"], entry["response"]) == ("error", "invalid_value", None)


def test_other_keys_have_not(desk: Desk, upstream: FakeUpstream):
    upstream.answers(plays_openai("Hi"))
    before = files(desk)
    keys = [desk.key(), desk.key(metadata={"log_content": "true"}), desk.key(log_content=False)]
    assert [desk.chat(key, text=PROMPT).status_code for key in keys] == [200] * 3
    desk.gateway.content.finish(10)
    assert files(desk) == before


def test_a_wish_can_be_taken_back(desk: Desk, upstream: FakeUpstream):
    upstream.answers(plays_openai("Hi"))
    key = desk.key(log_content=True)
    assert desk.info(key)["log_content"] is True
    desk.admin("/key/update", key=key, log_content=None)
    assert desk.info(key)["log_content"] is False
    before = files(desk)
    desk.chat(key)
    desk.gateway.content.finish(10)
    assert files(desk) == before


def test_where_the_deployer_does_not_allow_it_nothing_is_kept(upstream: FakeUpstream, tmp_path: Path):
    upstream.answers(plays_openai("Hi"))
    with serving(tmp_path, upstream) as desk:
        assert desk.chat(desk.key(log_content=True), text=PROMPT).status_code == 200
        desk.gateway.content.finish(1)
        assert not list(tmp_path.rglob("content"))


def test_a_place_that_fails_changes_no_answer(desk: Desk, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    def fails(self: object, name: str, entry: bytes) -> None:
        raise BlobError("the disk is full")

    monkeypatch.setattr(FolderBlobs, "put", fails)
    upstream.answers(plays_openai("Hi"))
    key = desk.key(log_content=True)
    for stream in (False, True):
        assert desk.chat(key, text=PROMPT, stream=stream).status_code == 200
    desk.gateway.content.finish(10)
    desk.settled(key)
    assert desk.money(key)[1] == 0


def block(language: str, part: str) -> str:
    [found] = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL) if part in text]
    return str(found)


def test_the_commands_of_the_guide(desk: Desk):
    """Its switch is what the gateway of these tests was started with."""
    assert block("sh", "make run") == "HAIMAKER_LOG_CONTENT=true make run\n"
    commands = block("sh", "curl") + "\n".join(re.findall(r"`(bin/haimaker [^`]+)`", GUIDE))
    commands = commands.replace("http://127.0.0.1:8000", desk.url.removesuffix("/v1"))
    environment = os.environ | {"HAIMAKER_URL": desk.url, "HAIMAKER_KEY": ADMIN}
    done = subprocess.run(["bash", "-euc", commands], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    listed = desk.ask("GET", "/key/list?return_full_object=true&size=100").json()["keys"]
    assert {key["key_alias"]: key["log_content"] for key in listed if key["key_alias"] in ("kept", "kept-too")} == {
        "kept": True, "kept-too": False,
    }  # fmt: skip


def test_the_sample_of_the_guide_and_the_kinds_that_it_names():
    found = parse_gateway_toml(block("toml", "[content]"), Path("gateway.toml")).redaction
    assert found == Redaction(("key", "email", "card"), {"ticket": "TICKET-[0-9]+"})
    assert found.redact("TICKET-1 of ada@example.com, +49 30 901820") == "[ticket] of [email], +49 30 901820"
    named = re.findall(r"\(`(\w+)`\)", GUIDE)
    assert sorted(named) == sorted(BUILT_IN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[content]\nredact = ["names"]', "line 2: content.redact"),
        ("[content.patterns]\nbad = '('", "line 2: content.patterns.bad: is no regular expression"),
        ("[content]\nkeep = true", "line 2: content.keep: is not known here"),
    ],
)
def test_a_mistake_in_it_is_named_by_its_line(text: str, message: str):
    with pytest.raises(SettingsError, match=re.escape(message)):
        parse_gateway_toml(text, Path("gateway.toml"))
