"""OpenAI's SDK keeps files here, as in its documentation; requests of each format name them by their ids, whoever serves."""

import base64
import io
import time
from typing import Any

import anthropic
import httpx
import openai
import pytest

from haimaker import stored_files
from haimaker.api import files as files_api
from haimaker.blobs.folder import FolderBlobs
from haimaker.stored_files import DEFAULT_LASTS_S, MAX_LASTS_S
from tests.contract.money_support import ADMIN, Desk
from tests.contract.sdk_support import MODEL, sdk
from tests.contract.test_messages import chat_reply
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON, Reply

PDF = b"%PDF-1.7 a few pages"
TEXT = "Grüezi.".encode()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def put(client: openai.OpenAI, name: str = "lines.jsonl", data: bytes = b"{}\n", purpose: Any = "batch", **options: Any) -> Any:
    return client.files.create(file=(name, io.BytesIO(data)), purpose=purpose, **options)


def test_a_file_is_kept_listed_read_and_deleted(client: openai.OpenAI) -> None:
    before = int(time.time())
    data = bytes(range(256)) * 4_000  # in several pieces
    file = put(client, "dir/lines.jsonl", data)
    assert (file.object, file.bytes, file.filename, file.purpose, file.status) == (
        *("file", len(data), "lines.jsonl", "batch", "processed"),
    )
    assert file.expires_at == file.created_at + DEFAULT_LASTS_S >= before + DEFAULT_LASTS_S
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == data
    assert client.files.list().data == [file]
    assert client.files.delete(file.id).deleted
    for gone in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError) as raised:
            gone(file.id)
        assert raised.value.code == "file_not_found"
    assert client.files.list().data == []


def test_an_empty_file_is_a_file(client: openai.OpenAI) -> None:
    file = put(client, data=b"", purpose="user_data")
    assert (file.bytes, client.files.content(file.id).read()) == (0, b"")


def test_files_are_listed_in_pages_by_purpose_in_either_order(client: openai.OpenAI) -> None:
    ids = [put(client, purpose=purpose).id for purpose in ("batch", "user_data", "batch", "user_data", "batch")]
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1], "the SDK asks for the next page"
    assert [file.id for file in client.files.list(order="asc", limit=2).data] == ids[:2]
    assert [file.id for file in client.files.list(order="asc", after=ids[1], purpose="batch").data] == [ids[2], ids[4]]
    page = client.files.list(limit=2, purpose="batch")
    assert ([file.id for file in page.data], page.has_more) == ([ids[4], ids[2]], True)


def test_a_file_ends_when_its_client_says(client: openai.OpenAI, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(client, expires_after={"anchor": "created_at", "seconds": 3_600})
    assert file.expires_at == file.created_at + 3_600
    now_s = time.time()
    monkeypatch.setattr("haimaker.stored_files.time.time", lambda: now_s + 3_601)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    assert client.files.list().data == []
    kept = files_api.stored_files(desk.gateway.settings, desk.gateway.store)
    assert isinstance(kept.blobs, FolderBlobs)
    assert kept.blobs.has(f"files/{file.id}")
    kept.delete_ended(now_s + 3_601)
    assert not kept.blobs.has(f"files/{file.id}")


def test_a_team_has_its_files_together_and_nobody_else_has_them(desk: Desk) -> None:
    desk.admin("/team/new", team_id="files-team")
    first, second, other = (desk.key(**fields) for fields in ({"team_id": "files-team"}, {"team_id": "files-team"}, {}))
    file = put(sdk(desk, first))
    assert [found.id for found in sdk(desk, second).files.list().data] == [file.id]
    for stranger in (other, ADMIN):
        with pytest.raises(openai.NotFoundError):
            sdk(desk, stranger).files.content(file.id)
    assert sdk(desk, second).files.delete(file.id).deleted


ENDS = {"expires_after[anchor]": "created_at"}


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({}, "missing_required_parameter", "purpose"),
        ({"purpose": "batch_output"}, "invalid_value", "purpose"),
        ({"purpose": "batch", "model": "x"}, "unknown_parameter", "model"),
        ({"purpose": "batch", **ENDS}, "invalid_value", "expires_after.seconds"),
        ({"purpose": "batch", **ENDS, "expires_after[seconds]": "3599"}, "invalid_value", "expires_after.seconds"),
        ({"purpose": "batch", **ENDS, "expires_after[seconds]": f"{MAX_LASTS_S + 1}"}, "invalid_value", "expires_after.seconds"),
        ({"purpose": "batch", **ENDS, "expires_after[seconds]": "ten"}, "invalid_value", "expires_after.seconds"),
        ({"purpose": "batch", **ENDS, "expires_after[seconds]": "²"}, "invalid_value", "expires_after.seconds"),
        ({"purpose": "batch", "expires_after[seconds]": "7200"}, "invalid_value", "expires_after.anchor"),
    ],
)
def test_a_form_that_says_too_little_or_too_much_leaves_nothing(
    desk: Desk, key: str, fields: dict[str, str], code: str, param: str
) -> None:
    answer = post(desk, key, data=fields, files={"file": ("a", b"data")})
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (400, code, param)
    assert desk.ask("GET", "/files", key=key).json()["data"] == []


