"""Coding agents as they are installed, at this gateway: each writes a file by a call of its own tool and ends, and says why it
stops where its key has no money left. Skipped where a program is not on the path; docs/agents.md has what each needs.

`npm install @google/gemini-cli @anthropic-ai/claude-code @openai/codex opencode-ai`
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from haimaker.http.values import JSON
from tests.contract import test_responses
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL
from tests.contract.test_gemini_format import streamed as google_stream
from tests.contract.test_messages import events_of, named
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

TIMEOUT_S = 240
DONE = "All is written."
CLAUDE, GEMINI = "anthropic/claude-sonnet-5-5", "gemini/gemini-2.5-flash"
USED = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9}


def gemini(desk: Desk, key: str, home: Path, model: str, prompt: str) -> tuple[list[str], dict[str, str]]:
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
    write(home / ".gemini" / "settings.json", json.dumps(settings))
    variables = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": desk.url.removesuffix("/v1")}
    return ["gemini", "-m", model, "--approval-mode", "yolo", "--skip-trust", "-p", prompt], variables


def claude(desk: Desk, key: str, home: Path, model: str, prompt: str) -> tuple[list[str], dict[str, str]]:
    variables = {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": desk.url.removesuffix("/v1"), "ANTHROPIC_SMALL_FAST_MODEL": model}
    variables |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1"}
    return ["claude", "--model", model, "--dangerously-skip-permissions", "-p", prompt], variables


def codex(desk: Desk, key: str, home: Path, model: str, prompt: str) -> tuple[list[str], dict[str, str]]:
    provider = f'name = "haimaker"\nbase_url = "{desk.url}"\nenv_key = "HAIMAKER_API_KEY"\nwire_api = "responses"\n'
    config = f'model = "{model}"\nmodel_provider = "haimaker"\n[model_providers.haimaker]\n{provider}'
    write(home / ".codex" / "config.toml", config)
    flags = ["--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check"]
    return ["codex", "exec", *flags, prompt], {"HAIMAKER_API_KEY": key}


def opencode(desk: Desk, key: str, home: Path, model: str, prompt: str) -> tuple[list[str], dict[str, str]]:
    options = {"baseURL": desk.url, "apiKey": "{env:HAIMAKER_API_KEY}"}
    models = {model: {"name": model, "tool_call": True, "limit": {"context": 100_000, "output": 8_192}}}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "haimaker", "options": options, "models": models}
    config = {"autoupdate": False, "share": "disabled", "provider": {"haimaker": provider}}
    write(home / ".config" / "opencode" / "opencode.json", json.dumps(config))
    return ["opencode", "run", "-m", f"haimaker/{model}", prompt], {"HAIMAKER_API_KEY": key}


Agent = Callable[[Desk, str, Path, str, str], tuple[list[str], dict[str, str]]]
AGENTS: Mapping[str, Agent] = {"gemini": gemini, "claude": claude, "codex": codex, "opencode": opencode}


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run(agent: str, desk: Desk, key: str, folder: Path, model: str) -> tuple[str, int]:
    """What it printed, and its exit status. It reaches nobody but the gateway, and knows nothing of who runs this."""
    if not shutil.which(agent):
        pytest.skip(f"{agent} is not installed")
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    command, variables = AGENTS[agent](desk, key, home, model, f"Write a file {work}/made.txt.")
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    here = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", **nowhere, **here, **variables}
    done = subprocess.run(
        command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    return done.stdout + done.stderr, done.returncode


def writes(file: Path) -> Callable[[Call], Reply]:
    """Calls the agent's tool that writes a file, once; in the format in which it is asked."""

    def answer(call: Call) -> Reply:
        asked, said = call.json, json.dumps(call.json)
        if "generateContent" in call.path or "GenerateContent" in call.path:
            names = [each["name"] for tool in asked.get("tools", ()) for each in tool.get("functionDeclarations", ())]
            part: JSON = {"text": DONE}
            parts = [part for content in asked["contents"] for part in content["parts"]]
            if not any("functionResponse" in part for part in parts) and (tool := pick(names, file)):
                part = {"functionCall": {"name": tool[0], "args": tool[1]}}
            candidate = {"content": {"parts": [part], "role": "model"}, "finishReason": "STOP", "index": 0}
            used = {"promptTokenCount": 20, "candidatesTokenCount": 9, "totalTokenCount": 29}
            whole = {"candidates": [candidate], "usageMetadata": used, "modelVersion": "m", "responseId": "r"}
            return google_stream(whole) if "stream" in call.path else Reply.json(200, whole)
        if call.path.partition("?")[0].endswith("/messages"):
            tool = None if '"tool_result"' in said else pick([each["name"] for each in asked.get("tools", ())], file)
            block = (
                {"type": "tool_use", "id": "toolu_1", "name": tool[0], "input": tool[1]} if tool else {"type": "text", "text": DONE}
            )
            head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None, "usage": USED}
            message = {**head, "content": [block], "stop_reason": "tool_use" if tool else "end_turn"}
            return named(as_written(events_of(message), block)) if asked.get("stream") else Reply.json(200, message)
        if call.path.endswith("/responses"):
            names = [each["name"] for each in asked.get("tools", ()) if each["type"] == "function"]
            tool = None if "function_call_output" in said else pick(names, file)
            item: JSON = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
            item |= {"content": [{"type": "output_text", "text": DONE, "annotations": []}]}
            if tool:
                item = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": tool[0]}
                item |= {"arguments": json.dumps(tool[1])}
            response = {**test_responses.WHOLE, "output": [item]}
            events = test_responses.events_of(response)
            return test_responses.named(events) if asked.get("stream") else Reply.json(200, response)
        done = any(message["role"] == "tool" for message in asked["messages"])
        tool = None if done else pick([each["function"]["name"] for each in asked.get("tools", ())], file)
        calls = [openai_wire.tool_call(tool[0], json.dumps(tool[1]))] if tool else []
        if not asked.get("stream"):
            return Reply.json(200, openai_wire.completion(DONE, tool_calls=calls))
        return Reply.sse(openai_wire.chunks((DONE,), tool_calls=calls, usage=openai_wire.usage()))

    return answer


