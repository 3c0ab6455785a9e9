"""Providers with batches of their own, as strict as their pages: what they are sent is read by their SDKs' types, and a batch goes
through its states one look after another.

    vendor = OpenAIVendor(answer)             # answer(body) -> the response of a line: status and body
    upstream.answers(vendor)
    vendor.batches["batch_1"].requests        # what was sent, by custom id

It must not know the gateway.
"""

import email
import email.policy
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from anthropic.types.messages.batch_create_params import BatchCreateParams as AnthropicBatch
from google.genai import types as gemini
from mistralai.client.models import BatchJob, CreateBatchJobRequest
from openai.types.batch_create_params import BatchCreateParams as OpenAIBatch
from pydantic import TypeAdapter

from tests.support.fake_upstream import Call
from tests.support.reply import JSON, Reply

OPENAI_BATCH: TypeAdapter[Any] = TypeAdapter(OpenAIBatch)
MISTRAL_BATCH: TypeAdapter[Any] = TypeAdapter(CreateBatchJobRequest)
ANTHROPIC_BATCH: TypeAdapter[Any] = TypeAdapter(AnthropicBatch)
GEMINI_CONTENTS: TypeAdapter[Any] = TypeAdapter(list[gemini.Content])

Answer = Callable[[JSON], tuple[int, JSON] | None]
"""What a request is answered: a status and a body; None where the batch ends before it is made."""


@dataclass
class VendorBatch:
    id: str
    requests: dict[str, JSON]
    """By custom id, the bodies."""
    path: str = ""
    file_id: str = ""
    name: str = ""
    looks: int = 0
    """How often it was looked at."""
    is_cancelled: bool = False
    fails: str = ""
    created_s: float = field(default_factory=time.time)
    answers: dict[str, tuple[int, JSON] | None] = field(default_factory=dict)


class Vendor:
    """What all have in common: batches by id, which end at their `ends_at`-th look, or when they were cancelled."""

    def __init__(self, answer: Answer, *, ends_at: int = 2) -> None:
        self.answer, self.ends_at = answer, ends_at
        self.batches: dict[str, VendorBatch] = {}
        self.files: MutableMapping[str, bytes] = {}
        self.refusals: list[Reply] = []
        """Given, one after another, to whoever asks for a batch."""
        self.swallows = 0
        """How many batches are begun while the caller is answered 500."""
        self.fails = ""
        """Why the next batches fail as a whole."""
        self.ordinary: list[JSON] = []
        """Bodies of ordinary calls."""
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Reply:
        with self._lock:
            return self.route(call)

    def route(self, call: Call) -> Reply:
        raise NotImplementedError

    def begin(self, batch: VendorBatch) -> Reply:
        if self.refusals:
            return self.refusals.pop(0)
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", custom_id) for custom_id in batch.requests)
        batch.fails = self.fails
        self.batches[batch.id] = batch
        if self.swallows:
            self.swallows -= 1
            return Reply.json(500, {"error": {"message": "The answer is lost.", "code": None}})
        return Reply.json(200, self.show(batch))

    def look(self, batch_id: str) -> Reply:
        if batch_id not in self.batches:
            return Reply.json(404, {"error": {"message": f"No batch found with id '{batch_id}'.", "code": None}})
        batch = self.batches[batch_id]
        batch.looks += 1
        if self.has_ended(batch) and not batch.answers and not batch.fails:
            batch.answers = {
                custom_id: None if batch.is_cancelled else self.answer(body) for custom_id, body in batch.requests.items()
            }
        return Reply.json(200, self.show(batch))

    def cancel(self, batch_id: str) -> Reply:
        self.batches[batch_id].is_cancelled = True
        return Reply.json(200, self.show(self.batches[batch_id]))

    def ordinarily(self, call: Call) -> Reply:
        assert call.method == "POST", call.path
        self.ordinary.append(call.json)
        status, body = self.answer(call.json) or (500, {"error": {"message": "no", "code": None}})
        return Reply.json(status, body)

    def show(self, batch: VendorBatch) -> JSON:
        raise NotImplementedError

    def has_ended(self, batch: VendorBatch) -> bool:
        return batch.looks >= self.ends_at or batch.is_cancelled

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{len(self.batches) + len(self.files) + 1}"


