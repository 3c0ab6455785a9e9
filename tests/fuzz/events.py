"""The same hostile clients at the functions of the stack: each request is the event that API Gateway makes of it, or that a
function's URL does. After each what network.py looks at, and that the function raised nothing, which clients are told as 502."""

import base64
import json
import re
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from haimaker.aws_lambda.runtime import PRELUDE_END, Context, StreamedResponse
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from tests.fuzz import network, provider, requests
from tests.fuzz.requests import Asked
from tests.support.fake_upstream import Call, Reply
from tests.support.stack import BUCKETS, LoadedFunction, Stack
from tests.support.stack_batches import StackBatches

FUNCTION = re.compile(r"\$\{(\w+)\.Arn\}")
MOST_PRELUDE = 16 * 2**10
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html"""
LARGE, LARGE_BYTES = 0.002, 10 * 2**20
"""The part of requests whose body is as large as API Gateway takes one, and its size."""
INVOKED = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
IN_BASE64 = "multipart/form-data"
"""The template's BinaryMediaTypes."""
NO_BODY: tuple[JSON, ...] = (
    {"body": None},
    {},
    {"body": ""},
    {"body": "é", "isBase64Encoded": True},
    {"body": "AAA", "isBase64Encoded": True},
)


class Led(NamedTuple):
    """Where a request is led to."""

    function: str
    event: JSON


