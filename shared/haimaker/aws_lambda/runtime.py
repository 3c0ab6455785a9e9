"""A Lambda runtime that streams, which the managed Python runtime can't: the loop over the Runtime API. It knows no event.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and runtimes-custom.html#runtimes-custom-response-streaming

`stream-wrapper` starts it instead of the managed loop, on the functions that stream. Delete both when AWS streams Python itself.
A handler may return a StreamedResponse or anything that is JSON. Nothing of an event or an answer is ever logged here.
"""

import base64
import gc
import http.client
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NoReturn

from haimaker.lean_dataclasses import dataclass, field

API = "/2018-06-01/runtime"
PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
ATTEMPT = "Lambda-Runtime-Invocation-Id"
"""One attempt of a request; given since 2026, and then to be echoed."""
CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY"
"""Set on Lambda Managed Instances, where an environment serves so many invocations at once, each by a poller of its own.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html"""
NOT_EMPTY = b"\n"
"""The body of an answer that has none: function URLs hang on an empty stream."""


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """An HTTP answer whose body is sent piece by piece; it is closed in the end, if it can be, whatever happens."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]
    multi_value_headers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def prelude(self) -> bytes:
        """Status and headers as both doors take them: function URLs know several values of `set-cookie` only, as `cookies`."""
        prelude: dict[str, Any] = {"statusCode": self.status, "headers": dict(self.headers)}
        if self.multi_value_headers:
            prelude["multiValueHeaders"] = {name: list(values) for name, values in self.multi_value_headers.items()}
            prelude["cookies"] = list(self.multi_value_headers.get("set-cookie", ()))
        return json.dumps(prelude).encode() + PRELUDE_END

    def close(self) -> None:
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True, slots=True)
class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html, as far as it is of use here."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self.deadline_ms - int(time.time() * 1000))


Handler = Callable[[Any, Context], Any]


def main() -> NoReturn:
    """Loads the handler and serves until the sandbox ends."""
    host = os.environ["AWS_LAMBDA_RUNTIME_API"]
    try:
        handler = load(os.environ["_HANDLER"], os.environ.get("LAMBDA_TASK_ROOT", "."))
    except BaseException as error:
        failure = {**_failure(error), "errorMessage": str(error)}
        _log("the function can't start", failure)
        _call(host, "POST", "/init/error", json.dumps(failure).encode(), {ERROR_TYPE: f"Runtime.{type(error).__name__}"})
        sys.exit(1)
    for _ in range(int(os.environ.get(CONCURRENCY) or 1) - 1):
        threading.Thread(target=_serve, args=(host, handler), daemon=True).start()
    _serve(host, handler)


def _serve(host: str, handler: Handler) -> NoReturn:
    """One poller. What ends one ends the process: with fewer of them invocations would wait that the API counts on."""
    try:
        while True:
            _serve_one(host, handler)
    except BaseException as error:
        _log("the runtime ends", _failure(error))
        sys.stdout.flush()
        os._exit(1)


def load(name: str, folder: str) -> Handler:
    """The handler that `folder/module.function` names.

    What a start makes stays: looking through it for garbage, again and again while it is made, takes a tenth of a cold start.
    """
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module, _, function = name.rpartition(".")
    gc.disable()
    try:
        handler: Handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    finally:
        gc.freeze()
        gc.enable()
    return handler


def _serve_one(host: str, handler: Handler) -> None:
    """One invocation. When it returns the answer's body was closed, so that nothing waits for the next one."""
    headers, event = _next(host)
    request_id = headers.get("Lambda-Runtime-Aws-Request-Id", "")
    echo = {ATTEMPT: headers[ATTEMPT]} if ATTEMPT in headers else {}
    if CONCURRENCY not in os.environ:  # else invocations share the environment
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
    arn, deadline_ms = headers.get("Lambda-Runtime-Invoked-Function-Arn", ""), headers.get("Lambda-Runtime-Deadline-Ms", "0")
    try:
        result = handler(json.loads(event), Context(request_id, arn, int(deadline_ms)))
        answer = None if isinstance(result, StreamedResponse) else json.dumps(result).encode()
    except Exception as error:
        failure = _failure(error)
        _log("the function failed", failure)
        body = json.dumps(failure).encode()
        _call(host, "POST", f"/invocation/{request_id}/error", body, {ERROR_TYPE: type(error).__name__, **echo})
    else:
        if answer is None:
            _stream(host, f"/invocation/{request_id}/response", result, echo)
        else:
            _call(host, "POST", f"/invocation/{request_id}/response", answer, {"Content-Type": "application/json", **echo})
    finish = getattr(handler, "finish", None)
    if finish is not None:
        finish()
    sys.stdout.flush()
    sys.stderr.flush()


