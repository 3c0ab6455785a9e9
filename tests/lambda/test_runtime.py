"""The streaming runtime under a Runtime API emulator, with small functions that do one thing each."""

import json
import os

import pytest

from haimaker.aws_lambda.runtime import StreamedResponse
from tests.support.runtime_emulator import RuntimeEmulator

APP = '''
import itertools, os, sys, threading
from haimaker.aws_lambda.runtime import StreamedResponse

TEXT = {"content-type": "text/plain"}
invocations = itertools.count(1)


class Body:
    """Counts up; says in the log when it was closed."""

    def __init__(self, last):
        self.numbers = iter(range(last))

    def __iter__(self):
        return self

    def __next__(self):
        return b"%d\\n" % next(self.numbers)

    def close(self):
        print("closed", flush=False)


def pieces(*items):
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def waiting(path):
    """A piece, and another one once somebody wrote to the pipe."""
    yield b"first"
    with open(path, "rb") as pipe:
        yield pipe.read()


def handler(event, context):
    number = next(invocations)
    match event["do"]:
        case "stream":
            return StreamedResponse(200, TEXT, pieces(*(piece.encode() for piece in event["pieces"])))
        case "count":
            return StreamedResponse(200, TEXT, Body(event["last"]))
        case "wait":
            return StreamedResponse(200, TEXT, waiting(event["pipe"]))
        case "fail early":
            raise ValueError("sk-secret")
        case "fail late":
            return StreamedResponse(200, TEXT, pieces(b"begun", ValueError("sk-secret")))
        case "several":
            return StreamedResponse(201, TEXT, pieces(b"x"), {"set-cookie": ["a=1", "b=2"], "link": ["<c>"]})
        case "whole":
            left = context.get_remaining_time_in_millis()
            return {"number": number, "left": left, "id": context.aws_request_id, "trace": os.environ["_X_AMZN_TRACE_ID"]}
        case "nonsense":
            return {1, 2}
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("function")
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture
def function(folder):
    with RuntimeEmulator(folder, {}) as function:
        yield function


@pytest.mark.parametrize(
    ("pieces", "chunks"),
    [
        (["a", "b", "c"], [b"a", b"b", b"c"]),
        (["", "a", "", "b"], [b"a", b"b"]),
        (["data: é\n\n"], ["data: é\n\n".encode()]),
        ([], [b"\n"]),
        (["", ""], [b"\n"]),
        (["x" * 3_000_000], [b"x" * 3_000_000]),
    ],
)
def test_a_stream_keeps_its_pieces_and_is_never_empty(function, pieces, chunks):
    answer = function.invoke({"do": "stream", "pieces": pieces})
    assert answer.head() == {"statusCode": 200, "headers": {"content-type": "text/plain"}}
    assert list(answer.chunks()) == chunks
    assert answer.trailers == {}
    assert answer.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert answer.headers["lambda-runtime-invocation-id"] == "attempt-1"


def test_chunks_arrive_one_by_one(function, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    answer = function.invoke({"do": "wait", "pipe": str(pipe)})
    answer.head()
    chunks = answer.chunks()
    assert next(chunks) == b"first"
    with pipe.open("wb") as writer:
        writer.write(b"second")
    assert list(chunks) == [b"second"]


def test_ten_thousand_chunks(function):
    answer = function.invoke({"do": "count", "last": 10_000})
    answer.head()
    assert list(answer.chunks()) == [b"%d\n" % number for number in range(10_000)]


def test_several_values_of_a_header(function):
    answer = function.invoke({"do": "several"})
    head = answer.head()
    assert head["statusCode"] == 201
    assert head["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"], "link": ["<c>"]}
    assert head["cookies"] == ["a=1", "b=2"]


def test_an_error_before_the_first_byte_fails_the_invocation_only(function):
    answer = function.invoke({"do": "fail early"})
    assert answer.buffered()["errorType"] == "ValueError"
    assert answer.headers["lambda-runtime-function-error-type"] == "ValueError"
    assert answer.headers["lambda-runtime-invocation-id"] == "attempt-1"
    assert function.invoke({"do": "nonsense"}).buffered()["errorType"] == "TypeError"
    assert function.invoke({"do": "whole"}).buffered()["number"] == 3
    assert "sk-secret" not in function.output()


def test_an_error_after_the_first_byte_is_told_in_trailers(function):
    answer = function.invoke({"do": "fail late"})
    assert answer.head()["statusCode"] == 200
    assert answer.body() == b"begun"
    assert answer.trailers["lambda-runtime-function-error-type"] == "ValueError"
    assert answer.error_in_trailers()["errorType"] == "ValueError"
    assert "sk-secret" not in function.output() + json.dumps(answer.error_in_trailers())


def test_a_whole_answer_and_its_context(function):
    answer = function.invoke({"do": "whole"}, lasts_s=40)
    told = answer.buffered()
    assert told["id"] == "invocation-1"
    assert told["trace"] == "Root=1-invocation-1"
    assert 0 < told["left"] <= 40_000
    assert answer.headers["content-type"] == "application/json"
    assert function.invoke({"do": "whole"}, lasts_s=-5).buffered()["left"] == 0


def test_the_body_is_closed_before_the_next_invocation_is_asked_for(function):
    answer = function.invoke({"do": "count", "last": 3})
    assert answer.head()
    assert answer.body() == b"0\n1\n2\n"
    function.wait_for("next", 2)
    assert "closed" in function.output()
    assert function.journal == ["next", "response begins invocation-1", "response ends invocation-1", "next"]


def test_a_kill_after_the_answer_loses_no_line_of_the_log(folder):
    """What the function prints is in the log although nothing flushed it: the emulator never confirms the answer."""
    (folder / "quiet.py").write_text(
        "from haimaker.aws_lambda.runtime import StreamedResponse\n"
        "def body():\n    yield b'x'\n    print('the last line')\n"
        "def handler(event, context):\n    return StreamedResponse(200, {}, body())\n"
    )
    with RuntimeEmulator(folder, {"_HANDLER": "quiet.handler"}) as function:
        answer = function.invoke({}, withholds_receipt=True)
        answer.head()
        assert answer.body() == b"x"
        function.kill()
        assert function.output() == "the last line\n"


@pytest.mark.parametrize(
    ("handler", "kind", "said"),
    [
        ("missing.handler", "ModuleNotFoundError", "missing"),
        ("app.other", "AttributeError", "other"),
        ("broken.handler", "Bad", "PORT"),
    ],
)
def test_a_function_that_cannot_start_says_why(folder, handler, kind, said):
    (folder / "broken.py").write_text("class Bad(ValueError): pass\nraise Bad('PORT is wrong')\n")
    with RuntimeEmulator(folder, {"_HANDLER": handler}) as function:
        function.wait_for("init/error")
        assert function.process.wait(10) == 1
        assert function.init_error["errorType"] == kind
        assert said in function.init_error["errorMessage"]
        assert said in function.output()


def test_the_body_is_closed_when_nobody_takes_it(folder):
    """The connection breaks while the body is sent: it is not read on, and closed before the next invocation."""
    (folder / "endless.py").write_text(
        "import itertools\nfrom haimaker.aws_lambda.runtime import StreamedResponse\n"
        "def body():\n"
        "    try:\n        yield from itertools.repeat(b'x' * 1000)\n    finally:\n        print('closed')\n"
        "def handler(event, context):\n    return StreamedResponse(200, {}, body())\n"
    )
    with RuntimeEmulator(folder, {"_HANDLER": "endless.handler"}) as function:
        function.invoke({}, breaks_after=10)
        function.wait_for("next", 2)
        assert "closed" in function.output()
        assert "could not be delivered" in function.output()


def test_the_prelude_without_several_values_is_small():
    assert StreamedResponse(204, {}, iter(())).prelude() == b'{"statusCode": 204, "headers": {}}' + b"\0" * 8