def test_a_form_without_a_file_or_with_two_is_refused(desk: Desk, key: str) -> None:
    answer = post(desk, key, files={"purpose": (None, "batch")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")
    two = post(desk, key, data={"purpose": "batch"}, files=[("file", ("a", b"1")), ("file", ("b", b"2"))])
    assert (two.status_code, two.json()["error"]["code"]) == (400, "invalid_form")
    none = post(desk, key, json={"purpose": "batch"})
    assert (none.status_code, none.json()["error"]["code"]) == (400, "invalid_form")


@pytest.mark.parametrize("purpose", ["batch", "user_data"])
@pytest.mark.parametrize("first", [True, False])
def test_a_file_over_the_most_is_refused_and_leaves_nothing(
    desk: Desk, key: str, monkeypatch: pytest.MonkeyPatch, purpose: str, first: bool
) -> None:
    monkeypatch.setattr(files_api, "MAX_FILE_BYTES" if purpose == "user_data" else "MAX_BATCH_BYTES", 1_000)
    fields: list[Any] = [("purpose", (None, purpose)), ("file", ("a", bytes(1_001)))]
    answer = post(desk, key, files=fields if first else fields[::-1])
    assert (answer.status_code, answer.json()["error"]["param"]) == (413, "file")
    assert post(desk, key, files=[("purpose", (None, purpose)), ("file", ("a", bytes(1_000)))]).status_code == 200


@pytest.mark.parametrize(("bound", "most"), [("MAX_FILES", 2), ("MAX_KEPT_BYTES", 2_000)])
def test_nobody_fills_the_place_of_all(desk: Desk, key: str, monkeypatch: pytest.MonkeyPatch, bound: str, most: int) -> None:
    """What is over an owner's bound is refused and leaves nothing; another's is not touched by it."""
    monkeypatch.setattr(stored_files, bound, most)
    form: Any = [("purpose", (None, "batch")), ("file", ("a", bytes(1_000)))]
    kept = [post(desk, key, files=form).json()["id"] for _ in range(2)]
    refused = post(desk, key, files=form)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "file_storage_full")
    assert len(desk.ask("GET", "/files", key=key).json()["data"]) == 2
    assert post(desk, desk.key(), files=form).status_code == 200
    assert desk.ask("DELETE", f"/files/{kept[0]}", key=key).status_code == 200
    assert post(desk, key, files=form).status_code == 200


def post(desk: Desk, key: str = "none", **content: Any) -> httpx.Response:
    return desk.http.post("/files", headers={"authorization": f"Bearer {key}"}, **content)


def test_who_has_no_key_sends_nothing(desk: Desk) -> None:
    assert post(desk, data={"purpose": "batch"}, files={"file": ("a", bytes(200_000))}).status_code == 401
    assert desk.ask("GET", "/files", key=None).status_code == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "order=up", "after=%00"])
