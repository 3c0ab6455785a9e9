"""A wire case of an operation that generates no text: a folder `<provider>/<operation>/<case>`, as `case.py` has it, but for this.

case.json                may also have `upstream_headers`, those of the answer
request.json             the client's JSON body; an upload is `{"form": {…}, "files": {name: {"name", "content_type", "base64"}}}`
upstream_request.json    the body as JSON, as a form in the same shape, or as `{"base64": ...}`
upstream_response.json, .txt, .bin or .sse
response.json            what the client gets: its JSON body, `{"text": ...}`, `{"base64": ...}`, or an error; of bytes that are
                         passed on as they come also their content type and what was used
chunks.jsonl             the events of a stream
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from haimaker import adapters
from haimaker.http import errors, multipart, sse
from haimaker.http.errors import APIError
from haimaker.http.multipart import UploadedFile
from haimaker.http.values import JSON, Request, UpstreamResponse
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream, OperationRequest, UpstreamBody
from haimaker.pricing.usage import Usage
from haimaker.providers.registry import definition_for, get
from tests.wire.case import ROOT, Case

PARSE = {
    "embeddings": ("embeddings", "parse"),
    "images_generations": ("images", "parse_generation"),
    "images_edits": ("images", "parse_edit"),
    "images_variations": ("images", "parse_variation"),
    "audio_transcriptions": ("transcriptions", "parse_transcription"),
    "audio_translations": ("transcriptions", "parse_translation"),
    "audio_speech": ("speech", "parse"),
    "moderations": ("moderations", "parse"),
    "rerank": ("rerank", "parse"),
}
ENDINGS = ("json", "txt", "bin", "sse")


def find_tasks() -> list[Case]:
    return [Case(file.parent) for file in sorted(ROOT.glob("*/*/*/case.json")) if file.parent.parent.name in PARSE]


def request_of(case: Case) -> OperationRequest:
    return parse(case.operation, sent(case.json("request.json")))


def parse(operation: str, request: Request) -> OperationRequest:
    """Raises APIError."""
    module, name = PARSE[operation]
    task: OperationRequest = getattr(import_module(f"haimaker.operations.{module}"), name)(request)
    return task


def sent(body: JSON) -> Request:
    """As a door hands it on."""
    if "form" not in body and "files" not in body:
        return Request("req-wire", {"content-type": "application/json"}, json.dumps(body).encode())
    fields = [
        (name, each) for name, value in body.get("form", {}).items() for each in (value if isinstance(value, list) else [value])
    ]
    content_type, raw = multipart.encode(fields, [(name, _file(given)) for name, given in body.get("files", {}).items()])
    return Request("req-wire", {"content-type": content_type}, raw)


def attempt_of(case: Case) -> Attempt:
    name, model = case.about["provider"], case.about["model"]
    row = definition_for(get(name), model, case.operation)
    known = find_model(row.catalog.priced_as or name, model) or ModelInfo.unknown(name, model)
    return Attempt("req-wire", 1_700_000_000, row, model, known)


def upstream_requests(case: Case) -> list[JSON]:
    """One, or as many as the provider's limit on what it takes at once makes of it."""
    request, attempt = request_of(case), attempt_of(case)
    adapter: Any = adapters.find(request, attempt)
    parts = request.split(attempt, adapter.most_at_once(attempt)) if hasattr(adapter, "most_at_once") else [request]
    made = [adapter.to_upstream(part, attempt) for part in parts]
    return [
        {
            "path": each.path,
            **({"version": each.version} if each.version else {}),
            "headers": _headers(each.headers),
            "body": _body(each),
            "dropped": list(each.dropped),
        }
        for each in made
    ]


def response_of(case: Case) -> Any:
    """What the client gets for a whole answer, or for bytes."""
    request, attempt, status = request_of(case), attempt_of(case), case.about.get("upstream_status", 200)
    adapter: Any = adapters.find(request, attempt)
    raw = raw_of(case)
    try:
        if status >= 300:
            raise errors.from_upstream(status, adapter.read_error(json.loads(raw)), {})
        headers: Mapping[str, str] = case.about.get("upstream_headers", {"content-type": "application/json"})
        if hasattr(adapter, "from_bytes"):
            return _heard(adapter.from_bytes(UpstreamResponse(200, headers, iter([raw])), request, attempt))
        made = adapter.from_upstream(UpstreamBody(headers, raw), request, attempt)
        content_type, rendered = request.render(made)
        return json.loads(rendered) if content_type.startswith("application/json") else _shown(rendered)
    except APIError as error:
        return {"status": error.status, **error.body()}


def _heard(sound: ByteStream) -> JSON:
    items = list(sound.pieces)
    used = [item for item in items if isinstance(item, Usage)]
    counts = [{name: count for name, count in asdict(tokens).items() if count} for tokens in used]
    shown = _shown(b"".join(item for item in items if not isinstance(item, Usage)))
    return {"content_type": sound.content_type, **shown, "used": counts}


def events_of(case: Case, size: int = 10**9) -> list[JSON]:
    """The events that the client gets for a stream, an error last."""
    request, attempt, raw = request_of(case), attempt_of(case), raw_of(case)
    adapter: Any = adapters.find(request, attempt)
    events: list[JSON] = []
    try:
        pieces = (raw[start : start + size] for start in range(0, len(raw), size))
        for chunk in adapter.from_stream(sse.decode(pieces), request, attempt):
            assert chunk.raw is None or json.loads(chunk.raw) == chunk.body
            events.append(chunk.body)
    except APIError as error:
        events.append({"status": error.status, **error.body()})
    return events


def raw_of(case: Case) -> bytes:
    return next(case.bytes(f"upstream_response.{ending}") for ending in ENDINGS if case.has(f"upstream_response.{ending}"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _file(given: JSON) -> UploadedFile:
    return UploadedFile(given["name"], given["content_type"], base64.b64decode(given["base64"]))


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value.partition("; boundary=")[0] for name, value in headers.items()}


def _body(request: Any) -> Any:
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        form = multipart.decode(content_type, request.body)
        files = [[name, {**_shown(file.data), "name": file.name, "content_type": file.content_type}] for name, file in form.files]
        return {"form": [list(field) for field in form.fields], "files": files}
    return json.loads(request.body) if "json" in content_type else _shown(request.body)


def _shown(data: bytes) -> JSON:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