@dataclass
class Functions:
    """Those of a stack, each in this process and with its role, and the paths that lead to them."""

    stack: Stack
    environment: dict[str, str]
    loaded: dict[str, LoadedFunction] = field(default_factory=dict)
    paths: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Of each path of the API, the folder of the function by method."""
    with_url: list[str] = field(default_factory=list)
    threads: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor)
    invoked: list[Future[object]] = field(default_factory=list)
    """What functions are called with while others answer."""

    def __post_init__(self) -> None:
        resources = self.stack.template["Resources"]
        self.folders = {
            name: found["Properties"]["Code"]["S3Key"].strip("/").rpartition("/")[2]
            for name, found in resources.items()
            if found["Type"] == "AWS::Lambda::Function"
        }
        (api,) = [found for found in resources.values() if found["Type"] == "AWS::ApiGateway::RestApi"]
        for path, methods in api["Properties"]["Body"]["paths"].items():
            self.paths[path] = {
                method.removeprefix("x-amazon-apigateway-").removesuffix("-method").upper(): self.folders[
                    FUNCTION.findall(json.dumps(about))[0]
                ]
                for method, about in methods.items()
            }
        urls = [found["Properties"] for found in resources.values() if found["Type"] == "AWS::Lambda::Url"]
        self.with_url = sorted({self.folders[url["TargetFunctionArn"]["Ref"]] for url in urls})

    def function(self, name: str) -> LoadedFunction:
        if name not in self.loaded:
            self.loaded[name] = self.stack.load(name, **self.environment)
        return self.loaded[name]

    def lead(self, method: str, path: str) -> tuple[str, str, dict[str, str]] | None:
        """The API's path, the function and the parameters of a request; None where API Gateway itself refuses it.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-set-up-simple-proxy.html
        """
        segments = path.split("/")
        fitting = [template for template in self.paths if _fits(template.split("/"), segments)]
        if not fitting:
            return None
        template = min(fitting, key=lambda each: [2 if part.endswith("+}") else part.startswith("{") for part in each.split("/")])
        name = self.paths[template].get(method) or self.paths[template].get("ANY")
        if not name:
            return None
        parts = template.split("/")
        params = {part.strip("{}"): segments[place] for place, part in enumerate(parts) if part.startswith("{")}
        if parts[-1].endswith("+}"):
            del params[parts[-1].strip("{}")]
            params[parts[-1].strip("{+}")] = "/".join(segments[len(parts) - 1 :])
        return template, name, params

    def await_invoked(self) -> None:
        """Raises what a function raised that was called by another."""
        while self.invoked:
            self.invoked.pop(0).result()

    def invoke(self, folder: str, event: JSON) -> object:
        return self.function(folder).handler(event, in_a_minute())

    def provider(self, seed: int) -> Any:
        """What a hostile provider of this seed answers; calls of functions are kept."""
        hostile = provider.hostile(seed)

        def answer(call: Call) -> Reply:
            if named := INVOKED.match(unquote(call.path)):
                (folder,) = [folder for name, folder in self.folders.items() if named[1].lower().endswith(name.lower())]
                self.invoked.append(self.threads.submit(self.invoke, folder, call.json))
                return Reply.json(202, {})
            return hostile(call)

        return answer


def in_a_minute() -> Context:
    """An invocation that may take so long."""
    return Context("invocation-1", "", int((time.time() + 60) * 1000))


def _fits(template: Sequence[str], segments: Sequence[str]) -> bool:
    if template[-1].endswith("+}"):
        return len(segments) >= len(template) and segments[-1] != "" and _fits(template[:-1], segments[: len(template) - 1])
    return len(segments) == len(template) and all(
        part == segment or (part.startswith("{") and segment) for part, segment in zip(template, segments, strict=True)
    )


@dataclass
class EventClient(network.Client):
    """A client whose requests are events; `url` is of nothing."""

    functions: Functions | None = None

    def _await(self, asked: Asked) -> str:
        assert self.functions
        if asked.is_damaged or not (led := self._led(asked)):
            self.counts["refused at the door"] += 1
            return ""
        self.counts[f"function {led.function}"] += 1
        function = self.functions.function(led.function)
        try:
            result = function.handler(led.event, in_a_minute())
            streams = isinstance(result, StreamedResponse)
            status, headers = (result.status, dict(result.headers)) if streams else (result["statusCode"], result["headers"])
            if streams and len(result.prelude()) - len(PRELUDE_END) > MOST_PRELUDE:
                return f"{asked.operation}: a head of {len(result.prelude())} bytes"
            body = self._read(result) if streams else _body_of(result)
            function.handler.finish()
            self.functions.await_invoked()
        except APIError:  # in the middle of bytes, which the runtime tells in its trailers
            self.counts["cut"] += 1
            return ""
        except Exception:
            return f"{asked.operation}: an exception, {traceback.format_exc()[-1_500:]}; {str(led.event)[:1_000]}"
        if body is None:
            self.counts["clients that left"] += 1
            return ""
        self.counts[f"{status // 100}xx"] += 1
        self.counts[f"status {status}"] += 1
        if status < 300:
            self.counts[f"{asked.operation} 2xx"] += 1
        return self._judge(asked, status, headers.get("content-type", ""), body)

    _leave = _await

    def _read(self, result: StreamedResponse) -> bytes | None:
        """The body; None where the other side is gone in the middle of it, so that the runtime reads no further."""
        pieces, leaves_after = [], self.random.randrange(4) if self.random.random() < 0.05 else None
        try:
            for number, piece in enumerate(result.body):
                if number == leaves_after:
                    return None
                pieces.append(piece)
        finally:
            result.close()
        return b"".join(pieces)

    def _led(self, asked: Asked) -> Led | None:
        assert self.functions
        head, _, body = asked.data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "") for line in lines)
        headers["x-haimaker-retries"] = self.random.choice("0001")
        path, _, query = target.partition("?")
        if self.random.random() < LARGE:
            body = body[:-1] + b" " * (LARGE_BYTES - len(body)) + body[-1:]
        in_base64 = headers.get("content-type", "").startswith(IN_BASE64)
        text = base64.b64encode(body).decode() if in_base64 else body.decode("utf-8", "replace")
        event: JSON = {"headers": headers, "body": text or None, "isBase64Encoded": in_base64}
        if self.random.random() < 0.02:
            del event["body"], event["isBase64Encoded"]
            event |= self.random.choice(NO_BODY)
        if self.random.random() < 0.02:
            event["headers"] = self.random.choice((None, {}))
        led = self.functions.lead(method, path)
        if led and led[1] in self.functions.with_url and self.random.random() < 0.2:
            http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
            event |= {"version": "2.0", "rawPath": path, "rawQueryString": query, "requestContext": {"http": http}}
            return Led(led[1], event)
        if not led:
            return None
        template, name, params = led
        pairs = parse_qsl(query, keep_blank_values=True)
        several: dict[str, list[str]] = {}
        for key, value in pairs:
            several.setdefault(key, []).append(value)
        event |= {
            "resource": template,
            "path": path,
            "httpMethod": method,
            "pathParameters": params or None,
            "queryStringParameters": dict(pairs) or None,
            "multiValueQueryStringParameters": several or None,
            "multiValueHeaders": {key: [value, value][: self.random.choice((1, 1, 1, 2))] for key, value in headers.items()},
            "requestContext": {"requestId": "r1", "stage": "api", "identity": {"sourceIp": "192.0.2.1"}},
        }
        for absent in ("multiValueHeaders", "multiValueQueryStringParameters", "requestContext", "path"):
            if self.random.random() < (0.3 if absent.startswith("multi") else 0.02):
                event[absent] = None
        return Led(name, event)


def _body_of(reply: JSON) -> bytes:
    json.dumps(reply)
    body: bytes = base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode()
    return body


@dataclass
class Events:
    """A stack, its functions and the keys of its clients."""

    batches: StackBatches
    functions: Functions
    keys: list[str]

    @classmethod
    def of(cls, batches: StackBatches, seed: int) -> "Events":
        """Of a stack whose provider is hostile, by this seed."""
        root, names = batches.stack.upstream.url.removesuffix("/v1"), requests.providers()
        functions = Functions(
            batches.stack,
            {
                **batches.settings(),
                **{f"{name.upper()}_BASE_URL": f"{root}/{name}" for name in names},
                **{f"{name.upper()}_API_KEY": "sk-upstream" for name in names if name != "openai"},
                "HAIMAKER_CONTENT_BUCKET": BUCKETS["Content"],
            },
        )
        batches.stack.upstream.answers(functions.provider(seed))
        made, began_s = cls(batches, functions, [batches.stack.key(role="admin")]), time.monotonic()
        for team in ("t", "blocked"):
            made.change("/team/new", {"team_id": team})
        made.keys += [made.change("/key/generate", limit)["key"] for limit in network.LIMITS]
        made.change("/team/block", {"team_id": "blocked"})
        made.change("/key/block", {"key": made.keys[network.BLOCKED]})
        time.sleep(max(0.0, began_s + 1.1 - time.monotonic()))  # by when the key that is to be expired is
        return made

    def change(self, path: str, body: JSON) -> JSON:
        found = self.functions.lead("POST", path)
        assert found
        event = {
            "resource": found[0],
            "httpMethod": "POST",
            "path": path,
            "pathParameters": found[2],
            "headers": {"authorization": f"Bearer {self.keys[0]}"},
            "body": json.dumps(body),
        }
        return self.functions.function(found[1]).ask(event).json

    def client(self, seed: int) -> EventClient:
        return EventClient("", self.keys, [], Random(seed), functions=self.functions)

    def settled(self) -> list[str]:
        """What is wrong once all is over: reservations that are left, and spend that is not what the records say."""
        self.batches.stack.upstream.answers(Reply.json(400, {"error": {"message": "no"}}))
        self.batches.deliver()
        store, spent, found = self.batches.stack.store, Counter[str](), list[str]()
        after: str | None = None
        while True:
            page, after = store.records(after=after, limit=1_000)
            for record in page:
                for account_id in {record.account_id, *record.detail.get("charged", ())}:
                    spent[account_id] += record.cost_nanousd
            if after is None:
                break
        for kind in ("key", "team", "user"):
            for balance in store.accounts(kind, limit=100_000)[0]:
                total = balance.account.carried_nanousd + spent[balance.account.id]
                if balance.held_nanousd:
                    found.append(f"{balance.account.id} holds {balance.held_nanousd}")
                if balance.total_spend_nanousd != total:
                    found.append(f"{balance.account.id} spent {balance.total_spend_nanousd}, its records say {total}")
        return found
