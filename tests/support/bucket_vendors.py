"""Providers whose batches need more than a key, as strict as their pages: datasets of an account, or a bucket that they read as a
role.
"""

import hashlib
import json
import re
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.validate
from google.genai import types as gemini
from pydantic import TypeAdapter

from tests.support.batch_vendors import Answer, Vendor, VendorBatch, read_form, to_iso
from tests.support.fake_upstream import Call
from tests.support.reply import JSON, Reply

CONTENTS: TypeAdapter[Any] = TypeAdapter(list[gemini.Content])


class FireworksVendor(Vendor):
    """https://docs.fireworks.ai/api-reference/create-batch-inference-job and the pages beside it; `account` is whose it is."""

    account = "my-account"

    def route(self, call: Call) -> Reply:
        mine, url = f"/v1/accounts/{self.account}/", urlsplit(call.path)
        if url.path.startswith("/signed/"):
            assert "authorization" not in call.headers, "a link needs no key"
            return Reply.raw(200, self.rows(*url.path.split("/")[2:]), {"content-type": "application/octet-stream"})
        if not url.path.startswith("/v1/accounts/"):
            return self.ordinarily(call)
        assert url.path.startswith(mine)
        assert call.headers["authorization"].startswith("Bearer ")
        path = url.path.removeprefix(mine)
        if (call.method, path) == ("POST", "datasets"):
            return self.create_dataset(call.json)
        if found := re.fullmatch(r"datasets/([a-z0-9-]+):upload", path):
            return self.upload(call, found[1])
        if found := re.fullmatch(r"datasets/([a-z0-9-]+):getDownloadEndpoint", path):
            return self.links(call, found[1])
        if found := re.fullmatch(r"datasets/([a-z0-9-]+)", path):
            assert call.method == "GET"
            return Reply.json(200, self.show_dataset(found[1]))
        if (call.method, path) == ("POST", "batchInferenceJobs"):
            return self.create(call.json, parse_qs(url.query)["batchInferenceJobId"][0])
        found = re.fullmatch(r"batchInferenceJobs/([a-z0-9-]+)", path)
        assert found, path
        if call.method == "DELETE":
            self.batches[found[1]].is_cancelled = True
            return Reply.json(200, {})
        if found[1] in self.batches and self.batches[found[1]].is_cancelled and self.batches[found[1]].looks:
            return self.missing()
        return self.look(found[1])

    def missing(self) -> Reply:
        return Reply.json(404, {"code": 5, "message": "resource not found", "details": []})

    def create_dataset(self, body: JSON) -> Reply:
        assert body.keys() == {"datasetId", "dataset"}
        assert body["dataset"].keys() == {"userUploaded", "exampleCount"}
        assert int(body["dataset"]["exampleCount"]) > 0
        if body["datasetId"] in self.files:
            return Reply.json(409, {"code": 6, "message": "dataset already exists", "details": []})
        self.files[body["datasetId"]] = b""
        return Reply.json(200, self.show_dataset(body["datasetId"]))

    def show_dataset(self, dataset_id: str) -> JSON:
        """It can be used a moment after it was uploaded."""
        state = "READY" if dataset_id in self.seen else "UPLOADING"
        if self.files[dataset_id]:
            self.seen.add(dataset_id)
        return {"name": f"accounts/{self.account}/datasets/{dataset_id}", "state": state, "userUploaded": {}, "format": "CHAT"}

    @property
    def seen(self) -> set[str]:
        return self.__dict__.setdefault("_seen", set())

    def upload(self, call: Call, dataset_id: str) -> Reply:
        assert dataset_id not in self.seen, "it is there already"
        form = read_form(call)
        assert form.keys() == {"file"}
        self.files[dataset_id] = form["file"]
        return Reply.json(200, {"id": dataset_id, "object": "file", "bytes": len(form["file"])})

    def create(self, body: JSON, job_id: str) -> Reply:
        assert body.keys() == {"model", "inputDatasetId", "outputDatasetId", "displayName"}
        place, _, dataset_id = body["inputDatasetId"].rpartition("/")
        assert place == body["outputDatasetId"].rpartition("/")[0] == f"accounts/{self.account}/datasets"
        assert dataset_id in self.seen, "it is not ready"
        if job_id in self.batches:
            return Reply.json(409, {"code": 6, "message": "job already exists", "details": []})
        requests = {}
        for line in map(json.loads, self.files[dataset_id].splitlines()):
            assert line.keys() == {"custom_id", "body"}
            assert "model" not in line["body"]
            requests[line["custom_id"]] = line["body"] | {"model": body["model"]}
        assert len(requests) == len(self.files[dataset_id].splitlines())
        return self.begin(VendorBatch(job_id, requests, body["outputDatasetId"], body["inputDatasetId"], body["displayName"]))

    def show(self, batch: VendorBatch) -> JSON:
        state = "VALIDATING" if not batch.looks else "RUNNING"
        if batch.looks and self.has_ended(batch):
            state = "FAILED" if batch.fails else "DELETING_CLEANING_UP" if batch.is_cancelled else "COMPLETED"
        good = sum(answer is not None and answer[0] < 400 for answer in batch.answers.values())
        return {
            "name": f"accounts/{self.account}/batchInferenceJobs/{batch.id}",
            "displayName": batch.name,
            "state": f"JOB_STATE_{state}",
            "status": {"code": "INVALID_ARGUMENT" if batch.fails else "OK", "message": batch.fails},
            "inputDatasetId": batch.file_id,
            "outputDatasetId": batch.path,
            "createTime": to_iso(batch.created_s),
            "inferenceParameters": {"extraBody": "{}"},
            "jobProgress": {"totalInputRequests": len(batch.requests), "successfullyProcessedRequests": good},
        }

    def links(self, call: Call, dataset_id: str) -> Reply:
        assert call.method == "GET"
        assert not call.body, "a body is refused"
        batch = next((each for each in self.batches.values() if each.path.endswith(f"/{dataset_id}")), None)
        if batch is None or batch.fails:
            return self.missing()
        names = ("BIJOutputSet.jsonl", "error-data")
        root = f"http://{call.headers['host']}/signed/{batch.id}"
        return Reply.json(
            200, {"filenameToSignedUrls": {f"dataset/{dataset_id}/{name}": f"{root}/{name}?X-Goog=1" for name in names}}
        )

    def rows(self, batch_id: str, name: str) -> bytes:
        rows = []
        for custom_id, answer in reversed(self.batches[batch_id].answers.items()):  # in no order
            if answer and answer[0] < 400 and name != "error-data":
                rows.append({"custom_id": custom_id, "response": answer[1]})
            elif answer and answer[0] >= 400 and name == "error-data":
                rows.append({"custom_id": custom_id, "error": answer[1]["error"] | {"code": answer[0]}})
        return "".join(json.dumps(row) + "\n" for row in rows).encode()