class OpenAIVendor(Vendor):
    """https://platform.openai.com/docs/api-reference/batch, …/files; with `lists`, its list of batches is that of the page."""

    line_fields = frozenset({"custom_id", "method", "url", "body"})
    prefix = "/v1"
    upload_path, purpose = "/v1/files", "batch"
    more_fields: tuple[str, ...] = ("output_expires_after",)
    most_inputs = 50_000

    def route(self, call: Call) -> Reply:
        path = call.path.removeprefix("/v1/openai")  # Azure's
        if (call.method, path) == ("POST", self.upload_path):
            return self.upload(call)
        if (call.method, path) == ("POST", "/v1/batches"):
            return self.create(call.json)
        if call.method == "GET" and path.startswith("/v1/batches?"):
            return Reply.json(
                200, {"object": "list", "data": [*map(self.show, reversed(self.batches.values()))], "has_more": False}
            )
        if found := re.fullmatch(r"/v1/batches/(\w+)/cancel", path):
            assert call.method == "POST"
            return self.cancel(found[1])
        if found := re.fullmatch(r"/v1/batches/(\w+)", path):
            assert call.method == "GET"
            return self.look(found[1])
        if found := re.fullmatch(r"/v1/files/([\w-]+)/content", path):
            return Reply.raw(200, self.content(found[1]), {"content-type": "application/octet-stream"})
        return self.ordinarily(call)

    def upload(self, call: Call) -> Reply:
        form = read_form(call)
        assert form["purpose"] == self.purpose.encode()
        expiry = {name.partition("[")[2][:-1]: value.decode() for name, value in form.items() if name.startswith("expires_after")}
        assert not expiry or (
            self.more_fields and expiry["anchor"] == "created_at" and 1_209_600 <= int(expiry["seconds"]) <= 2_592_000
        )
        file_id = self.new_id("file-")
        self.files[file_id] = form["file"]
        return Reply.json(200, {"id": file_id, "object": "file", "purpose": self.purpose, "bytes": len(form["file"])})

    def create(self, body: JSON) -> Reply:
        endpoint = f"/v1{body['endpoint'].removeprefix('/v1')}"
        OPENAI_BATCH.validate_python(body | {"endpoint": endpoint}, strict=True)
        assert body.keys() <= {"input_file_id", "endpoint", "completion_window", "metadata", *self.more_fields}
        requests: dict[str, JSON] = {}
        for line in map(json.loads, self.files[body["input_file_id"]].splitlines()):
            assert line.keys() == self.line_fields
            if "url" in self.line_fields:
                assert (line["method"], line["url"]) == ("POST", body["endpoint"])
            assert line["custom_id"] not in requests
            assert not line["body"].get("stream")
            requests[line["custom_id"]] = line["body"]
        assert len({request["model"] for request in requests.values()}) == 1, "a file is for one model"
        assert body["endpoint"].startswith(f"{self.prefix}/")
        inputs = [request["input"] for request in requests.values()] if body["endpoint"].endswith("/embeddings") else []
        assert sum(len(each) if isinstance(each, list) and isinstance(each[0], str) else 1 for each in inputs) <= self.most_inputs
        return self.begin(VendorBatch(self.new_id("batch_"), requests, body["endpoint"], body["input_file_id"]))

    def show(self, batch: VendorBatch) -> JSON:
        status = "validating" if not batch.looks else "failed" if batch.fails else "in_progress"
        if self.has_ended(batch) and batch.looks and not batch.fails:
            status = "cancelled" if batch.is_cancelled else "completed"
            if not batch.is_cancelled and None in batch.answers.values():
                status = "expired"
        answers = [answer for answer in batch.answers.values() if answer]
        good = sum(status < 400 for status, _ in answers)
        files = {"output_file_id": f"{batch.id}-output" if good else None, "error_file_id": f"{batch.id}-error"}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.path,
            "input_file_id": batch.file_id,
            "status": status,
            "completion_window": "24h",
            "created_at": int(batch.created_s),
            "metadata": None,
            **(files if status in ("completed", "cancelled", "expired") else {"output_file_id": None, "error_file_id": None}),
            "errors": {"object": "list", "data": [{"code": "x", "message": batch.fails}]} if batch.fails else None,
            "request_counts": {"total": len(batch.requests), "completed": good, "failed": len(answers) - good},
        }

    def content(self, file_id: str) -> bytes:
        batch_id, _, kind = file_id.rpartition("-")
        rows = []
        for custom_id, answer in reversed(self.batches[batch_id].answers.items()):  # in no order
            if answer is None and kind == "error":
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                rows.append({"id": f"r-{custom_id}", "custom_id": custom_id, "response": None, "error": error})
            elif answer and (answer[0] < 400) == (kind == "output"):
                response = {"status_code": answer[0], "request_id": "req_1", "body": answer[1]}
                rows.append({"id": f"r-{custom_id}", "custom_id": custom_id, "response": response, "error": None})
        return "".join(json.dumps(row) + "\n" for row in rows).encode()


