"""Batches of the deployed stack in small: SDKs call its functions as API Gateway would, and its queue is in an emulator of SQS."""

import base64
import json
import random
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import anthropic
import boto3
import openai
import pytest

from haimaker.api.paths import match
from haimaker.aws.client import AWSClient
from haimaker.aws_lambda.runtime import Context
from haimaker.batches import QUEUE_HOME, BatchDirectory
from haimaker.batches.heart import HIDDEN_S
from haimaker.http.client import HTTPClient
from haimaker.http.values import JSON
from haimaker.store.dynamodb import DynamoStore
from tests.support.stack import BUCKETS, PARAMETERS, QUEUE, LoadedFunction, Stack

MOST_DELIVERIES = 5
MOST_KILLS = 12
FUNCTION_LASTS_S = 900
SERVES = ("files", "batches")
OF_BEDROCKS_BATCHES = {
    *((f"bedrock:{action}ModelInvocationJob", "") for action in ("Create", "Get", "Stop")),
    ("bedrock:ListModelInvocationJobs", ""),
    *((f"s3:{action}Object", f"arn:aws:s3:::{PARAMETERS['BedrockBatchBucket']}/*") for action in ("Get", "Put")),
    ("s3:ListBucket", f"arn:aws:s3:::{PARAMETERS['BedrockBatchBucket']}"),
    ("iam:PassRole", PARAMETERS["BedrockBatchRole"]),
}
"""What the role of the worker may do for batches of Bedrock's own alone."""


@dataclass
class StackBatches:
    stack: Stack
    address: str
    """Of the emulator of SQS and S3."""
    workers: int = 2
    functions: dict[str, LoadedFunction] = field(default_factory=dict)
    worker_lasts_s: float = 60.0

    def __post_init__(self) -> None:
        self.sqs = boto3.client(
            "sqs", "us-east-1", endpoint_url=self.address, aws_access_key_id="AKID", aws_secret_access_key="secret"
        )
        with suppress(self.sqs.exceptions.QueueDoesNotExist):
            self.sqs.delete_queue(QueueUrl=self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
        self.queue = self.sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "960"})["QueueUrl"]
        s3 = boto3.client("s3", "us-east-1", endpoint_url=self.address, aws_access_key_id="AKID", aws_secret_access_key="secret")
        s3.create_bucket(Bucket=BUCKETS["Files"])
        self.s3 = s3
        for key in self.objects():
            s3.delete_object(Bucket=BUCKETS["Files"], Key=key)
        for name in SERVES:
            self.functions[name] = self.load(name)
        self._door = ThreadingHTTPServer(("127.0.0.1", 0), _door(self.functions))
        self._door.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._door.server_port}"
        threading.Thread(target=self._door.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._door.shutdown()
        self._door.server_close()

    def settings(self) -> dict[str, str]:
        """Of the functions."""
        return {
            "HAIMAKER_FILES_BUCKET": BUCKETS["Files"],
            "HAIMAKER_BATCH_QUEUE": self.queue,
            "HAIMAKER_BATCH_WORKERS": str(self.workers),
            "HAIMAKER_DEMO": "true",
        }

    def load(self, name: str, **environment: str) -> LoadedFunction:
        return self.stack.load(name, **self.settings(), **environment)

    # What clients do.

    def openai_client(self, key: str) -> openai.OpenAI:
        return openai.OpenAI(api_key=key, base_url=f"{self.url}/v1", max_retries=0)

    def anthropic_client(self, key: str) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=key, base_url=self.url, max_retries=0)

    # What the queue and its mapping do.

    def deliver(self, worker: LoadedFunction | None = None, lasts_s: float | None = None) -> int:
        """Gives the worker each message that waits, and what it sends, until none does; returns how many."""
        worker, delivered = worker or self.worker(), 0
        while message := self.receive():
            delivered += 1
            if not self.give(worker, message, lasts_s):  # it comes again, here at once
                assert int(message["Attributes"]["ApproximateReceiveCount"]) < MOST_DELIVERIES, "it is for the other queue"
                self.sqs.change_message_visibility(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return delivered

    def step(self) -> None:
        """Gives the worker the next message, which there has to be."""
        message = self.receive()
        assert message
        self.give(self.worker(), message)

    def worker(self) -> LoadedFunction:
        if "batch_worker" not in self.functions:
            self.functions["batch_worker"] = self.load("batch_worker")
        return self.functions["batch_worker"]

    def receive(self) -> JSON | None:
        found = self.sqs.receive_message(QueueUrl=self.queue, AttributeNames=["ApproximateReceiveCount"]).get("Messages")
        return found[0] if found else None

    def give(self, worker: LoadedFunction, message: JSON, lasts_s: float | None = None) -> bool:
        """Gives a message to the worker, and deletes it if that saw to it."""
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        context = Context("invocation-1", "", int((time.time() + (lasts_s or self.worker_lasts_s)) * 1000))
        failed = worker.handler({"Records": [record]}, context)["batchItemFailures"]
        if not failed:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return not failed

    def ring(self, owner: str, batch_id: str) -> None:
        """The timer of a batch: what the queue delivers after a quarter of an hour."""
        self.tell(batch_id, owner, None, is_timer=True)

    def tell(self, batch_id: str, owner: str, part: int | None, **more: bool) -> None:
        body = {"owner": owner, "batch_id": batch_id, "part": part, "is_timer": False, **more}
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(body))

    def objects(self) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKETS["Files"]).get("Contents", ())]