def _next(host: str) -> tuple[http.client.HTTPMessage, bytes]:
    """The next event, whenever it comes: the sandbox may be frozen for hours, so there is no timeout."""
    with closing(http.client.HTTPConnection(host)) as connection:
        connection.request("GET", f"{API}/invocation/next")
        response = connection.getresponse()
        event = response.read()
        if response.status != 200:
            raise SystemExit(f"the Runtime API answered {response.status}")
        return response.headers, event


def _call(host: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
    with closing(http.client.HTTPConnection(host)) as connection:
        connection.request(method, API + path, body, dict(headers))
        _check(connection.getresponse())


def _stream(host: str, path: str, streamed: StreamedResponse, echo: Mapping[str, str]) -> None:
    """Posts the answer as it comes. If the other side is gone the body is closed, not read on: that ends what it would cost."""
    try:
        with closing(http.client.HTTPConnection(host)) as connection:
            _begin(connection, path, echo)
            _send(connection, streamed.prelude())
            trailers = _relay(connection, streamed.body)
            connection.send(b"0\r\n" + trailers + b"\r\n")
            _check(connection.getresponse())
    except (OSError, http.client.HTTPException) as error:
        _log("the answer could not be delivered", _failure(error))
    finally:
        streamed.close()


def _begin(connection: http.client.HTTPConnection, path: str, echo: Mapping[str, str]) -> None:
    connection.putrequest("POST", API + path)
    headers = {
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        "Content-Type": PRELUDE_TYPE,
        "Trailer": f"{ERROR_TYPE}, {ERROR_BODY}",
        **echo,
    }
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()


def _relay(connection: http.client.HTTPConnection, body: Iterator[bytes]) -> bytes:
    """Sends the body; the trailers that tell how it ended. An exception of the body comes too late for anything else."""
    sent = False
    while True:
        try:
            piece = next(body, None)
        except Exception as error:
            failure = _failure(error)
            _log("the function failed in the middle of its answer", failure)
            encoded = base64.b64encode(json.dumps(failure).encode()).decode()
            return f"{ERROR_TYPE}: {type(error).__name__}\r\n{ERROR_BODY}: {encoded}\r\n".encode()
        if piece is None:
            break
        if piece:  # an empty chunk would end the body
            _send(connection, piece)
            sent = True
    if not sent:
        _send(connection, NOT_EMPTY)
    return b""


def _send(connection: http.client.HTTPConnection, piece: bytes) -> None:
    connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))


def _check(response: http.client.HTTPResponse) -> None:
    """A refused answer is logged; after a server error the API asks a runtime to end."""
    response.read()
    if response.status >= 500:
        raise SystemExit(f"the Runtime API answered {response.status}")
    if response.status >= 400:
        _log("the answer was refused", {"status": response.status})


def _failure(error: BaseException) -> dict[str, Any]:
    """The type and place of an error, without its message, which may hold what a client sent."""
    from traceback import extract_tb  # 2 ms of a start, with what wraps texts

    places = [f"{place.filename}:{place.lineno} {place.name}" for place in extract_tb(error.__traceback__)]
    return {"errorType": type(error).__name__, "errorMessage": type(error).__name__, "stackTrace": places}


def _log(message: str, fields: Mapping[str, Any]) -> None:
    print(json.dumps({"level": "ERROR", "message": message, **fields}), file=sys.stderr, flush=True)
