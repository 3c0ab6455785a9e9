"""Answers that are silent for less than the 15 s or 4 minutes after which the gateway says something."""

import pytest

from haimaker.upstream import relay
from haimaker.upstream.watch import Watch


def shorten(monkeypatch: pytest.MonkeyPatch, silence_s: float) -> None:
    """Has the gateway say something after `silence_s`, and look as often as that takes."""
    watch = Watch(silence_s / 2)
    monkeypatch.setattr(relay, "SILENCE_S", dict.fromkeys(relay.SILENCE_S, silence_s))
    monkeypatch.setattr(relay, "watch", lambda: watch)
