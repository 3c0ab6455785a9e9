"""A running gateway as the command line asks it: its address, an administrator's key, and its errors in words."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from haimaker.http import sse
from haimaker.settings.settings import DEFAULT_ADMIN_KEY, is_loopback

from ..installation import START
from ..welcome import base_url
from .stack import OperatorError

JSON = dict[str, Any]
T = TypeVar("T")

KEY_VARIABLES = ("HAIMAKER_KEY", "HAIMAKER_ADMIN_KEY")
TIMEOUT_S = 30.0
STREAM_TIMEOUT_S = 600.0
PIECE = 16 * 1024
PAGE_SIZE = 100


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key is sent to the address that was named, and to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class APIClient:
    """Calls a running gateway with an administrator's key. All methods raise OperatorError."""

    url: str
    """A base_url, as of an SDK; with `/v1` or without."""
    key: str = field(repr=False)

    def get(self, path: str, **query: object) -> JSON:
        asked = {name: value for name, value in query.items() if value is not None}
        return self._answer("GET", f"{path}?{urlencode(asked)}" if asked else path, None)

    def list_all(self, path: str) -> list[JSON]:
        """What answers with a list."""
        with self._open("GET", path, None, TIMEOUT_S) as answer:
            return _parse_answer(answer, self.url, list)

    def post(self, path: str, body: Mapping[str, object]) -> JSON:
        return self._answer("POST", path, json.dumps(body).encode())

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[JSON]:
        """The chunks of a streamed answer as they come."""
        with self._open("POST", path, json.dumps(body).encode(), STREAM_TIMEOUT_S) as answer:
            try:
                for event in sse.decode(iter(lambda: answer.read1(PIECE), b"")):  # type: ignore[attr-defined]
                    if event.data == b"[DONE]":
                        return
                    chunk = json.loads(event.data)
                    if "error" in chunk:
                        raise OperatorError(str(chunk["error"].get("message")))
                    yield chunk
            except (OSError, http.client.HTTPException) as error:
                raise OperatorError(f"The answer broke off: {error}.") from None

    def all_keys(self) -> Iterator[tuple[JSON, int]]:
        """Every key as `/key/info` tells it, and how many there are."""
        number, pages = 1, 1
        while number <= pages:
            page = self.get("/key/list", return_full_object="true", page=number, size=PAGE_SIZE)
            yield from ((key, page["total_count"]) for key in page["keys"])
            number, pages = number + 1, page["total_pages"]

    def _answer(self, method: str, path: str, body: bytes | None) -> JSON:
        with self._open(method, path, body, TIMEOUT_S) as answer:
            return _parse_answer(answer, self.url, dict)

    def _open(self, method: str, path: str, body: bytes | None, timeout_s: float) -> IO[bytes]:
        opener = _opener(self.url)
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json", "user-agent": "haimaker"}
        request = urllib.request.Request(self.url.rstrip("/") + path, body, headers, method=method)  # noqa: S310 (checked above)
        try:
            return opener.open(request, timeout=timeout_s)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            raise OperatorError(self._refusal(error)) from None
        except OSError as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            reason = getattr(reason, "strerror", None) or reason
            hint = f"Start it with {START}, or name another one: --url, --stack or HAIMAKER_URL."
            raise OperatorError(f"No gateway answers at {self.url}: {reason}. {hint}") from None

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        try:
            said = json.loads(error.read())["error"]
            message, code = str(said["message"]), said["code"]
        except (ValueError, KeyError, TypeError, OSError):
            return f"{self.url} answers {error.code}, and not as a haimaker gateway does. Check the address."
        if error.code == 401:
            return f"{message} ({code}) Name another key: export HAIMAKER_KEY=..., or --key-file."
        return message if code in (None, "") else f"{message} ({code})"


def _opener(url: str) -> urllib.request.OpenerDirector:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OperatorError(f"{url!r} is no address of a gateway, such as http://127.0.0.1:8000/v1.")
    no_proxy = [urllib.request.ProxyHandler({})] if is_loopback(parts.hostname) else []
    return urllib.request.build_opener(_NoRedirects(), *no_proxy)


def _parse_answer(answer: IO[bytes], url: str, kind: type[T]) -> T:
    try:
        document = json.load(answer)
    except ValueError:
        document = None
    if not isinstance(document, kind):
        raise OperatorError(f"{url} does not answer as a haimaker gateway does. Check the address.")
    return document


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
