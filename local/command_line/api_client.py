"""A running gateway as the command line asks it: its address, an administrator's key, and its errors in words."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from haimaker.http import sse
from haimaker.settings.settings import DEFAULT_ADMIN_KEY, is_loopback

from ..installation import START
from ..welcome import base_url
from .stack import OperatorError

if TYPE_CHECKING:
    import httpx2

JSON = dict[str, Any]
T = TypeVar("T")

KEY_VARIABLES = ("HAIMAKER_KEY", "HAIMAKER_ADMIN_KEY")
TIMEOUT_S = 30.0
STREAM_TIMEOUT_S = 600.0
PAGE_SIZE = 100
MOST_OF_A_FORM = 4_000_000
"""Bytes of a file that a function of AWS takes in a form, which it is given in base64."""


@dataclass(frozen=True, slots=True)
class APIClient:
    """Calls a running gateway with an administrator's key. All methods raise OperatorError."""

    url: str
    """A base_url, as of an SDK; with `/v1` or without."""
    key: str = field(repr=False)

    def get(self, path: str, **query: object) -> JSON:
        return self._answer("GET", path, dict, query={name: value for name, value in query.items() if value is not None})

    def list_all(self, path: str) -> list[JSON]:
        """What answers with a list."""
        return self._answer("GET", path, list)

    def post(self, path: str, body: Mapping[str, object]) -> JSON:
        return self._answer("POST", path, dict, body)

    def upload(self, file: Path, purpose: str) -> JSON:
        """A file of this machine as one that the gateway keeps, sent as it is read; a large one straight to a stack's bucket."""
        try:
            with file.open("rb") as opened:
                size = file.stat().st_size
                if size > MOST_OF_A_FORM and (kept := self._put_whole(opened, file.name, purpose, size)):
                    return kept
                return self._answer("POST", "/files", dict, {"purpose": purpose}, file=(file.name, opened))
        except OSError as error:
            raise OperatorError(f"{file} can't be read: {error.strerror}.") from None

    def download(self, path: str, file: Path) -> None:
        """Writes an answer to a file of this machine as it comes."""
        try:
            with self._open("GET", path, timeout_s=STREAM_TIMEOUT_S, may_lead_on=True) as answer, file.open("wb") as opened:
                if not answer.is_redirect:
                    opened.writelines(answer.iter_bytes())
                    return
                with _sent_elsewhere("GET", answer.headers["location"]) as kept:
                    opened.writelines(kept.iter_bytes())
        except OSError as error:
            raise OperatorError(f"{file} can't be written: {error.strerror}.") from None

    def _put_whole(self, opened: BinaryIO, name: str, purpose: str, size: int) -> JSON | None:
        """None where the gateway has no address for it, and takes it as any other."""
        asked = {"filename": name, "purpose": purpose, "bytes": size, "mime_type": "application/octet-stream"}
        upload = self.post("/uploads", asked)
        if "upload_url" not in upload:
            self.post(f"/uploads/{upload['id']}/cancel", {})
            return None
        with _sent_elsewhere("PUT", upload["upload_url"], opened, size):
            kept: JSON = self.post(f"/uploads/{upload['id']}/complete", {"part_ids": []})["file"]
        return kept

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[JSON]:
        """The chunks of a streamed answer as they come."""
        with self._open("POST", path, body, timeout_s=STREAM_TIMEOUT_S) as answer:
            for event in sse.decode(answer.iter_bytes()):
                if event.data == b"[DONE]":
                    return
                chunk = json.loads(event.data)
                if "error" in chunk:
                    raise OperatorError(str(chunk["error"].get("message")))
                yield chunk

    def all_keys(self) -> Iterator[tuple[JSON, int]]:
        """Every key as `/key/info` tells it, and how many there are."""
        number, pages = 1, 1
        while number <= pages:
            page = self.get("/key/list", return_full_object="true", page=number, size=PAGE_SIZE)
            yield from ((key, page["total_count"]) for key in page["keys"])
            number, pages = number + 1, page["total_pages"]

    def _answer(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: Mapping[str, object] | None = None,
        query: JSON | None = None,
        file: tuple[str, BinaryIO] | None = None,
    ) -> T:
        with self._open(method, path, body, query, STREAM_TIMEOUT_S if file else TIMEOUT_S, file) as answer:
            try:
                document = json.loads(answer.read())
            except ValueError:
                document = None
        if not isinstance(document, kind):
            raise OperatorError(f"{self.url} does not answer as a haimaker gateway does. Check the address.")
        return document

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: JSON | None = None,
        timeout_s: float = TIMEOUT_S,
        file: tuple[str, BinaryIO] | None = None,
        may_lead_on: bool = False,
    ) -> Iterator["httpx2.Response"]:
        import httpx2

        headers = {b"authorization": b"Bearer " + self.key.encode()} if self.key else {}
        content: JSON = {"data": body, "files": {"file": file}} if file else {"json": body}
        address, answered = self.url.rstrip("/") + path, False
        try:
            with _client(self.url).stream(
                method, address, params=query or None, headers=headers, timeout=timeout_s, **content
            ) as answer:
                answered = True
                if not (answer.is_success or (may_lead_on and answer.is_redirect)):
                    raise OperatorError(self._refusal(answer))
                yield answer
        except httpx2.LocalProtocolError:  # its message has the key in it
            raise OperatorError("The key that is to be asked with is none: there is a control character in it.") from None
        except httpx2.TransportError as error:
            if answered:
                raise OperatorError(f"The answer broke off: {error}.") from None
            hint = f"Start it with {START}, or name another one: --url, --stack or HAIMAKER_URL."
            raise OperatorError(f"No gateway answers at {self.url}: {_reason(error)}. {hint}") from None

    def _refusal(self, answer: "httpx2.Response") -> str:
        try:
            said = json.loads(answer.read())["error"]
            message, code = str(said["message"]), said["code"]
        except (ValueError, KeyError, TypeError):
            return f"{self.url} answers {answer.status_code}, and not as a haimaker gateway does. Check the address."
        if answer.status_code == 401:
            return f"{message} ({code}) Name another key: export HAIMAKER_KEY=..., or --key-file."
        return message if code in (None, "") else f"{message} ({code})"


