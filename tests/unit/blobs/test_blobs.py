"""One suite for each store of blobs: a folder, and a bucket in an emulator of S3; then what each has of its own."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx
import pytest
from moto.server import ThreadedMotoServer

from haimaker.aws.access import AWSAccess
from haimaker.aws.sigv4 import Credentials
from haimaker.blobs import BlobError, BlobNotFound, BlobStore, BlobTooLarge
from haimaker.blobs.folder import FolderBlobs
from haimaker.blobs.s3 import S3Blobs
from haimaker.http.client import Timeouts
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

CREDENTIALS = Credentials("AKID", "a-secret", "a token/+=")
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=30, between_s=30)
LOCATION = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
KEY = "made/a-name_of-32.png"
LIFETIME_S = 3_600


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/kept", content=LOCATION)
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, prefix: str = "") -> S3Blobs:
    return S3Blobs("kept", AWSAccess("eu-central-1", CREDENTIALS, s3_endpoint=endpoint), TIMEOUTS, prefix)


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs", LIFETIME_S, address="http://127.0.0.1:8000/links")
    return bucket(request.getfixturevalue("s3"), f"{request.node.name}/")


def test_what_was_put_can_be_read_until_it_is_replaced(blobs: BlobStore) -> None:
    for key, data in ((KEY, PICTURE), ("2026-11-29/req-1.json", b'{"a": "\xc3\xbc"}'), (KEY, b""), (KEY, PICTURE * 1_000)):
        blobs.put(key, data, "image/png")
        assert blobs.get(key, len(data)) == data
    assert blobs.get("2026-11-29/req-1.json", 100) == b'{"a": "\xc3\xbc"}'


def test_a_blob_comes_and_goes_in_pieces(blobs: BlobStore) -> None:
    assert blobs.put_pieces(KEY, iter([b"ab", b"", PICTURE]), "image/png") == len(PICTURE) + 2
    assert b"".join(blobs.pieces(KEY)) == b"ab" + PICTURE == blobs.get(KEY, 1_000)
    with pytest.raises(BlobNotFound):
        blobs.pieces("made/another.png")


def test_a_blob_whose_pieces_break_off_is_not_there(blobs: BlobStore) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"ab"
        raise LookupError

    with pytest.raises(LookupError):
        blobs.put_pieces(KEY, breaking(), "image/png")
    with pytest.raises(BlobNotFound):
        blobs.get(KEY, 1_000)


def test_a_large_blob_is_written_in_parts_and_read_from_anywhere(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.blobs.s3.PART_BYTES", 5 * 1024 * 1024)
    piece = bytes(range(256)) * 4_096
    assert blobs.put_pieces(KEY, (piece for _ in range(7)), "image/png") == 7 * len(piece) == blobs.size(KEY)
    assert blobs.get(KEY, 7 * len(piece)) == piece * 7
    for first, end in ((0, 1), (len(piece) - 1, len(piece) + 2), (5 * len(piece), 7 * len(piece)), (3, 3)):
        assert blobs.get_range(KEY, first, end) == (piece * 7)[first:end]
    for ask in (blobs.size, lambda key: blobs.get_range(key, 0, 1)):
        with pytest.raises(BlobNotFound):
            ask("made/another.png")


def test_parts_of_a_blob_that_breaks_off_are_not_kept(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.blobs.s3.PART_BYTES", 1_000)

    def breaking() -> Iterator[bytes]:
        yield bytes(1_001)
        raise LookupError

    with pytest.raises(LookupError):
        bucket(s3).put_pieces(KEY, breaking(), "image/png")
    assert "<UploadId>" not in httpx.get(f"{s3}/kept?uploads").text


def test_a_link_may_be_for_so_many_bytes_and_no_others(s3: str) -> None:
    link = bucket(s3).link("PUT", KEY, 60, len(PICTURE))
    assert "X-Amz-SignedHeaders=content-length%3Bhost" in link
    assert httpx.put(link, content=PICTURE).status_code == 200
    assert bucket(s3).size(KEY) == len(PICTURE)


@pytest.mark.parametrize("key", ["made/another.png", "uploads/a-name_of-32.png", "never/x", "made", f"made/{'a' * 300}"])
def test_what_was_not_put_is_not_there(blobs: BlobStore, key: str) -> None:
    blobs.put(KEY, PICTURE, "image/png")
    with pytest.raises(BlobNotFound):
        blobs.get(key, 1_000)


def test_what_was_deleted_is_not_there(blobs: BlobStore) -> None:
    blobs.put(KEY, PICTURE, "image/png")
    for _ in range(2):  # the second time there is none
        blobs.delete(KEY)
        with pytest.raises(BlobNotFound):
            blobs.get(KEY, 1_000)


@pytest.mark.parametrize(("max_bytes", "fits"), [(len(PICTURE), True), (len(PICTURE) - 1, False), (0, False)])
def test_no_more_is_read_than_wanted(blobs: BlobStore, max_bytes: int, fits: bool) -> None:
    blobs.put(KEY, PICTURE, "image/png")
    if fits:
        assert blobs.get(KEY, max_bytes) == PICTURE
        return
    with pytest.raises(BlobTooLarge):
        blobs.get(KEY, max_bytes)


def test_each_blob_has_a_link_of_its_own(blobs: BlobStore) -> None:
    links = {blobs.link(method, key, 60) for method in ("GET", "PUT") for key in ("made/a.png", "uploads/b")}
    assert all(link.startswith("http://127.0.0.1:") for link in links)
    assert len({link.partition("?")[0] for link in links}) == 2


def test_what_has_not_ended_stays(blobs: BlobStore) -> None:
    blobs.put(KEY, PICTURE, "image/png")
    blobs.delete_expired()
    assert blobs.get(KEY, 1_000) == PICTURE


def test_a_store_that_fails_says_so_without_its_address(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for failing in (FolderBlobs(tmp_path / "file", LIFETIME_S), bucket("http://127.0.0.1:9")):
        with pytest.raises(BlobError) as raised:
            failing.put(KEY, PICTURE, "image/png")
        with pytest.raises(BlobError):
            failing.delete(KEY)
        assert str(tmp_path) not in str(raised.value)
        assert "127.0.0.1" not in str(raised.value)


# A folder


def age(folder: Path, moment_s: float = 0.0) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (moment_s, moment_s))


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    FolderBlobs(tmp_path / "blobs", LIFETIME_S).put(KEY, PICTURE, "image/png")
    file = tmp_path / "blobs" / KEY
    assert [each.stat().st_mode & 0o777 for each in (file, file.parent)] == [0o600, 0o700]


def test_a_folder_forgets_what_has_ended_with_its_days_and_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    kept = FolderBlobs(tmp_path, LIFETIME_S, "????-??-??")
    for key in ("2020-01-01/a.json", "2020-01-02/b.json", "2020-01-02/c.json"):
        kept.put(key, b"{}", "application/json")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("somebody else's")
    age(tmp_path)
    kept.put("2020-01-02/c.json", b"{}", "application/json")
    with pytest.raises(BlobNotFound):
        kept.get("2020-01-01/a.json", 10)
    kept.delete_expired()
    left = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")}
    assert left == {"2020-01-02", "2020-01-02/c.json", "notes", "notes/mine.txt"}


def test_a_blob_that_is_filled_later_ends_when_it_would_have(tmp_path: Path) -> None:
    kept = FolderBlobs(tmp_path, LIFETIME_S)
    kept.put("uploads/x", b"", "")
    opened_s = round(time.time()) - LIFETIME_S + 60
    age(tmp_path, opened_s)
    kept.refill("uploads/x", [b"ab", b"c"])
    assert (kept.get("uploads/x", 10), (tmp_path / "uploads" / "x").stat().st_mtime) == (b"abc", opened_s)
    assert kept.list_names("uploads") == ["x"]
    age(tmp_path)
    assert (kept.list_names("uploads"), kept.list_names("nowhere"), kept.has("uploads/x")) == ([], [], False)


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    kept = FolderBlobs(tmp_path, LIFETIME_S)
    kept.put("uploads/x", b"before", "")

    def pieces() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionError

    with pytest.raises(BlobError):
        kept.refill("uploads/x", pieces())
    assert kept.get("uploads/x", 10) == b"before"
    assert [file.name for file in (tmp_path / "uploads").iterdir()] == ["x"]


def test_a_folder_is_not_deleted_from_under_who_writes_into_it(tmp_path: Path) -> None:
    kept, failures = FolderBlobs(tmp_path, LIFETIME_S), []

    def write(name: str) -> None:
        try:
            for number in range(100):
                kept.put(f"day/{name}-{number}", b"x", "")
                os.utime(tmp_path / "day" / f"{name}-{number}", (0, 0))
                kept.delete_expired()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# A bucket


def test_an_object_is_put_once_and_signed_as_aws_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream() as fake:
        address = fake.url.rsplit("/v1", 1)[0]
        fake.answers(Reply.raw(200))
        bucket(address, "content/").put("2026-11-22/req-1.json", b'{"a": 1}', "application/json")
        [call] = fake.calls
    assert (call.method, call.path, call.body) == ("PUT", "/kept/content/2026-11-22/req-1.json", b'{"a": 1}')
    assert call.headers["x-amz-content-sha256"] == sha256(b'{"a": 1}').hexdigest()
    sent = {name: call.headers[name] for name in ("content-type", "x-amz-content-sha256")}
    now = datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    theirs = botocore.awsrequest.AWSRequest("PUT", f"{address}{call.path}", sent, call.body)
    known = botocore.credentials.Credentials(CREDENTIALS.access_key_id, "a-secret", CREDENTIALS.session_token)
    botocore.auth.S3SigV4Auth(known, "s3", "eu-central-1").add_auth(theirs)
    assert call.headers["authorization"] == theirs.headers["Authorization"]


def test_a_link_leads_to_the_blob_and_to_no_other_method(s3: str) -> None:
    kept = bucket(s3, "linked/")
    assert httpx.put(kept.link("PUT", KEY, 60), content=PICTURE).status_code == 200
    answer = httpx.get(kept.link("GET", KEY, 60))
    assert (answer.status_code, answer.content, kept.get(KEY, 1_000)) == (200, PICTURE, PICTURE)
    kept.put(KEY, PICTURE, "image/webp")
    assert httpx.get(kept.link("GET", KEY, 60)).headers["content-type"] == "image/webp"
    assert "a-secret" not in kept.link("GET", KEY, 60) + repr(kept)


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-central-1", "https://a-bucket.s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "https://a-bucket.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_bucket_is_where_its_region_has_it(region: str, address: str) -> None:
    assert AWSAccess(region, CREDENTIALS).bucket_address("a-bucket", "content/x") == (address, "/content/x")


@pytest.mark.parametrize(
    ("reply", "message"), [(Reply.raw(403), "the bucket answered with status 403"), (Reply.hangup(), "closed the connection")]
)
def test_a_bucket_that_refuses_or_fails_is_asked_once_and_named_without_its_address(reply: Reply, message: str) -> None:
    with FakeUpstream() as fake:
        fake.answers(reply)
        address = fake.url.rsplit("/v1", 1)[0]
        with pytest.raises(BlobError) as refused:
            bucket(address).put(KEY, b"{}", "application/json")
        assert len(fake.calls) == 1
    assert address.split("//")[1] not in str(refused.value)
    assert message == "closed the connection" or message in str(refused.value)
