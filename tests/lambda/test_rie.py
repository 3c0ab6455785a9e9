"""The functions under AWS's own Runtime Interface Emulator, the program that `sam local invoke` runs in its container.

https://github.com/aws/aws-lambda-runtime-interface-emulator. It is a part of aws-sam-cli, which `make test` puts into .venv-aws.
It passes a stream on at its end only, and knows no trailers: test_runtime.py is about those.
"""

import base64
import gzip
import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.aws_tools import python313
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion, error
from tests.support.runtime_emulator import PRELUDE_END, ROOT, WRAPPER
from tests.support.stack import LoadedFunction

MACHINE = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64"}.get(platform.machine(), "other")
PROGRAMS = sorted(ROOT.glob(f".venv-aws/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE}"))
INVOKE = "/2015-03-31/functions/function/invocations"
EVENTS = {path.stem: path.read_text() for path in sorted((ROOT / "events").glob("*.json")) if path.stem != "local"}
TABLES = {"HAIMAKER_ACCOUNTS_TABLE": "accounts", "HAIMAKER_RECORDS_TABLE": "records"}
WAIT_S = 30.0

pytestmark = pytest.mark.skipif(
    not PROGRAMS or not sys.platform.startswith("linux"),
    reason="the Runtime Interface Emulator runs on Linux, from .venv-aws, which `make test` makes",
)

Invoke = Callable[[str], bytes]


@contextmanager
def emulated(function: str, environment: dict[str, str], wrapper: Path = WRAPPER, python: str = sys.executable) -> Iterator[Invoke]:
    """Invokes a function that runs under the emulator as Lambda runs it."""
    address, api = (f"127.0.0.1:{port}" for port in _free_ports(2))
    folder = ROOT / "functions" / function
    options = ["--log-level", "error", "--runtime-interface-emulator-address", address, "--runtime-api-address", api]
    process = subprocess.Popen(
        [PROGRAMS[0], *options, wrapper, python, "app.handler"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "shared"),
            "PYTHONDONTWRITEBYTECODE": "1",  # the layer is others' too, and has the bytecode that it is to have
            "LAMBDA_TASK_ROOT": str(folder),
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "secret",
            **environment,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(address, process)
        yield lambda event: _post(address, event)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(WAIT_S)


def _post(address: str, event: str) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=WAIT_S)
    connection.request("POST", INVOKE, event.encode())
    answer = connection.getresponse().read()
    connection.close()
    return answer


def _wait_for(address: str, process: subprocess.Popen) -> None:
    host, _, port = address.partition(":")
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("the emulator did not start")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_sockets:
        free = [open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in free]


@pytest.fixture(scope="module")
def sam_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Invoke]]:
    """Functions as `sam local invoke` runs them: with no AWS account. Each is started when first asked for: one that streams and
    one that does not under the emulator; of the others the handler is called, since the runtime is the same."""
    environment = {
        "AWS_SAM_LOCAL": "true",
        "TMPDIR": str(tmp_path_factory.mktemp("sandbox")),
        **json.loads((ROOT / "events" / "local.json").read_text())["Parameters"],
    }
    started: dict[str, Invoke] = {}
    with ExitStack() as running:

        def called(function: str) -> Invoke:
            loaded = LoadedFunction(function, environment)
            return lambda event: json.dumps(loaded.reply(json.loads(event))).encode()

        def start(function: str) -> Invoke:
            if function not in started:
                is_emulated = function in ("chat_completions", "models")
                started[function] = running.enter_context(emulated(function, environment)) if is_emulated else called(function)
            return started[function]

        yield start


def function_of(event: str) -> str:
    """Events are named after their functions, some of which serve several operations."""
    names = [folder.name for folder in (ROOT / "functions").iterdir()]
    return max((name for name in names if event.startswith(name)), key=len)


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_answered_without_an_aws_account(sam_local, name):
    function = function_of(name)
    reply = json.loads(sam_local(function)(EVENTS[name]))
    is_sound = name.startswith("audio_speech")
    assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, is_sound), reply
    if is_sound:
        assert reply["headers"]["content-type"] == "audio/wav"
        assert base64.b64decode(reply["body"]).startswith(b"RIFF")
    elif name == "console":
        assert reply["headers"]["content-type"].startswith("text/html")
        assert "frame-ancestors 'none'" in reply["headers"]["content-security-policy"]
        assert reply["body"].startswith("<!doctype html>")
    elif name.endswith("_stream"):
        assert reply["headers"]["content-type"].startswith("text/event-stream")
        assert reply["body"].endswith("data: [DONE]\n\n")
    else:
        body = json.loads(reply["body"])
        assert isinstance(body, list if name == "models_hub" else dict)
        if "choices" in body or "completions" in function:
            (choice,) = body["choices"]
            assert choice.get("text", choice.get("message", {}).get("content")) in ("Hello, Lambda!", "Grüezi 👋")
            assert body["usage"]["cost"] == 0