@contextmanager
def _sent_elsewhere(method: str, url: str, content: BinaryIO | None = None, size: int = 0) -> Iterator["httpx2.Response"]:
    """A request without the key, to the place for files that the gateway named. Raises OperatorError."""
    import httpx2

    headers = {"content-length": str(size)} if content else {}
    try:
        with _client(url).stream(method, url, content=content, headers=headers, timeout=STREAM_TIMEOUT_S) as answer:
            if not answer.is_success:
                raise OperatorError(f"The place for files answers {answer.status_code}.")
            yield answer
    except httpx2.TransportError as error:
        raise OperatorError(f"The place for files can't be reached: {_reason(error)}.") from None


def check_address(url: str) -> str:
    """Raises OperatorError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OperatorError(f"{url!r} is no address of a gateway, such as http://127.0.0.1:8000/v1.")
    return url


@cache
def _client(url: str) -> "httpx2.Client":
    """Keeps its connection. A key goes to the address that was named and to no other: redirects are not followed, and the
    environment's proxies get nothing that is for this machine. Raises OperatorError."""
    import httpx2  # here, since `haimaker` alone serves, which needs none of it

    parts = urlsplit(check_address(url))
    try:
        return httpx2.Client(
            headers={"user-agent": "haimaker"},
            trust_env=not is_loopback(parts.hostname or ""),
            verify=parts.scheme == "https",  # reading certificates takes 20 ms, which an address without TLS does not need
        )
    except (ValueError, OSError) as error:  # of a proxy's address, or of certificates
        raise OperatorError(f"The environment's settings of proxies and certificates can't be used: {error}.") from None


def _reason(error: BaseException) -> str:
    """What the system says of a connection that failed, without its number."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def local_url(environment: Mapping[str, str] = os.environ) -> str:
    port = environment.get("PORT", "")
    return base_url(environment.get("HOST", "127.0.0.1"), int(port) if port.isdigit() else 8000)


def key_of(url: str, key_file: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The key from the file, else from the environment. The local gateway's default key is sent to this machine only."""
    if key_file is not None:
        try:
            return Path("/dev/stdin" if key_file == "-" else key_file).read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(f"{key_file} can't be read: {error}.") from None
    given = next((environment[name] for name in KEY_VARIABLES if environment.get(name)), None)
    if given is None and not is_loopback(urlsplit(url).hostname or ""):
        raise OperatorError("An administrator's key is needed: export HAIMAKER_KEY=... (make admin-key makes one), or --key-file.")
    return (given or DEFAULT_ADMIN_KEY).strip()