class GroqVendor(OpenAIVendor):
    """https://console.groq.com/docs/api-reference#batches-create"""

    more_fields = ()


class AzureVendor(OpenAIVendor):
    """https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch: files last 14 to 30 days, where that is said, and can be
    used when they are processed. Statuses, codes and the form of errors are those of `authoring/stable/2024-10-21` in
    https://github.com/Azure/azure-rest-api-specs/tree/main/specification/cognitiveservices/data-plane/AzureOpenAI."""

    prefix = ""

    def __init__(self, answer: Answer, *, ends_at: int = 2) -> None:
        super().__init__(answer, ends_at=ends_at)
        self.file_states: dict[str, list[str]] = {}
        """By the id of a file, its states to come, one look after another; the last one stays."""
        self.becomes = ("pending", "running", "processed")

    def route(self, call: Call) -> Reply:
        if found := re.fullmatch(r"/v1/openai/v1/files/([\w-]+)", call.path):
            assert (call.method, call.body) == ("GET", b"")
            states = self.file_states[found[1]]
            if len(states) > 1:
                states.pop(0)
            return Reply.json(200, self.show_file(found[1]))
        return super().route(call)

    def upload(self, call: Call) -> Reply:
        super().upload(call)
        file_id = next(reversed(self.files))
        self.file_states[file_id] = list(self.becomes)
        return Reply.json(201, self.show_file(file_id))

    def show_file(self, file_id: str) -> JSON:
        told = {"id": file_id, "object": "file", "purpose": "batch", "filename": "lines.jsonl", "created_at": 1}
        return told | {"bytes": len(self.files[file_id]), "status": self.file_states[file_id][0]}

    def create(self, body: JSON) -> Reply:
        state = self.file_states[body["input_file_id"]][0]
        if state != "processed":
            message = f"The input file '{body['input_file_id']}' is in '{state}' state."
            return Reply.json(400, {"error": {"code": "invalidPayload", "message": message}})
        return super().create(body)

    def show(self, batch: VendorBatch) -> JSON:
        """What failed has one object as its errors' data, and lines are text."""
        shown = super().show(batch)
        if shown["errors"]:
            shown["errors"]["data"] = {"code": "x", "message": batch.fails, "param": None, "line": "1"}
        return shown


class TogetherVendor(OpenAIVendor):
    """https://docs.together.ai/docs/inference/batch/tutorial, https://docs.together.ai/reference/batch-create, …/batch-list: a bare
    list."""

    line_fields = frozenset({"custom_id", "body"})
    upload_path, purpose = "/v1/files/upload", "batch-api"
    more_fields = ()

    def upload(self, call: Call) -> Reply:
        assert read_form(call)["file_name"]
        return super().upload(call)

    def route(self, call: Call) -> Reply:
        if call.method == "GET" and call.path.startswith("/v1/batches?"):
            return Reply.raw(
                200, json.dumps([*map(self.show, self.batches.values())]).encode(), {"content-type": "application/json"}
            )
        return super().route(call)

    def begin(self, batch: VendorBatch) -> Reply:
        is_answered = not self.refusals and not self.swallows
        reply = super().begin(batch)
        return Reply.json(201, {"job": self.show(batch)}) if is_answered else reply

    def show(self, batch: VendorBatch) -> JSON:
        shown = super().show(batch)
        known = {name: shown[name] for name in ("id", "endpoint", "input_file_id", "output_file_id", "error_file_id")}
        return {
            **known,
            "status": shown["status"].upper(),
            "progress": 50.0,
            "error": batch.fails,
            "created_at": to_iso(batch.created_s),
        }