class VertexVendor(Vendor):
    """https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs, and Cloud Storage:
    https://docs.cloud.google.com/storage/docs/json_api/v1/objects"""

    bucket = "my-bucket"
    job = "projects/123/locations/us-central1/batchPredictionJobs/"

    def route(self, call: Call) -> Reply:
        assert call.headers["authorization"].startswith("Bearer ")
        url = urlsplit(call.path)
        path, query = url.path.removeprefix("/v1"), parse_qs(url.query)
        if (call.method, path) == ("POST", f"/upload/storage/v1/b/{self.bucket}/o"):
            assert query["uploadType"] == ["media"]
            self.files[query["name"][0]] = call.body
            return Reply.json(200, {"kind": "storage#object", "name": query["name"][0], "bucket": self.bucket})
        if (call.method, path) == ("GET", f"/storage/v1/b/{self.bucket}/o"):
            items = [{"name": name, "bucket": self.bucket} for name in self.files if name.startswith(query["prefix"][0])]
            return Reply.json(200, {"kind": "storage#objects", **({"items": items} if items else {})})
        if found := re.fullmatch(f"/storage/v1/b/{self.bucket}/o/([^/]+)", path):
            assert query["alt"] == ["media"]
            return Reply.raw(200, self.files[unquote(found[1])], {"content-type": "application/octet-stream"})
        if (call.method, path) == ("POST", "/batchPredictionJobs"):
            return self.create(call.json)
        if (call.method, path) == ("GET", "/batchPredictionJobs"):
            wanted = re.fullmatch(r'display_name="(\w+)"', query["filter"][0])
            assert wanted
            listed = [self.show(batch) for batch in self.batches.values() if batch.name == wanted[1]]
            return Reply.json(200, {"batchPredictionJobs": listed} if listed else {})
        if found := re.fullmatch(r"/batchPredictionJobs/(\d+):cancel", path):
            self.cancel(self.job + found[1])
            return Reply.json(200, {})
        if found := re.fullmatch(r"/batchPredictionJobs/(\d+)", path):
            return self.look(self.job + found[1])
        return self.ordinarily(call)

    def create(self, body: JSON) -> Reply:
        assert body.keys() == {"displayName", "model", "inputConfig", "outputConfig"}
        assert (body["inputConfig"].keys(), body["outputConfig"].keys()) == (
            {"instancesFormat", "gcsSource"},
            {"predictionsFormat", "gcsDestination"},
        )
        source = gemini.BatchJobSource(
            format=body["inputConfig"]["instancesFormat"], gcs_uri=body["inputConfig"]["gcsSource"]["uris"]
        )
        assert (source.format, body["outputConfig"]["predictionsFormat"]) == ("jsonl", "jsonl")
        [uri] = source.gcs_uri or []
        place = body["outputConfig"]["gcsDestination"]["outputUriPrefix"]
        assert place.startswith(f"gs://{self.bucket}/")
        found = re.fullmatch(r"publishers/(google|anthropic)/models/([\w.@-]+)", body["model"])
        assert found
        read = self.read_claude if found[1] == "anthropic" else self.read_gemini
        lines = self.files[uri.removeprefix(f"gs://{self.bucket}/")].splitlines()
        requests = dict(read(json.loads(line)) for line in lines)
        assert len(requests) == len(lines)
        return self.begin(VendorBatch(f"{self.job}{len(self.batches) + 1}", requests, place, uri, body["displayName"]))

    def read_gemini(self, line: JSON) -> tuple[str, JSON]:
        """Keys and values of labels: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/add-labels-to-api-calls"""
        assert line.keys() == {"request", "custom_id"}
        request = line["request"]
        known = {"contents", "generationConfig", "systemInstruction", "tools", "toolConfig", "safetySettings", "labels"}
        assert request.keys() <= known
        CONTENTS.validate_python(request["contents"])
        for key, value in request["labels"].items():
            assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", key)
            assert re.fullmatch(r"[a-z0-9_-]{0,63}", value)
        return request["labels"]["haimaker_line"], request

    def read_claude(self, line: JSON) -> tuple[str, JSON]:
        assert line.keys() == {"custom_id", "request"}
        assert line["request"]["anthropic_version"] == "vertex-2023-10-16"
        assert not line["request"].keys() & {"model", "stream"}
        return line["custom_id"], line["request"]

    def show(self, batch: VendorBatch) -> JSON:
        state = "PENDING" if not batch.looks else "RUNNING"
        ends = batch.looks > 0 and self.has_ended(batch)
        if ends:
            state = "FAILED" if batch.fails else "CANCELLED" if batch.is_cancelled else "SUCCEEDED"
            self.write(batch)
        good = sum(answer is not None and answer[0] < 400 for answer in batch.answers.values())
        return {
            "name": batch.id,
            "displayName": batch.name,
            "model": "publishers/google/models/gemini",
            "state": f"JOB_STATE_{state}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [batch.file_id]}},
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": batch.path}},
            "createTime": to_iso(batch.created_s),
            **({"error": {"code": 3, "message": batch.fails}} if ends and batch.fails else {}),
            **({"completionStats": {"successfulCount": str(good)}} if ends and not batch.fails else {}),
        }

    def write(self, batch: VendorBatch) -> None:
        """Some answers in each of two files, in no order."""
        rows = [self.row(custom_id, *answer, batch) for custom_id, answer in batch.answers.items() if answer]
        folder = f"{batch.path.removeprefix(f'gs://{self.bucket}/')}/prediction-model-2026-11-29T00:00:00Z"
        for number, some in enumerate((rows[1::2], rows[::-2])):
            self.files[f"{folder}/{number:012}.jsonl"] = "".join(json.dumps(row) + "\n" for row in some).encode()
        self.files[f"{folder}/errors.txt"] = b"none"

    def row(self, custom_id: str, status: int, body: JSON, batch: VendorBatch) -> JSON:
        told = {"request": batch.requests[custom_id], "processed_time": to_iso(batch.created_s)}
        if "anthropic_version" in batch.requests[custom_id]:
            told["custom_id"] = custom_id
        if status == 200:
            return {**told, "status": "", "response": body}
        error = {"error": {"code": status, "message": "No.", "status": "INVALID_ARGUMENT"}}
        return {**told, "status": f"Bad Request: {json.dumps(error)}", "response": {}}


