"""A page of documentation and its blocks of code, and a gateway that `make run` serves to run them against."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:8000"
"""What every page calls the gateway's address."""


class Block(NamedTuple):
    language: str
    text: str


@dataclass(frozen=True)
class Guide:
    text: str
    blocks: Sequence[Block]

    @classmethod
    def read(cls, name: str) -> "Guide":
        text = (ROOT / name).read_text("utf-8")
        return cls(text, [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)])

    def written_in(self, language: str) -> list[str]:
        return [block.text for block in self.blocks if block.language == language]

    def after(self, text: str) -> str:
        """The block that follows the first one with this text in it: what a command prints."""
        place = next(i for i, block in enumerate(self.blocks) if text in block.text)
        return self.blocks[place + 1].text

    def answered(self) -> list[tuple[str, object]]:
        """The commands, in order, each with the JSON that follows it, None where none does."""
        following = [*self.blocks[1:], Block("", "")]
        return [
            (block.text, json.loads(then.text) if then.language == "json" else None)
            for block, then in zip(self.blocks, following, strict=True)
            if block.language == "sh"
        ]


class Served(NamedTuple):
    address: str
    welcome: str


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def serve(home: Path, **environment: str) -> Iterator[Served]:
    """`make run`, as the README has it, on a free port."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    settings = {"PORT": str(port), "HAIMAKER_HOME": str(home), **environment}
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=clean | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    try:
        welcome = "".join(process.stdout.readline() for _ in range(6))
        yield Served(f"127.0.0.1:{port}", welcome)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def run(command: str, served: Served, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.replace(ADDRESS, served.address)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape(value: object) -> object:
    """A JSON value with what differs from run to run made alike."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if isinstance(value, str) and re.fullmatch(
        r"(chat)?cmpl-\S+|(msg|resp|rs)_\S+|modr-\S+|[0-9a-f]{64}|[0-9a-f-]{36}|sk-hm-\S+|\d{4}-\d\d-\d\dT\S+|http://\S+/links/\S+",
        value,
    ):
        return "differs"
    return type(value).__name__ if isinstance(value, int) and value > 10**9 else value