class AnthropicVendor(Vendor):
    """https://platform.claude.com/docs/en/api/creating-message-batches and the pages beside it."""

    def route(self, call: Call) -> Reply:
        assert call.headers["anthropic-version"] == "2023-06-01"
        if (call.method, call.path) == ("POST", "/v1/messages/batches"):
            return self.create(call.json)
        if call.method == "GET" and call.path.startswith("/v1/messages/batches?"):
            return Reply.json(200, {"data": [*map(self.show, reversed(self.batches.values()))], "has_more": False})
        if found := re.fullmatch(r"/v1/messages/batches/(\w+)/cancel", call.path):
            return self.cancel(found[1])
        if found := re.fullmatch(r"/v1/messages/batches/(\w+)/results", call.path):
            return Reply.raw(200, self.results(self.batches[found[1]]), {"content-type": "application/x-jsonl"})
        if found := re.fullmatch(r"/v1/messages/batches/(\w+)", call.path):
            return self.look(found[1])
        return self.ordinarily(call)

    def create(self, body: JSON) -> Reply:
        ANTHROPIC_BATCH.validate_python(body)
        assert not any(each["params"].get("stream") for each in body["requests"])
        requests = {each["custom_id"]: each["params"] for each in body["requests"]}
        assert len(requests) == len(body["requests"])
        return self.begin(VendorBatch(self.new_id("msgbatch_"), requests))

    def show(self, batch: VendorBatch) -> JSON:
        has_ended = batch.looks > 0 and self.has_ended(batch)
        kinds = [self.result(answer, batch)["type"] for answer in batch.answers.values()] if has_ended else []
        counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        return {
            "id": batch.id,
            "type": "message_batch",
            "created_at": to_iso(batch.created_s),
            "expires_at": to_iso(batch.created_s),
            "processing_status": "ended" if has_ended else "canceling" if batch.is_cancelled else "in_progress",
            "request_counts": {"processing": len(batch.requests) - len(kinds), **counts},
            "results_url": f"https://api.anthropic.com/v1/messages/batches/{batch.id}/results" if has_ended else None,
        }

    def results(self, batch: VendorBatch) -> bytes:
        rows = ({"custom_id": custom_id, "result": self.result(answer, batch)} for custom_id, answer in batch.answers.items())
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    def result(self, answer: tuple[int, JSON] | None, batch: VendorBatch) -> JSON:
        if answer is None:
            return {"type": "canceled" if batch.is_cancelled else "expired"}
        return {"type": "succeeded", "message": answer[1]} if answer[0] == 200 else {"type": "errored", "error": answer[1]}


class GeminiVendor(Vendor):
    """https://ai.google.dev/api/batch-api; `tells_keys` is False where the metadata of requests does not come back."""

    tells_keys = True

    def route(self, call: Call) -> Reply:
        if found := re.fullmatch(r"/v1/models/([\w.-]+):batchGenerateContent", call.path):
            return self.create(call.json, found[1])
        if call.method == "GET" and call.path.startswith("/v1/batches?"):
            return Reply.json(200, {"operations": [*map(self.show, reversed(self.batches.values()))]})
        if found := re.fullmatch(r"/v1/(batches/\w+):cancel", call.path):
            self.cancel(found[1])
            return Reply.json(200, {})
        if found := re.fullmatch(r"/v1/(batches/\w+)", call.path):
            return self.look(found[1])
        return self.ordinarily(call)

    def create(self, body: JSON, model: str) -> Reply:
        assert body.keys() == {"batch"}
        batch = body["batch"]
        assert batch.keys() == {"displayName", "inputConfig"}
        requests = {}
        for each in batch["inputConfig"]["requests"]["requests"]:
            assert each.keys() == {"request", "metadata"}
            known = {"contents", "generationConfig", "systemInstruction", "tools", "toolConfig", "safetySettings"}
            assert each["request"].keys() <= known
            GEMINI_CONTENTS.validate_python(each["request"]["contents"])
            requests[each["metadata"]["key"]] = each["request"] | {"model": model}
        return self.begin(VendorBatch(self.new_id("batches/b"), requests, name=batch["displayName"]))

    def show(self, batch: VendorBatch) -> JSON:
        has_ended = batch.looks > 0 and self.has_ended(batch)
        state = "PENDING" if not batch.looks else "RUNNING"
        if has_ended:
            state = "FAILED" if batch.fails else "CANCELLED" if batch.is_cancelled else "SUCCEEDED"
        metadata: JSON = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "name": batch.id,
            "displayName": batch.name,
            "state": f"BATCH_STATE_{state}",
            "batchStats": {"requestCount": str(len(batch.requests))},
        }
        shown: JSON = {"name": batch.id, "metadata": metadata}
        if has_ended and batch.fails:
            return shown | {"done": True, "error": {"code": 3, "message": batch.fails}}
        if has_ended:
            listed = [self.inlined(custom_id, answer) for custom_id, answer in batch.answers.items()]
            metadata["output"] = {"inlinedResponses": {"inlinedResponses": listed}}
            return shown | {"done": True, "response": metadata["output"]}
        return shown

    def inlined(self, custom_id: str, answer: tuple[int, JSON] | None) -> JSON:
        told: JSON = {"metadata": {"key": custom_id}} if self.tells_keys else {}
        if answer is None:
            return told | {"error": {"code": 1, "message": "Cancelled."}}
        if answer[0] == 200:
            return told | {"response": answer[1]}
        return told | {"error": {"code": {400: 3, 429: 8}.get(answer[0], 13), "message": "No."}}


