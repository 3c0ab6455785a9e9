"""The place for files: the same for a folder and for a bucket in an emulator of S3, and what each has of its own."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from haimaker import links
from haimaker.aws.access import AWSAccess
from haimaker.aws.sigv4 import Credentials
from haimaker.blobs.s3 import S3Blobs
from haimaker.http.errors import BadRequestError, NotFoundError, ServiceUnavailableError
from haimaker.http.values import Request
from haimaker.links import LINK_LIFETIME_S, TIMEOUTS, LinkStore, Upload, link_store_for
from haimaker.links.local import LocalLinkStore
from haimaker.settings.settings import Settings

KEPT = AWSAccess("eu-central-1", Credentials("AKID", "a-secret", "a token/+="))
LOCATION = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@dataclass(frozen=True)
class Place:
    files: LinkStore
    get: Callable[[str], tuple[int, str, bytes]]
    """What a link leads to: status, content type, content."""
    fill: Callable[[Upload, bytes], int]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return in_folder(tmp_path) if request.param == "folder" else in_bucket(request.getfixturevalue("s3"))


def in_folder(folder: Path) -> Place:
    kept = LocalLinkStore.in_folder(folder, "http://127.0.0.1:8000")

    def asked(url: str, body: bytes = b"") -> Request:
        assert url.startswith("http://127.0.0.1:8000/links/")
        return Request("req", body=body, path={"id": url.rpartition("/")[2]})

    def get(url: str) -> tuple[int, str, bytes]:
        answer = kept.serve(asked(url))
        assert isinstance(answer.body, bytes)
        return answer.status, answer.headers["content-type"], answer.body

    return Place(kept, get, lambda upload, data: kept.receive(asked(upload.url, data)).status)


def in_bucket(endpoint: str) -> Place:
    httpx.put(f"{endpoint}/kept", content=LOCATION)

    def get(url: str) -> tuple[int, str, bytes]:
        answer = httpx.get(url)
        return answer.status_code, answer.headers["content-type"], answer.content

    access = AWSAccess(KEPT.region, KEPT.credentials, s3_endpoint=endpoint)
    return Place(
        LinkStore(S3Blobs("kept", access, TIMEOUTS)),
        get,
        lambda upload, data: httpx.put(upload.url, content=data).status_code,
    )


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "image/webp"])
def test_what_was_put_is_behind_its_link(place: Place, content_type: str) -> None:
    first, second = place.files.put(PICTURE, content_type), place.files.put(b"another", content_type)
    assert first != second
    assert place.get(first) == (200, content_type, PICTURE)


def test_an_upload_can_be_read_once_it_was_put(place: Place) -> None:
    upload = place.files.presign_upload()
    assert abs(upload.expires_s - time.time() - LINK_LIFETIME_S) < 60
    with pytest.raises(BadRequestError) as raised:
        place.files.read(upload.id)
    assert raised.value.code == "upload_not_found"
    assert place.fill(upload, PICTURE) == 200
    assert place.files.read(upload.id) == PICTURE


@pytest.mark.parametrize("upload_id", ["", "..", "../../etc/passwd", "a" * 32, "a" * 31 + "/", "a" * 33, "ü" * 32, "\ud800"])
def test_an_id_that_is_none_is_no_path(place: Place, upload_id: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        place.files.read(upload_id)
    assert raised.value.code == "upload_not_found"


def test_too_large_an_upload_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = place.files.presign_upload()
    place.fill(upload, PICTURE)
    monkeypatch.setattr("haimaker.links.MAX_UPLOAD_BYTES", 10)
    with pytest.raises(BadRequestError) as raised:
        place.files.read(upload.id)
    assert raised.value.code == "upload_too_large"


def test_an_upload_has_no_link_to_read_it(tmp_path: Path) -> None:
    place = in_folder(tmp_path)
    upload = place.files.presign_upload()
    place.fill(upload, PICTURE)
    with pytest.raises(NotFoundError):
        place.get(upload.url)


def test_a_script_in_a_drawing_does_not_run_where_the_console_is(tmp_path: Path) -> None:
    kept = LocalLinkStore.in_folder(tmp_path, "http://gateway")
    link = kept.put(b"<svg xmlns='http://www.w3.org/2000/svg' onload='steal()'/>", "image/svg+xml")
    headers = kept.serve(Request("r", path={"id": link.rpartition("/")[2]})).headers
    assert headers["content-type"] == "image/svg+xml"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= {*policy}
    assert not any(directive.startswith("script-src") or "allow-" in directive for directive in policy)
    assert headers["x-content-type-options"] == "nosniff"


def test_a_folder_forgets_what_is_over(tmp_path: Path) -> None:
    place = in_folder(tmp_path)
    link, upload = place.files.put(PICTURE, "image/png"), place.files.presign_upload()
    for file in tmp_path.rglob("*.*"):
        assert file.stat().st_mode & 0o777 == 0o600
    for file in [found for found in tmp_path.rglob("*") if found.is_file()]:
        os.utime(file, (0, 0))
    for over in (lambda: place.get(link), lambda: place.fill(upload, PICTURE)):
        with pytest.raises(NotFoundError):
            over()
    place.files.put(PICTURE, "image/png")
    assert len(list((tmp_path / "made").iterdir())) == 1


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"host": "127.0.0.1:1234"}, "http://127.0.0.1:1234"),
        ({"host": "llm.example.com", "x-forwarded-proto": "https"}, "https://llm.example.com"),
        ({"host": "h", "x-forwarded-proto": "javascript"}, "http://h"),
        ({}, "http://127.0.0.1:8000"),
    ],
)
def test_a_link_has_the_name_by_which_the_gateway_was_reached(tmp_path: Path, headers: dict[str, str], origin: str) -> None:
    kept = link_store_for(Settings(files_folder=tmp_path), headers)
    assert kept is not None
    assert kept.presign_upload().url.startswith(f"{origin}/links/")


def test_a_bucket_is_reached_by_its_name_in_its_region() -> None:
    kept = link_store_for(Settings(files_bucket="kept", aws=KEPT), {})
    assert kept is not None
    link = kept.presign_upload()
    assert link.url.startswith(f"https://kept.s3.eu-central-1.amazonaws.com/uploads/{link.id}?X-Amz-Algorithm=")
    assert "a-secret" not in repr(kept) + link.url


def test_a_gateway_may_have_no_place() -> None:
    assert link_store_for(Settings(), {}) is None
    with pytest.raises(ServiceUnavailableError) as raised:
        links.require_link_store(None)
    assert raised.value.code == "no_files"