def test_as_deployed_the_answer_is_a_prelude_and_a_body():
    """It is an error, since there is no store here; its key is refused before one is asked."""
    with emulated("chat_completions", TABLES) as invoke:
        for _ in range(2):
            prelude, end, body = invoke(EVENTS["chat_completions_url_stream"]).partition(PRELUDE_END)
            assert end
            assert json.loads(prelude)["statusCode"] == 401
            assert json.loads(body)["error"]["code"] == "invalid_api_key"


def test_as_deployed_a_function_that_does_not_stream_answers_in_one_piece():
    with emulated("models", TABLES) as invoke:
        reply = json.loads(invoke(EVENTS["models_health"]))
        assert (reply["statusCode"], json.loads(reply["body"])["status"]) == (200, "ok")


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What becomes /opt, built for this machine."""
    opt = tmp_path_factory.mktemp("opt")
    variables = [f"ARTIFACTS_DIR={opt}", f"ARCHITECTURE={MACHINE}", f"PYTHON={python313()}"]
    subprocess.run(
        ["make", "-C", "shared", "build-HaimakerLayer", *variables], cwd=ROOT, check=True, timeout=300, capture_output=True
    )
    return opt


@pytest.fixture(scope="module")
def as_built(layer: Path, upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Invoke]:
    """The chat function in the layer's own Python, which is newer than the one that most people run tests with."""
    sandbox = str(tmp_path_factory.mktemp("sandbox"))
    provider = {"OPENAI_COMPATIBLE_BASE_URL": upstream.url}
    environment = {"AWS_SAM_LOCAL": "true", "TMPDIR": sandbox, "PYTHONPATH": "", **provider}
    with emulated("chat_completions", environment, layer / "stream-wrapper", python313()) as invoke:
        yield invoke


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


def test_the_layer_as_built_answers(as_built):
    for name in ("chat_completions", "chat_completions_stream", "chat_completions_url_base64"):
        assert json.loads(as_built(EVENTS[name]))["statusCode"] == 200, name


IMPORTED = """
import importlib, json, sys
from pathlib import Path
layer, *names = sys.argv[1:]
sys.path.insert(0, layer)
for name in names:
    importlib.import_module(name)
import aws_lambda_powertools.logging, aws_lambda_powertools.metrics
of_layer = {name: each for name, each in sys.modules.items() if (getattr(each, "__file__", None) or "").startswith(layer)}
cached = {name: getattr(each, "__cached__", None) for name, each in of_layer.items()}
print(json.dumps(sorted(name for name, path in cached.items() if path and not Path(path).exists())))
"""


def test_what_a_function_imports_has_bytecode_in_the_layer(layer):
    modules = [path.relative_to(layer / "python").with_suffix("") for path in (layer / "python/haimaker").rglob("*.py")]
    names = [".".join(module.parts) for module in modules if module.name not in ("__init__", "__main__")]
    done = subprocess.run(
        [python313(), "-I", "-B", "-c", IMPORTED, str(layer / "python"), *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, json.loads(done.stdout or "null")) == (0, []), done.stderr


WHOLE = Reply.json(200, completion("Hello, Lambda!"))
(ANSWER,) = WHOLE.body
ASKED = {"model": "openai_compatible/any", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        pytest.param([WHOLE], 200, id="with its length"),
        pytest.param([Reply.raw(200, gzip.compress(ANSWER), {"content-encoding": "gzip"})], 200, id="compressed"),
        pytest.param([Reply.sse([ANSWER], done=False, headers={"content-type": "application/json"})], 200, id="in chunks"),
        pytest.param([WHOLE.framed_by_close()], 200, id="until the connection ends"),
        pytest.param([Reply.json(503, {}), WHOLE], 200, id="after a failure"),
        pytest.param([Reply.json(400, error("No."))], 400, id="refused"),
        pytest.param([Reply.sse(chunks("Hello, Lambda!"))], 200, id="streamed"),
        pytest.param([Reply.sse(chunks("Hello, Lambda!")).framed_by_close()], 200, id="streamed until the connection ends"),
    ],
)
def test_the_layer_as_built_passes_a_providers_answer_on(as_built, upstream, answered, status):
    is_stream = b"text/event-stream" in answered[0].head
    for _ in range(2):  # the connection is used again, where it may be
        upstream.answers(*answered)
        event = json.loads(EVENTS["chat_completions"]) | {
            "body": json.dumps(ASKED | {"stream": is_stream}),
            "isBase64Encoded": False,
        }
        reply = json.loads(as_built(json.dumps(event)))
        text = base64.b64decode(reply["body"]).decode() if reply["isBase64Encoded"] else reply["body"]
        told = "".join(re.findall(r'"content":"([^"]*)"', text))
        assert (reply["statusCode"], told) == (status, "Hello, Lambda!" if status == 200 else ""), reply
