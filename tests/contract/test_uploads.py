"""OpenAI's SDK sends files in parts, as in its documentation: what comes at the same moment, and what nobody may fill."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from haimaker.stored_files import uploads
from haimaker.stored_files.uploads import Uploads
from tests.contract.money_support import Desk
from tests.contract.sdk_support import sdk

DATA = bytes(range(256)) * 10


def begin(client: openai.OpenAI, size: int = 5, **fields: Any) -> Any:
    about: Any = {"filename": "dir/a.bin", "purpose": "user_data", "mime_type": "application/octet-stream", **fields}
    return client.uploads.create(bytes=size, **about)


def code_of(refused: Callable[[], object]) -> tuple[int, object]:
    with pytest.raises(openai.APIStatusError) as raised:
        refused()
    return raised.value.status_code, raised.value.code


def test_a_file_comes_in_parts(client: openai.OpenAI) -> None:
    upload = client.uploads.upload_file_chunked(
        file=DATA, filename="a.bin", bytes=len(DATA), mime_type="application/octet-stream", purpose="user_data", part_size=1_000
    )
    assert upload.file
    assert (upload.status, upload.file.filename, client.files.content(upload.file.id).read()) == ("completed", "a.bin", DATA)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"purpose": "batch_output"}, (400, "invalid_value")),
        ({"bytes": 0}, (400, "invalid_value")),
        ({"bytes": "5"}, (400, "invalid_value")),
        ({"bytes": True}, (400, "invalid_value")),
        ({"bytes": None}, (400, "missing_required_parameter")),
        ({"bytes": 10**30}, (413, "request_too_large")),
        ({"bytes": 200 * 2**20 + 1, "purpose": "batch"}, (413, "request_too_large")),
        ({"filename": ""}, (400, "invalid_value")),
        ({"mime_type": ["text/plain"]}, (400, "invalid_value")),
        ({"expires_after": {"anchor": "created_at", "seconds": 59}}, (400, "invalid_value")),
        ({"expires_after": "x"}, (400, "invalid_value")),
        ({"other": 1}, (400, "unknown_parameter")),
    ],
)
def test_an_upload_that_can_not_be(client: openai.OpenAI, fields: dict[str, Any], wanted: tuple[int, str]) -> None:
    assert code_of(lambda: begin(client, extra_body=fields)) == wanted


def test_what_is_wrong_with_parts(client: openai.OpenAI, desk: Desk) -> None:
    upload, other = begin(client), begin(client)
    parts = [client.uploads.parts.create(upload.id, data=data).id for data in (b"12", b"345")]
    complete = client.uploads.complete
    assert code_of(lambda: client.uploads.parts.create(upload.id, data=b"6")) == (400, "upload_too_large")
    for wrong in (parts[:1], parts * 2, [*parts, parts[0]], ["part_x"], "ab", [7]):
        assert code_of(lambda wrong=wrong: complete(upload.id, part_ids=wrong)) == (400, "invalid_value")
    assert code_of(lambda: complete(upload.id, part_ids=parts, md5="0" * 32)) == (400, "invalid_value")
    assert code_of(lambda: complete(other.id, part_ids=parts)) == (400, "invalid_value"), "another upload's"
    assert code_of(lambda: sdk(desk, desk.key()).uploads.cancel(upload.id)) == (404, "upload_not_found")
    assert complete(upload.id, part_ids=parts[::-1]).file == complete(upload.id, part_ids=parts).file, "it may be asked again"
    assert code_of(lambda: client.uploads.cancel(upload.id)) == (400, "upload_not_pending")
    assert client.uploads.cancel(other.id).status == "cancelled"
    assert code_of(lambda: client.uploads.parts.create(other.id, data=b"1")) == (400, "upload_not_pending")


@pytest.mark.parametrize("act", ["cancel", "complete"])
def test_an_upload_ends_while_a_part_of_it_comes(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    upload = begin(client)
    part = client.uploads.parts.create(upload.id, data=b"12345").id
    put = Uploads._put

    def late(self: Uploads, now: Any, **fields: object) -> bool:
        monkeypatch.setattr(Uploads, "_put", put)
        put(self, now, parts={**now.body["parts"], "part_of_another_thread": 0})
        return put(self, now, **fields)

    monkeypatch.setattr(Uploads, "_put", late)
    ended = client.uploads.cancel(upload.id) if act == "cancel" else client.uploads.complete(upload.id, part_ids=[part])
    assert ended.status == ("cancelled" if act == "cancel" else "completed")
    assert code_of(lambda: client.uploads.parts.create(upload.id, data=b"1")) == (400, "upload_not_pending")


def test_an_upload_that_is_cancelled_while_it_is_completed_leaves_no_file(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(client)
    part = client.uploads.parts.create(upload.id, data=b"12345").id
    join = Uploads._join

    def slow(self: Uploads, *arguments: Any) -> None:
        join(self, *arguments)
        client.uploads.cancel(upload.id)

    monkeypatch.setattr(Uploads, "_join", slow)
    assert code_of(lambda: client.uploads.complete(upload.id, part_ids=[part])) == (400, "upload_not_pending")
    assert client.files.list().data == []


def test_a_completed_upload_is_told_again_where_its_owner_has_become_full(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, other = begin(client), begin(client)
    parts = [client.uploads.parts.create(each.id, data=b"12345").id for each in (upload, other)]
    done = client.uploads.complete(upload.id, part_ids=parts[:1])
    monkeypatch.setattr("haimaker.stored_files.MAX_KEPT_BYTES", 5)
    assert client.uploads.complete(upload.id, part_ids=parts[:1]) == done
    assert code_of(lambda: client.uploads.complete(other.id, part_ids=parts[1:])) == (400, "file_storage_full")


def test_nobody_promises_more_than_may_be_kept(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.stored_files.MAX_KEPT_BYTES", 1_000)
    first = begin(client, 600)
    assert code_of(lambda: begin(client, 600)) == (400, "file_storage_full")
    client.uploads.cancel(first.id)
    assert begin(client, 600).status == "pending"


@pytest.mark.parametrize("bound", ["MAX_PENDING", "MAX_KNOWN"])
def test_nobody_has_uploads_without_end(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """Those that were cancelled hide none that are pending."""
    monkeypatch.setattr(uploads, bound, 4)
    for _ in range(3 if bound == "MAX_KNOWN" else 12):
        client.uploads.cancel(begin(client).id)
    for _ in range(1 if bound == "MAX_KNOWN" else 4):
        begin(client)
    assert code_of(lambda: begin(client)) == (400, "too_many_uploads")