SESSION = botocore.session.get_session()
CONTROL, RUNTIME = (SESSION.get_service_model(name) for name in ("bedrock", "bedrock-runtime"))
KEYS = botocore.credentials.Credentials("AKIDEXAMPLE", "secret")
REGION = "us-east-1"


class BedrockVendor(Vendor):
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html by botocore, and S3.

    Calls are signed with `KEYS`.
    """

    bucket = "my-bucket"
    role = "arn:aws:iam::123456789012:role/batches"
    least = 3
    arn = f"arn:aws:bedrock:{REGION}:123456789012:model-invocation-job/"

    def route(self, call: Call) -> Reply:
        url = urlsplit(call.path)
        path, query = url.path.removeprefix("/v1"), parse_qs(url.query)
        if path.startswith(f"/{self.bucket}"):
            self.check_caller(call, "s3")
            return self.store(call, unquote(path).removeprefix(f"/{self.bucket}"), query)
        self.check_caller(call, "bedrock")
        if (call.method, path) == ("POST", "/model-invocation-job"):
            return self.create(call.json)
        if (call.method, path) == ("GET", "/model-invocation-jobs"):
            check("ListModelInvocationJobs", {name: value for name, [value] in query.items()})
            found = [self.show(batch) for batch in self.batches.values() if query["nameContains"][0] in batch.name]
            return Reply.json(200, {"invocationJobSummaries": found})
        if found := re.fullmatch(r"/model-invocation-job/([^/]+)/stop", path):
            self.cancel(unquote(found[1]))
            return Reply.json(200, {})
        if found := re.fullmatch(r"/model-invocation-job/([^/]+)", path):
            return self.look(unquote(found[1]))
        return self.ordinarily(call)

    def check_caller(self, call: Call, service: str) -> None:
        check_signature(call, service)

    def store(self, call: Call, key: str, query: dict[str, list[str]]) -> Reply:
        assert call.headers["x-amz-content-sha256"] == hashlib.sha256(call.body).hexdigest()
        if call.method == "PUT":
            self.files[key.removeprefix("/")] = call.body
            return Reply.raw(200, b"", {})
        assert call.method == "GET"
        if not key:
            assert query["list-type"] == ["2"]
            keys = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in self.files if name.startswith(query["prefix"][0]))
            return Reply.raw(200, f"<ListBucketResult>{keys}</ListBucketResult>".encode(), {"content-type": "application/xml"})
        return Reply.raw(200, self.files[key.removeprefix("/")], {"content-type": "binary/octet-stream"})

    def create(self, body: JSON) -> Reply:
        check("CreateModelInvocationJob", body)
        assert body["roleArn"] == self.role
        uri, place = (
            body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"],
            body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"],
        )
        assert uri.endswith(".jsonl")
        for each in self.batches.values():
            if each.name == body["jobName"]:
                return Reply.json(200, {"jobArn": each.id})  # the same token
        lines = [json.loads(line) for line in self.files[uri.removeprefix(f"s3://{self.bucket}/")].splitlines()]
        assert len(lines) >= self.least
        requests = {}
        for line in lines:
            assert line.keys() == {"recordId", "modelInput"}
            if body["modelInvocationType"] == "Converse":
                assert "toolConfig" not in line["modelInput"]
                check_shape(RUNTIME, "Converse", line["modelInput"] | {"modelId": body["modelId"]})
            else:
                assert line["modelInput"]["anthropic_version"] == "bedrock-2023-05-31"
            requests[line["recordId"]] = line["modelInput"]
        assert len(requests) == len(lines)
        job_id = f"{self.arn}{len(self.batches) + 1:012}"
        is_answered = not self.refusals and not self.swallows
        reply = self.begin(VendorBatch(job_id, requests, place, uri, body["jobName"]))
        return Reply.json(200, {"jobArn": job_id}) if is_answered else reply

    def show(self, batch: VendorBatch) -> JSON:
        status = "Submitted" if not batch.looks else "InProgress"
        if batch.looks and self.has_ended(batch):
            status = "Failed" if batch.fails else "Stopped" if batch.is_cancelled else "Completed"
            self.write(batch)
        good = sum(answer is not None and answer[0] < 400 for answer in batch.answers.values())
        return {
            "jobArn": batch.id,
            "jobName": batch.name,
            "modelId": "any",
            "roleArn": self.role,
            "status": status,
            "message": batch.fails,
            "submitTime": to_iso(batch.created_s),
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": batch.file_id}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": batch.path}},
            "successRecordCount": good,
        }

    def write(self, batch: VendorBatch) -> None:
        """…/userguide/batch-inference-results.html: in no order, and a summary."""
        folder = f"{batch.path.removeprefix(f's3://{self.bucket}/')}{batch.id.rpartition('/')[2]}"
        rows = []
        for custom_id, answer in reversed(batch.answers.items()):
            if answer:
                status, body = answer
                told = {"modelOutput": body} if status < 400 else {"error": {"errorCode": status, "errorMessage": "bad request"}}
                rows.append({"recordId": custom_id, "modelInput": batch.requests[custom_id], **told})
        self.files[f"{folder}/lines.jsonl.out"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        self.files[f"{folder}/manifest.json.out"] = json.dumps({"totalRecordCount": len(batch.requests)}).encode()


class BedrockBesideS3(BedrockVendor):
    """Its bucket is one of an emulator of S3; who may call it, and open the bucket, is checked before it."""

    least = 100

    def __init__(self, answer: Answer, s3: Any, **options: Any) -> None:
        super().__init__(answer, **options)
        s3.create_bucket(Bucket=self.bucket)
        self.files = Objects(s3, self.bucket)

    def check_caller(self, call: Call, service: str) -> None:
        assert service == "bedrock", "S3 is elsewhere"


class Objects(MutableMapping[str, bytes]):
    """Those of a bucket, by their keys."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket

    def __getitem__(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def __setitem__(self, key: str, value: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=value)

    def __delitem__(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def __iter__(self) -> Iterator[str]:
        return iter([each["Key"] for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())])

    def __len__(self) -> int:
        return len(list(iter(self)))


def check(operation: str, parameters: JSON) -> None:
    check_shape(CONTROL, operation, parameters)


def check_shape(service: Any, operation: str, parameters: JSON) -> None:
    """Fields, types, and patterns of text, which botocore leaves to the service."""
    shape = service.operation_model(operation).input_shape
    report = botocore.validate.ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()
    for name, member in shape.members.items():
        if name in parameters and member.type_name == "string":
            assert re.fullmatch(member.metadata.get("pattern", "(?s).*"), parameters[name]), (name, parameters[name])


def check_signature(call: Call, service: str) -> None:
    """Whether it is signed as botocore signs it."""
    given = call.headers["authorization"]
    names = re.search(r"SignedHeaders=([^,]+)", given)
    assert names
    headers = {name: call.headers[name] for name in names[1].split(";") if name not in ("host", "x-amz-date")}
    request: Any = botocore.awsrequest.AWSRequest(call.method, f"http://{call.headers['host']}{call.path}", headers, call.body)
    request.context["timestamp"] = call.headers["x-amz-date"]
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer: Any = kind(KEYS, service, REGION)
    request.headers["X-Amz-Date"] = call.headers["x-amz-date"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert given.endswith(f"Signature={signature}"), canonical
