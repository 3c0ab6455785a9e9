"""Where content goes: an object that is signed as AWS wants it, or a file that only its owner reads, and when neither can be."""

import json
import os
import threading
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from haimaker.aws.access import AWSAccess
from haimaker.aws.s3 import S3Bucket
from haimaker.aws.sigv4 import Credentials
from haimaker.content import log as content_log
from haimaker.content.log import ContentLog, LocalSink, S3Sink, SinkError, name_of
from haimaker.observability.observer import Observer
from haimaker.observability.redaction import Redaction
from haimaker.settings.settings import Settings
from tests.support import builders
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

CREDENTIALS = Credentials("AKID", "secret", "token")
NAME = "2026-11-22/req-1.json"


class Told(Observer):
    """Keeps what the deployer would read."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def error(self, message: str, **fields: object) -> None:
        self.problems.append(f"{message} {fields}")

    def exception(self, error: BaseException, **fields: object) -> None:
        self.problems.append(type(error).__name__)


class Shelf:
    """A place that can be slow, or fail."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.error: Exception | None = None

    def write(self, name: str, entry: bytes) -> None:
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        self.kept[name] = entry


def test_an_object_is_put_once_and_signed_as_aws_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeUpstream() as s3:
        address = s3.url.rsplit("/v1", 1)[0]
        s3.answers(Reply.raw(200))
        S3Sink(S3Bucket("a-bucket", AWSAccess("eu-central-1", CREDENTIALS, s3_endpoint=address), content_log.TIMEOUTS)).write(
            NAME, b'{"a": 1}'
        )
        [call] = s3.calls
    assert (call.method, call.path, call.body) == ("PUT", f"/a-bucket/content/{NAME}", b'{"a": 1}')
    assert call.headers["x-amz-content-sha256"] == sha256(b'{"a": 1}').hexdigest()
    sent = {name: call.headers[name] for name in ("content-type", "x-amz-content-sha256")}
    now = datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    theirs = botocore.awsrequest.AWSRequest("PUT", f"{address}{call.path}", sent, call.body)
    known = botocore.credentials.Credentials("AKID", "secret", "token")
    botocore.auth.S3SigV4Auth(known, "s3", "eu-central-1").add_auth(theirs)
    assert call.headers["authorization"] == theirs.headers["Authorization"]


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
def test_a_bucket_that_refuses_or_fails_is_asked_once_and_told_without_its_address(reply: Reply, message: str) -> None:
    with FakeUpstream() as s3:
        s3.answers(reply)
        address = s3.url.rsplit("/v1", 1)[0]
        with pytest.raises(SinkError) as refused:
            S3Sink(S3Bucket("a-bucket", AWSAccess("eu-central-1", CREDENTIALS, s3_endpoint=address), content_log.TIMEOUTS)).write(
                NAME, b"{}"
            )
        assert len(s3.calls) == 1
    assert address.split("//")[1] not in str(refused.value)
    assert message == "closed the connection" or message in str(refused.value)


def test_files_are_their_owners_alone_and_old_days_are_deleted(tmp_path: Path) -> None:
    folder = LocalSink(tmp_path / "content", days=30)
    for name in ("2020-01-01", "notes", "2999-01-01"):
        (tmp_path / "content" / name).mkdir(parents=True)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    folder.write(f"{today}/req-1.json", b"{}")
    file = tmp_path / "content" / today / "req-1.json"
    assert (file.read_bytes(), file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (b"{}", 0o600, 0o700)
    assert sorted(each.name for each in (tmp_path / "content").iterdir()) == sorted([today, "2999-01-01", "notes"])


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "content").write_text("a file")
    with pytest.raises(SinkError, match="the folder can't be written"):
        LocalSink(tmp_path / "content", days=30).write(NAME, b"{}")


def write(log: ContentLog, asked: dict[str, object] | None = None) -> bool:
    transcript = log.begin(asked or {"prompt": "Hi"}, "req-1")
    if transcript is None:
        return False
    transcript.end(builders.record())
    return True


def test_content_is_written_beside_and_can_be_waited_for() -> None:
    shelf, observer = Shelf(), Told()
    log = ContentLog(shelf, Redaction(), observer)
    assert log.wait(0)
    assert write(log)
    assert not log.wait(0)
    shelf.gate.set()
    assert log.wait(10)
    [(name, entry)] = shelf.kept.items()
    assert name == name_of(builders.record()) == "1970-01-01/req-1.json"
    assert json.loads(entry)["request"] == {"prompt": "Hi"}
    assert observer.problems == []


@pytest.mark.parametrize(
    ("error", "told"), [(SinkError("status 403"), "content not kept: status 403"), (KeyError("x"), "KeyError")]
)
def test_what_can_not_be_written_is_told_and_forgotten(error: Exception, told: str) -> None:
    shelf, observer = Shelf(), Told()
    shelf.gate.set()
    log = ContentLog(shelf, Redaction(), observer)
    shelf.error = error
    assert write(log)
    assert log.wait(10)
    shelf.error = None
    assert write(log)
    assert log.wait(10)
    assert len(shelf.kept) == 1
    assert [problem.startswith(told) for problem in observer.problems] == [True]


def test_while_too_much_waits_nothing_more_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_log, "MAX_WAITING", 2)
    shelf, observer = Shelf(), Told()
    log = ContentLog(shelf, Redaction(), observer)
    assert [write(log) for _ in range(3)] == [True, True, False]
    assert "too much waits" in observer.problems[0]
    shelf.gate.set()
    assert log.wait(10)
    assert write(log)


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        ({"HAIMAKER_LOG_CONTENT": "true", "HAIMAKER_CONTENT_DAYS": "7"}, LocalSink),
        ({"HAIMAKER_CONTENT_BUCKET": "b", "STORE": "dynamodb", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID",
          "AWS_SECRET_ACCESS_KEY": "s"}, S3Sink),
    ],
)  # fmt: skip
def test_the_settings_say_where(environment: dict[str, str], place: type | None, tmp_path: Path) -> None:
    log = content_log.content_log(Settings.from_environment({"HAIMAKER_HOME": str(tmp_path), **environment}), Told())
    assert (type(log.sink) if log else None) is place
    if log and isinstance(log.sink, LocalSink):
        assert (log.sink.folder, log.sink.days) == (tmp_path / "content", 7)
    assert os.listdir(tmp_path) == []