def test_a_page_that_can_not_be(desk: Desk, key: str, query: str) -> None:
    assert desk.ask("GET", f"/files?{query}", key=key).status_code == 400


def test_what_was_a_links_address_still_leads_to_it(desk: Desk, key: str) -> None:
    upload = desk.ask("POST", "/audio/uploads", key=key).json()["url"]
    old = upload.replace("/links/", "/files/")
    assert old != upload
    assert httpx.put(old, content=b"sound").status_code == 200
    made = desk.ask("POST", "/images/generations", {"model": "demo/image", "prompt": "x", "response_format": "url"}, key=key)
    link = made.json()["data"][0]["url"]
    assert httpx.get(link.replace("/links/", "/files/")).content == httpx.get(link).content != b""


MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
    "stop_reason": "end_turn", "stop_sequence": None,
    "content": [{"type": "text", "text": "Read."}], "usage": {"input_tokens": 12, "output_tokens": 5},
}  # fmt: skip


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.fixture
def ids(client: openai.OpenAI) -> JSON:
    kept = {"pdf": ("a.pdf", PDF), "text": ("a.txt", TEXT), "png": ("a.png", PNG)}
    return {kind: put(client, name, data, purpose="user_data").id for kind, (name, data) in kept.items()}


def test_a_chat_names_a_file(client: openai.OpenAI, upstream: FakeUpstream, ids: JSON) -> None:
    upstream.answers(chat_reply({"content": "Read."}, "stop", stream=False))
    parts: Any = [{"type": "text", "text": f'Not this one: "{ids["pdf"]}"'}, {"type": "file", "file": {"file_id": ids["pdf"]}}]
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    sent = upstream.calls[-1].json["messages"][0]["content"]
    assert sent == [parts[0], {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}}]


def test_responses_name_files(client: openai.OpenAI, upstream: FakeUpstream, ids: JSON) -> None:
    upstream.answers(chat_reply({"content": "Read."}, "stop", stream=False))
    parts: Any = [{"type": "input_file", "file_id": ids["pdf"]}, {"type": "input_image", "file_id": ids["png"], "detail": "low"}]
    client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}])
    file, image = upstream.calls[-1].json["messages"][0]["content"]
    assert file == {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}}
    assert image["image_url"] == {"url": data_url("image/png", PNG), "detail": "low"}


@pytest.mark.parametrize(
    ("kind", "block", "source"),
    [
        ("pdf", "document", {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(PDF).decode()}),
        ("text", "document", {"type": "text", "media_type": "text/plain", "data": TEXT.decode()}),
        ("png", "image", {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}),
    ],
)
def test_messages_name_files(desk: Desk, key: str, upstream: FakeUpstream, ids: JSON, kind: str, block: Any, source: JSON) -> None:
    """At Anthropic, to which the rest passes as it is."""
    client = anthropic.Anthropic(base_url=desk.url.removesuffix("/v1"), api_key=key, max_retries=0)
    upstream.answers(Reply.json(200, MESSAGE))
    content: Any = [{"type": block, "source": {"type": "file", "file_id": ids[kind]}}, {"type": "text", "text": "What is it?"}]
    client.messages.create(model="anthropic/claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": content}])
    assert upstream.calls[-1].json["messages"][0]["content"] == [{"type": block, "source": source}, content[1]]


def test_another_keys_file_and_too_many_bytes_are_refused(
    client: openai.OpenAI, desk: Desk, ids: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    part: Any = {"type": "file", "file": {"file_id": ids["pdf"]}}
    with pytest.raises(openai.NotFoundError) as raised:
        sdk(desk, desk.key()).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}])
    assert (raised.value.code, raised.value.param) == ("file_not_found", "file_id")
    monkeypatch.setattr("haimaker.api.file_references.MAX_BYTES", 2 * len(PDF) - 1)
    with pytest.raises(openai.APIStatusError) as over:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part, part]}])
    assert (over.value.status_code, over.value.code) == (413, "files_too_large")
