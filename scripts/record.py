"""Records a wire case from a real provider: `make record PROVIDER=groq MODEL=llama-3.3-70b-versatile CASE=name REQUEST=file.json`.

Sends the request in `file.json` as the gateway would, with the provider's key from the environment, and writes the folder that
`tests/wire/case.py` describes; look through it before it is committed. Must not write a secret: headers of the answer are left
out, and a file that would hold a credential is refused. Whole answers and server-sent events only.

Where nobody has a key, `ANSWER=answer.json SOURCE=https://…` takes the answer that the vendor's page shows, and asks nobody.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from haimaker import adapters
from haimaker.credentials import headers as credential_headers
from haimaker.credentials.access import connections_from_env
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest, parse_chat
from haimaker.providers.registry import NAMES
from haimaker.validation.settings import SettingsError
from tests.wire import case

TIMEOUTS = Timeouts(10, 300, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    secrets: tuple[str, ...]
    """What let the call in."""


def main(arguments: Sequence[str], environment: Mapping[str, str], root: Path = case.ROOT) -> int:
    """Writes the case; 1, with a word on standard error, where that can't be."""
    asked = _parser().parse_args(arguments)
    folder = root / asked.provider / "chat" / asked.case
    try:
        if bool(asked.answer) != asked.source.startswith("https://"):
            raise ValueError("An answer takes the page that shows it, as its source, and a source an answer.")
        if folder.exists():
            raise ValueError(f"{folder} is there already.")
        request = parse_chat(dumps({"model": f"{asked.provider}/{asked.model}", **json.loads(asked.request.read_bytes())}))
        attempt = case.attempt_at(asked.provider, asked.model, body=request.body)
        answer = Answer(200, asked.answer.read_bytes(), ()) if asked.answer else _ask(request, attempt, environment)
        _write(folder, _files(request, attempt, answer, asked.source), answer.secrets)
    except (SettingsError, TransportError, APIError, OSError, ValueError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 1
    print(f"{folder}: status {answer.status}, {len(answer.body)} bytes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="record", description="Records a wire case.")
    parser.add_argument("provider", choices=sorted(NAMES))
    parser.add_argument("model", help="the provider's own name of it")
    parser.add_argument("case", help="the folder's name: what the case is about")
    parser.add_argument("request", type=Path, help="a file with the client's body")
    parser.add_argument("--answer", type=Path, help="a file with the answer that `source` shows: nobody is asked")
    parser.add_argument("--source", default="", help="the vendor's page")
    return parser


def _ask(request: ChatRequest, attempt: Attempt, environment: Mapping[str, str]) -> Answer:
    provider = attempt.provider
    access = connections_from_env(environment).get(provider.name)
    if access is None:
        raise SettingsError(f"{provider.name} has no credentials here: {provider.name.upper()}_API_KEY.")
    call = adapters.find(request, attempt).to_upstream(request, attempt)
    place = provider.endpoint.path_for(streamed=request.streams)
    call = replace(call, path=access.path_of(call.path, attempt.model, place))
    headers = credential_headers.auth_headers(provider, access, call, time.time())
    response = HTTPClient().send(call, access.base_url, headers, TIMEOUTS, CancelToken())
    secrets = tuple(value.removeprefix("Bearer ") for name, value in headers.items() if name not in call.headers)
    return Answer(response.status, b"".join(response.pieces), secrets)


def _files(request: ChatRequest, attempt: Attempt, answer: Answer, source: str) -> dict[str, bytes]:
    source = source or time.strftime("recorded %Y-%m-%d")
    about: JSON = {"provider": attempt.provider.name, "model": attempt.model, "source": source}
    files = {"request.json": _pretty(request.body), "upstream_request.json": _pretty(case.upstream_request(request, attempt))}
    if request.streams and answer.status < 300:
        chunks = case.chunks(request, [answer.body], attempt)
        files["upstream_response.sse"] = answer.body
        files["chunks.jsonl"] = b"".join(dumps(chunk) + b"\n" for chunk in chunks)
    else:
        body = json.loads(answer.body)
        about |= {"upstream_status": answer.status} if answer.status >= 300 else {}
        files["upstream_response.json"] = _pretty(body)
        files["response.json"] = _pretty(case.response(request, answer.status, body, attempt))
    return {"case.json": _pretty(about), **files}


def _write(folder: Path, files: Mapping[str, bytes], secrets: Sequence[str]) -> None:
    for name, content in files.items():
        if any(secret.encode() in content for secret in secrets if len(secret) >= 8):
            raise ValueError(f"{name} would hold a credential; nothing was written.")
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _pretty(body: object) -> bytes:
    return json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