def as_written(events: list[JSON], block: JSON) -> list[JSON]:
    """With the input of the call in one piece."""
    if block["type"] != "tool_use":
        return events
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    pieces = [event for event in events if event["type"] != "content_block_delta"]
    pieces.insert(pieces.index(next(event for event in pieces if event["type"] == "content_block_stop")), {
        "type": "content_block_delta", "index": 0, "delta": delta,
    })  # fmt: skip
    return pieces


def pick(names: list[str], file: Path) -> tuple[str, Any] | None:
    """The tool that writes a file, by the names that agents give it, and what it is called with."""
    command = f"printf 'made' > {file}"
    arguments: Mapping[str, JSON] = {
        "write_file": {"file_path": str(file), "content": "made"},
        "Write": {"file_path": str(file), "content": "made"},
        "write": {"filePath": str(file), "content": "made"},
        "exec_command": {"cmd": command},
        "shell_command": {"command": command},
    }
    return next(((name, arguments[name]) for name in names if name in arguments), None)


@pytest.mark.parametrize(
    ("agent", "model"),
    [
        *[("gemini", model) for model in (GEMINI, CLAUDE)],
        *[("claude", model) for model in (CLAUDE, MODEL)],
        *[("codex", model) for model in (test_responses.GPT, CLAUDE)],
        *[("opencode", model) for model in (CLAUDE, MODEL)],
    ],
)
def test_an_agent_writes_a_file_and_ends(
    desk: Desk, key: str, upstream: FakeUpstream, tmp_path: Path, agent: str, model: str
) -> None:
    """At a provider that speaks its format, and at one of another."""
    file = tmp_path / "work" / "made.txt"
    upstream.answers(writes(file))
    printed, status = run(agent, desk, key, tmp_path, model)
    assert (status, file.exists() and file.read_text().strip()) == (0, "made"), printed
    assert DONE in printed
    assert len(desk.records(key)) >= 2


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_whose_budget_ends_in_the_middle_says_so_and_stops(
    desk: Desk, upstream: FakeUpstream, tmp_path: Path, agent: str
) -> None:
    """After the call of its tool there is nothing left: no provider is asked again."""
    file = tmp_path / "work" / "made.txt"
    answer, key, called = writes(file), desk.key(max_budget=1_000), list[int]()

    def spends(call: Call) -> Reply:
        reply = answer(call)
        if any(isinstance(step, bytes) and file.name.encode() in step for step in reply.body) and not called:
            desk.admin("/key/update", key=key, max_budget=0.000001)
            called.append(len(upstream.calls))
        return reply

    upstream.answers(spends)
    printed, status = run(agent, desk, key, tmp_path, CLAUDE)
    assert "does not cover this request" in printed
    assert status != 0
    assert [len(upstream.calls)] == called, "it asked again, and was answered"
