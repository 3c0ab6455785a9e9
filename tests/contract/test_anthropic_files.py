"""Anthropic's SDK keeps files here, as in its documentation: https://platform.claude.com/docs/en/build-with-claude/files."""

import base64
from typing import Any

import anthropic
import httpx
import openai
import pytest

from haimaker.stored_files import DEFAULT_LASTS_S
from tests.contract.money_support import Desk
from tests.contract.test_messages import sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import JSON, Reply

PDF = b"%PDF-1.7 a few pages"


@pytest.fixture
def claude(desk: Desk, key: str) -> anthropic.Anthropic:
    return sdk(desk, key)


def put(claude: anthropic.Anthropic, name: str = "a.pdf", data: bytes = PDF, **options: Any) -> Any:
    return claude.files.upload(file=(name, data, "application/pdf"), **options)


def test_a_file_is_kept_listed_read_named_and_deleted(
    claude: anthropic.Anthropic, client: openai.OpenAI, upstream: FakeUpstream
) -> None:
    file = put(claude, "dir/a.pdf")
    assert (file.type, file.filename, file.mime_type, file.size_bytes, file.downloadable) == (
        *("file", "a.pdf", "application/pdf", len(PDF), True),
    )
    assert file.expires_at
    assert (file.expires_at - file.created_at).total_seconds() == DEFAULT_LASTS_S
    assert claude.files.retrieve_metadata(file.id) == file
    assert claude.files.list().data == [file]
    assert claude.beta.files.retrieve_metadata(file.id).id == file.id, "with the headers of the beta as well"
    assert claude.files.download(file.id).read() == PDF
    seen = client.files.retrieve(file.id)
    assert (seen.filename, seen.purpose, seen.bytes) == ("a.pdf", "user_data", len(PDF)), "OpenAI's SDK has the same file"
    upstream.answers(Reply.json(200, completion("Read.")))
    document: Any = {"type": "document", "source": {"type": "file", "file_id": file.id}}
    claude.messages.create(model="openai/gpt-4o-mini", max_tokens=9, messages=[{"role": "user", "content": [document]}])
    [part] = upstream.calls[-1].json["messages"][0]["content"]
    assert part["file"]["file_data"].endswith(base64.b64encode(PDF).decode())
    assert claude.files.delete(file.id).type == "file_deleted"
    for gone in (claude.files.retrieve_metadata, claude.files.download, claude.files.delete):
        with pytest.raises(anthropic.NotFoundError):
            gone(file.id)


def test_files_are_listed_in_pages_and_end_when_their_client_says(claude: anthropic.Anthropic, desk: Desk) -> None:
    files = [put(claude, expires_in_seconds=3_600) for _ in range(3)]
    assert {(file.expires_at - file.created_at).total_seconds() for file in files} == {3_600}
    assert [file.id for file in claude.files.list(limit=2)] == [file.id for file in files[::-1]], "the SDK asks for the next page"
    assert sdk(desk, desk.key()).files.list().data == []
    with pytest.raises(anthropic.NotFoundError):
        sdk(desk, desk.key()).files.download(files[0].id)


@pytest.mark.parametrize(
    "options",
    [
        {"expires_in_seconds": 3_599},
        {"expires_in_seconds": 2_592_001},
        {"expires_in_seconds": "soon"},
        {"extra_body": {"purpose": "batch"}},
    ],
)
def test_what_is_no_upload_is_an_error_of_anthropics_and_leaves_nothing(claude: anthropic.Anthropic, options: JSON) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        put(claude, **options)
    assert raised.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[call-overload, index]
    assert claude.files.list().data == []


@pytest.mark.parametrize("query", [{"page": "x"}, {"limit": "0"}, {"limit": "1001"}, {"ids[]": "file-hm1"}])
def test_what_is_no_page_is_an_error_of_anthropics(desk: Desk, key: str, query: dict[str, str]) -> None:
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    answer = httpx.get(f"{desk.url}/files", params=query, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