def _door(functions: Mapping[str, LoadedFunction]) -> type[BaseHTTPRequestHandler]:
    """API Gateway: leads a request to the function that serves it."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            target = urlsplit(self.path)
            found = match(self.command, target.path)
            (function,) = [each for each in functions.values() if found.operation in getattr(each.handler, "serves", ())]
            first, _, rest = target.path.removeprefix("/v1/").partition("/")
            answer = function.ask(
                {
                    "resource": f"/v1/{first}/{{proxy+}}" if rest else f"/v1/{first}",
                    "path": target.path,
                    "httpMethod": self.command,
                    "headers": dict(self.headers),
                    "pathParameters": {"proxy": unquote(rest)} if rest else None,
                    "queryStringParameters": dict(parse_qsl(target.query)),
                    "body": base64.b64encode(body).decode(),
                    "isBase64Encoded": True,
                }
            )
            self.send_response(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(answer.raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.raw)

        do_POST = do_DELETE = do_PUT = do_GET

    return Door


class Killed(BaseException):
    """The function is dead: nothing that it still does reaches anybody."""


class Mortal:
    """Has a function die at one of its calls of AWS and of providers, before or after that is carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> None:
        self.left, self.is_dead, self._chance, self._lock = 0, False, chance, threading.Lock()
        for place, name in ((AWSClient, "_try"), (HTTPClient, "send")):
            monkeypatch.setattr(place, name, self._mortal(getattr(place, name)))

    def _mortal(self, call: Any) -> Any:
        def until_death(*arguments: Any) -> Any:
            with self._lock:
                if self.is_dead:
                    raise Killed
                self.left -= 1
                dies = self.left == 0
                self.is_dead = dies and self._chance.random() < 0.5
            if self.is_dead:
                raise Killed
            result = call(*arguments)
            if dies:
                self.is_dead = True
                raise Killed
            return result

        return until_death


def outlive(
    batches: StackBatches, monkeypatch: pytest.MonkeyPatch, chance: random.Random, owner: str, batch_id: str, most_calls: int = 90
) -> int:
    """Works on a batch to its end by functions that are killed twelve times, each after some random call. What a message that was
    not deleted is delivered after in the stack passes at once. Returns how often one was killed."""
    passed_s, now, kills = 0.0, time.time, 0
    again: list[JSON] = []
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(time, "time", lambda: now() + passed_s)
    monkeypatch.setattr(DynamoStore.__init__, "__defaults__", (lambda: time.time(),))
    mortal, worker = Mortal(monkeypatch, chance), batches.load("batch_worker")
    directory = BatchDirectory(batches.stack.store.documents, QUEUE_HOME)
    while (found := directory.get(owner, batch_id)) is None or not found.has_ended:
        message = again.pop() if again else batches.receive()
        if message is None:
            batches.ring(owner, batch_id)
            continue
        mortal.left = chance.randint(1, most_calls) if kills < MOST_KILLS else 10**9
        try:
            batches.give(worker, message, FUNCTION_LASTS_S)
            mortal.left = 10**9
        except Killed:
            kills, passed_s = kills + 1, passed_s + HIDDEN_S
            worker, again = batches.load("batch_worker"), [message, *again]
        mortal.is_dead, mortal.left = False, 10**9
    batches.deliver(worker)
    return kills
