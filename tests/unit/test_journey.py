"""How far it is from the door to the socket: the functions of ours that a chat is in while its provider works on it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import haimaker
from haimaker.gateway import Gateway
from haimaker.http.values import Request
from haimaker.settings.settings import Settings
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

PACKAGE = Path(haimaker.__file__).parent
HAND_OVER = ("relay.py", "background.py")
"""Between two threads, so that a silent provider holds up nobody. No step of the way, and no part of the count."""
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}  # fmt: skip
STEPS = [
    "gateway.py Gateway.handle",
    "gateway.py Gateway._answer",
    "exchange.py Exchange.run",
    "exchange.py AttemptLoop.first_success",
    "call.py UpstreamCall.open",
    "call.py UpstreamCall._send",
    "client.py HTTPClient.send",
    "client.py _exchange",
]


def _ours(frame: FrameType | None) -> Iterator[str]:
    """Innermost first."""
    while frame:
        file = Path(frame.f_code.co_filename)
        if PACKAGE in file.parents and file.name not in HAND_OVER:
            yield f"{file.name} {frame.f_code.co_qualname}"
        frame = frame.f_back


def test_a_chat_is_eight_functions_in_four_files_from_the_door_to_the_socket(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def answer(call: Call) -> Reply:
        seen.extend([*_ours(frame)][::-1] for frame in sys._current_frames().values())
        return Reply.json(200, ANSWER)

    with FakeUpstream() as upstream:
        upstream.answers(answer)
        environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.url, "HAIMAKER_ADMIN_KEY": "sk-local"}
        gateway = Gateway.local(Settings.from_environment({**environment, "HAIMAKER_HOME": str(tmp_path)}))
        body = json.dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        response = gateway.handle("chat_completions", Request("r", {"authorization": "Bearer sk-local"}, body))
    assert response.status == 200
    [door] = [steps for steps in seen if STEPS[0] in steps]
    [beside] = [steps for steps in seen if STEPS[-1] in steps]
    to_the_socket = beside[: beside.index(STEPS[-1]) + 1]  # behind it the answer is waited for
    assert [*door, *to_the_socket] == STEPS
    assert len(STEPS) <= 8
    assert len({step.split()[0] for step in STEPS}) <= 4
