"""A wire case: a folder `<provider>/<operation>/<case>` with what a client sent, what a provider got and said, and what it gets.

    case.json                which provider and model, and where its shapes come from
    request.json             the client's body
    upstream_request.json    path, headers and body of the call, and what was dropped of the client's parameters
    upstream_response.json   a whole answer, and response.json, what becomes of it
    upstream_response.sse    a streamed answer, and chunks.jsonl, what becomes of it; an error is the last line
    upstream_events.jsonl    the same of a provider that streams in AWS's binary format: a line per event, its name and its body

Nothing here reads a network: `make record` does, and writes such a folder.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haimaker import adapters
from haimaker.adapters import Adapter
from haimaker.http import errors, eventstream, sse
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Event
from haimaker.models.catalog import ModelInfo
from haimaker.models.matching import traits_of
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import TextRequest, parse_chat
from haimaker.operations.completions import parse_completion
from haimaker.providers.registry import chat_operation, definition_for, get
from tests.support import event_messages
from tests.support.builders import result_of

ROOT = Path(__file__).parent
PARSE: Mapping[str, Callable[[bytes], TextRequest]] = {"chat": parse_chat, "completions": parse_completion}
"""What reads a client's body, by operation."""
Decode = Callable[[Iterable[bytes]], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class Case:
    folder: Path

    @property
    def name(self) -> str:
        return "/".join(self.folder.relative_to(ROOT).parts) if self.folder.is_relative_to(ROOT) else self.folder.name

    @property
    def about(self) -> JSON:
        return dict(self.json("case.json"))

    def has(self, file: str) -> bool:
        return (self.folder / file).is_file()

    def bytes(self, file: str) -> bytes:
        return (self.folder / file).read_bytes()

    def json(self, file: str) -> Any:
        return json.loads(self.bytes(file))

    def expected_chunks(self) -> list[Any]:
        return [json.loads(line) for line in self.bytes("chunks.jsonl").splitlines()]

    @property
    def streams(self) -> bool:
        return self.has("upstream_response.sse") or self.has("upstream_events.jsonl")

    @property
    def operation(self) -> str:
        return self.folder.parent.name

    def request(self) -> TextRequest:
        return PARSE[self.operation](self.bytes("request.json"))

    def attempt(self) -> Attempt:
        about = self.about
        return attempt_at(about["provider"], about["model"], about.get("max_output_tokens"), self.json("request.json"))


def attempt_at(provider: str, model: str, max_output_tokens: int | None = None, body: JSON | None = None) -> Attempt:
    """The same whenever a case is recorded or replayed; `body` is the client's."""
    asked, row = body or {}, get(provider)
    traits = traits_of(provider, model, assumed=row.family)
    operation = chat_operation(row, model, traits, asked.get("reasoning_effort"), has_tools="tools" in asked)
    row = definition_for(row, model, operation)
    return Attempt("req-wire", 1_700_000_000, row, model, ModelInfo.unknown(row.name, model), max_output_tokens)


def find(operation: str) -> list[Case]:
    return [Case(file.parent) for file in sorted(ROOT.glob(f"*/{operation}/*/case.json"))]


def upstream_request(request: TextRequest, attempt: Attempt) -> JSON:
    made = adapters.find(request, attempt).to_upstream(request, attempt)
    return {"path": made.path, "headers": dict(made.headers), "body": json.loads(made.body), "dropped": list(made.dropped)}


def response(request: TextRequest, status: int, body: Any, attempt: Attempt) -> JSON:
    """What a client gets for a whole answer; of an error its status as well."""
    adapter: Adapter = adapters.find(request, attempt)
    try:
        if status >= 300:
            raise errors.from_upstream(status, adapter.read_error(body), {})
        return result_of(adapter, body, attempt, request)
    except APIError as error:
        return _told(error)


def stream_of(case: Case) -> bytes:
    if case.has("upstream_response.sse"):
        return case.bytes("upstream_response.sse")
    return event_messages.stream(json.loads(line) for line in case.bytes("upstream_events.jsonl").splitlines())


def decoder_of(case: Case) -> Decode:
    return sse.decode if case.has("upstream_response.sse") else eventstream.decode


def chunks(request: TextRequest, pieces: Iterable[bytes], attempt: Attempt, decode: Decode = sse.decode) -> Iterator[JSON]:
    """What a client gets for a stream, an error last. The bytes that pass untouched have to say the same."""
    adapter: Adapter = adapters.find(request, attempt)
    try:
        for chunk in adapter.from_stream(decode(pieces), request, attempt):
            assert chunk.raw is None or json.loads(chunk.raw) == chunk.body
            yield chunk.body
    except APIError as error:
        yield _told(error)


def _told(error: APIError) -> JSON:
    return {"status": error.status, **error.body()}
