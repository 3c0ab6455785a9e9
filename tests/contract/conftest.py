"""One gateway and one scripted upstream per process, the SDK's client with a new key per test, and the log that they leave."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import openai
import pytest

from haimaker.observability.observer import Observer
from tests.contract.money_support import Desk, serving
from tests.contract.sdk_support import PROMPT, UPSTREAM_KEY, environment, sdk
from tests.support.fake_upstream import FakeUpstream


class Log(io.StringIO):
    """What the gateway writes while it serves."""

    def take(self) -> str:
        """What came since this was last asked."""
        written = self.getvalue()
        self.seek(0)
        self.truncate()
        return written


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def desk(upstream: FakeUpstream, log: Log, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("contract")
    with serving(folder, upstream, **environment(upstream, folder)) as desk, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", log)  # the logger keeps the stream that it meets first
        desk.gateway.observer = Observer(service="contract")
        desk.gateway.observer.error("The log begins.")
        patch.undo()
        yield desk


@pytest.fixture
def key(desk: Desk, log: Log) -> Iterator[str]:
    """A new key without limits. When its test ends nothing is held, and the log tells neither secrets nor defects."""
    key = desk.key()
    log.take()
    yield key
    desk.settled(key)
    assert desk.info(key)["parallel_requests"] == 0
    written = log.take()
    for told in ("unexpected error", "Traceback", UPSTREAM_KEY, key, PROMPT, desk.upstream.url, desk.upstream.url.split("/")[2]):
        assert told not in written


@pytest.fixture
def client(desk: Desk, key: str) -> openai.OpenAI:
    return sdk(desk, key)


@pytest.fixture
def idle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterable[Callable[[], None]]:
    """Nobody begins a batch until this is called."""
    runner: Any = desk.gateway.batches
    with monkeypatch.context() as busy:
        busy.setattr(runner, "_begin_run", lambda batch: None)
        yield lambda: (busy.undo(), runner.start())  # type: ignore[func-returns-value]
