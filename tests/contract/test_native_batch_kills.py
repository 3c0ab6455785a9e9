"""A process that works on a batch dies after something was written or asked, at every third such point: whoever goes on sends
nothing twice, and each answer is in the output once and charged once."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from haimaker.api import batches as api
from haimaker.api.files import stored_files
from haimaker.batches import Batch, BatchDirectory
from haimaker.batches.place import Place
from haimaker.batches.run import BatchRun
from haimaker.http.client import HTTPClient
from haimaker.stored_files import DEFAULT_LASTS_S
from tests.contract.money_support import Desk
from tests.contract.test_batches import CHAT, rows, upload
from tests.contract.test_native_batches import CLAUDE, FIREWORKS, PRICES, asked, desk, quick, vendor_of
from tests.support.fake_upstream import FakeUpstream

__all__ = ["desk", "quick"]  # fixtures

MOST_POINTS = 100


class Killed(BaseException):
    """Nothing that runs catches it."""


class Points:
    """Where a process may die: after each write to the store and each call of a provider."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
        self.left, self.is_dead = 0, False
        store, documents = type(desk.gateway.store), type(desk.gateway.store.documents)
        for owner, name in ((documents, "put"), (store, "reserve"), (store, "settle"), (HTTPClient, "send")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.is_dead:
                raise Killed
            done = act(*arguments, **options)
            self.left -= 1
            self.is_dead = self.left == 0
            if self.is_dead:
                raise Killed
            return done

        return counted


@pytest.mark.parametrize(("model", "first"), [(FIREWORKS, 1), (CLAUDE, 2)])
def test_whoever_goes_on_sends_nothing_twice_and_charges_once(
    model: str, first: int, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    gateway = desk.gateway
    directory = BatchDirectory(gateway.store.documents, "elsewhere")
    files = stored_files(gateway.settings, gateway.store)
    place = Place(gateway.store, directory, files, tmp_path, gateway, lambda task: task(), Event())
    monkeypatch.setattr(api, "batch_service", lambda services: SimpleNamespace(directory=directory, start=lambda batch: None))
    file_id = upload(client, [asked(model, text) for text in ("one", "bad", "two")])
    account = gateway.accounts.authenticate({"authorization": f"Bearer {key}"})
    points, spent = Points(monkeypatch, desk), 0
    for point in range(first, MOST_POINTS, 3):
        vendor = vendor_of(model, upstream)
        batch = api.begin(gateway, account, file_id, CHAT, None, DEFAULT_LASTS_S)
        points.left = point
        was_killed = dies(batch, place)
        points.left, points.is_dead = 0, False
        batch = work(batch, place)
        spent += 2 * PRICES[model]
        shown = api.to_json(batch)
        assert (batch.status, len(vendor.batches), vendor.ordinary) == ("completed", 1, []), (point, shown)
        assert [row["custom_id"] for row in rows(client, shown["output_file_id"])] == ["one", "two"], point
        assert [row["custom_id"] for row in rows(client, shown["error_file_id"])] == ["bad"], point
        records = [record for record in desk.records(key) if record.detail["batch"] == batch.id]
        assert sorted(record.detail["custom_id"] for record in records) == ["bad", "one", "two"], point
        assert (*desk.money(key)[:2], batch.body["cost_nanousd"]) == (spent, 0, 2 * PRICES[model]), point
        if not was_killed:
            return
    pytest.fail("a batch has fewer points than that")


def dies(batch: Batch, place: Place) -> bool:
    """Whether who works on it from its beginning does not see its end."""
    try:
        work(batch, place)
    except Killed:
        return True
    return False


def work(batch: Batch, place: Place) -> Batch:
    give_up_s = time.monotonic() + 60
    while not (now := place.directory.get(batch.owner, batch.id) or batch).has_ended:
        assert time.monotonic() < give_up_s, now
        BatchRun(now, place).run()
        time.sleep(0.005)
    return now