class MistralVendor(OpenAIVendor):
    """https://docs.mistral.ai/api/endpoint/batch"""

    def route(self, call: Call) -> Reply:
        if (call.method, call.path) == ("POST", "/v1/batch/jobs"):
            return self.create(call.json)
        if call.method == "GET" and call.path.startswith("/v1/batch/jobs?"):
            listed = [*map(self.show, reversed(self.batches.values()))]
            return Reply.json(200, {"object": "list", "data": listed, "total": len(listed)})
        if found := re.fullmatch(r"/v1/batch/jobs/(\w+)/cancel", call.path):
            return self.cancel(found[1])
        if found := re.fullmatch(r"/v1/batch/jobs/(\w+)", call.path):
            return self.look(found[1])
        return super().route(call)

    def create(self, body: JSON) -> Reply:
        assert body.keys() <= {"input_files", "model", "endpoint", "metadata", "timeout_hours"}
        MISTRAL_BATCH.validate_python(body)
        requests = {}
        for line in map(json.loads, self.files[body["input_files"][0]].splitlines()):
            assert line.keys() == {"custom_id", "body"}
            assert "model" not in line["body"]
            requests[line["custom_id"]] = line["body"] | {"model": body["model"]}
        return self.begin(VendorBatch(self.new_id("job"), requests, body["endpoint"], body["input_files"][0]))

    def content(self, file_id: str) -> bytes:
        """The body of a failure is JSON in a text."""
        rows = [json.loads(row) for row in super().content(file_id).splitlines()]
        for row in rows:
            response = row["response"] or {"status_code": 200}
            if response["status_code"] >= 400:
                error = {"object": "error", "type": "invalid_request_file", "param": None, "code": "3310"}
                response["body"] = json.dumps(error | {"message": response["body"]["error"]["message"], "raw_status_code": 400})
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    def show(self, batch: VendorBatch) -> JSON:
        shown = super().show(batch)
        states = {"validating": "QUEUED", "in_progress": "RUNNING", "completed": "SUCCESS", "expired": "TIMEOUT_EXCEEDED"}
        counts = shown["request_counts"]
        told = {
            "id": batch.id,
            "object": "batch",
            "input_files": [batch.file_id],
            "endpoint": batch.path,
            "metadata": {},
            "output_file": shown["output_file_id"],
            "error_file": shown["error_file_id"],
            "errors": [{"message": batch.fails, "count": len(batch.requests)}] if batch.fails else [],
            "status": states.get(shown["status"], shown["status"].upper()),
            **{f"{name}_requests": counts.get(name, 0) for name in ("total", "completed", "failed")},
            "succeeded_requests": counts["completed"],
            "created_at": int(batch.created_s),
        }
        BatchJob.model_validate(told)
        return told


def read_form(call: Call) -> Mapping[str, bytes]:
    """The parts of a multipart body by name, read by the standard library."""
    head = f"content-type: {call.headers['content-type']}\r\n\r\n".encode()
    message: Any = email.message_from_bytes(head + call.body, policy=email.policy.HTTP)
    parts: Iterable[Any] = message.iter_parts()
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}


def to_iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
