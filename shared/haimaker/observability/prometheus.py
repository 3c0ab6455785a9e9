"""Counters and histograms for Prometheus to collect; nothing is kept but sums. Processes that serve together share them by files.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
https://prometheus.io/docs/practices/naming/
"""

import json
import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from haimaker.http.errors import APIError
from haimaker.store import Record

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of a histogram's buckets, in seconds."""
MAX_SERIES = 2_000
"""How many series a metric has. What comes later is counted under OTHER."""
OTHER = "other"
"""Of a model as well that has not answered yet: its name is any text of a client's, and must not take the place of others."""
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""Characters that Prometheus does not read everywhere in a label."""
WRITE_AFTER_S = 0.5
"""How long others may not know of a request yet."""

Labels = tuple[str, ...]

HELP: Mapping[str, tuple[str, str, Labels]] = {
    "requests_total": ("counter", "Requests that were admitted, by how they ended.", ("operation", "provider", "model", "status")),
    "refused_total": ("counter", "Requests that were refused before a provider was asked.", ("operation", "code", "error")),
    "attempts_total": ("counter", "Calls of providers, those before a fallback included.", ("provider", "result")),
    "tokens_total": ("counter", "Tokens as providers counted them.", ("provider", "model", "type")),
    "cost_usd_total": ("counter", "What admitted requests cost, in USD.", ("provider", "model")),
    "reservations_lost_total": ("counter", "Reservations that nobody settled, charged in full.", ()),
    "request_duration_seconds": ("histogram", "From a request's arrival to the end of its answer.", ("operation", "provider")),
    "time_to_first_token_seconds": ("histogram", "Until the first token of a streamed answer.", ("operation", "provider")),
}
"""Each metric's kind, meaning and labels; `haimaker_` stands before its name."""


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


class PrometheusMetrics:
    """The metrics of this process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, dict[Labels, float]] = {name: {} for name, (kind, _, _) in HELP.items() if kind == "counter"}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {
            name: {} for name, (kind, _, _) in HELP.items() if kind == "histogram"
        }
        self._counters["reservations_lost_total"][()] = 0  # that there are none is to be seen
        self._answered: set[tuple[str, str]] = set()
        """Providers' models that have answered."""
        self._file: Path | None = None
        self._waits = False

    def share(self, file: Path) -> None:
        """Adds up with other processes, each of which has a file in the same folder. That of one which has ended counts."""
        with self._lock:
            self._file = file
            self._tell_soon()

    def request(self, record: Record) -> None:
        detail = record.detail
        operation, provider, model = (_to_label(detail.get(name)) for name in ("operation", "provider", "model"))
        with self._lock:
            if (provider, model) not in self._answered:
                model = self._known_model(provider, model, detail.get("attempts", ()))
            self._add("requests_total", (operation, provider, model, record.status))
            for attempt in detail.get("attempts", ()):
                result = "ok" if attempt["status"] == 200 else _to_label(attempt["code"] or attempt["status"] or "error")
                self._add("attempts_total", (attempt["target"].partition("/")[0], result))
            for kind in ("input", "output", "cached", "reasoning"):
                if count := detail.get(f"{kind}_tokens"):
                    self._add("tokens_total", (provider, model, kind), count)
            if record.cost_nanousd:
                self._add("cost_usd_total", (provider, model), record.cost_nanousd / 10**9)
            for name, milliseconds in (
                ("request_duration_seconds", detail.get("duration_ms")),
                ("time_to_first_token_seconds", detail.get("first_token_ms")),
            ):
                if milliseconds is not None:
                    series = self._histograms[name]
                    series.setdefault(_bounded(series, (operation, provider)), _Histogram()).add(milliseconds / 1000)

    def denied(self, operation: str, error: APIError) -> None:
        with self._lock:
            self._add("refused_total", (operation, str(error.status), error.code or error.type))

    def reservations_lost(self, count: int) -> None:
        with self._lock:
            self._add("reservations_lost_total", (), count)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format, of this process and of those with which it shares."""
        if self._file is None:
            with self._lock:
                return "".join(f"{line}\n" for line in self._lines()).encode()
        whole = PrometheusMetrics()
        whole._include(self._state())
        for file in self._file.parent.glob(f"*{self._file.suffix}"):
            if file != self._file:
                whole._include(json.loads(file.read_text()))
        return "".join(f"{line}\n" for line in whole._lines()).encode()

    def _state(self) -> dict[str, list[tuple[Labels, Any]]]:
        with self._lock:
            counters = {name: list(series.items()) for name, series in self._counters.items()}
            histograms = {
                name: [(values, (list(found.counts), found.sum)) for values, found in series.items()]
                for name, series in self._histograms.items()
            }
        return {**counters, **histograms}

    def _known_model(self, provider: str, model: str, attempts: Sequence[Mapping[str, Any]]) -> str:
        if not model or len(self._answered) >= MAX_SERIES or not attempts or attempts[-1]["status"] != 200:
            return OTHER if model else model
        self._answered.add((provider, model))
        return model

    def _include(self, state: Mapping[str, Sequence[tuple[Sequence[str], Any]]]) -> None:
        for name, series in state.items():
            for values, amount in series:
                labels = tuple(values)  # not bounded again: what is OTHER must not depend on whose turn it was
                if HELP[name][0] == "counter":
                    self._counters[name][labels] = self._counters[name].get(labels, 0) + amount
                else:
                    histogram = self._histograms[name].setdefault(labels, _Histogram())
                    histogram.counts = [own + other for own, other in zip(histogram.counts, amount[0], strict=True)]
                    histogram.sum += amount[1]

    def _tell_soon(self) -> None:
        """Writes what was counted, a moment after the first of it. Called with the lock."""
        if self._file and not self._waits:
            self._waits = True
            timer = Timer(WRITE_AFTER_S, self._write, (self._file,))
            timer.daemon = True
            timer.start()

    def _write(self, file: Path) -> None:
        self._waits = False
        part = file.with_suffix(".part")
        with suppress(OSError):  # a full disk: it is written with what is counted next
            part.write_text(json.dumps(self._state()))
            os.replace(part, file)

    def _lines(self) -> Iterator[str]:
        for name, (kind, meaning, labels) in HELP.items():
            yield f"# HELP haimaker_{name} {meaning}"
            yield f"# TYPE haimaker_{name} {kind}"
            if kind == "counter":
                for values, amount in self._counters[name].items():
                    yield f"haimaker_{name}{_braces(labels, values)} {_number(amount)}"
                continue
            for values, histogram in self._histograms[name].items():
                total = 0
                for bound, count in zip((*map(str, SECONDS), "+Inf"), histogram.counts, strict=True):
                    total += count
                    yield f"haimaker_{name}_bucket{_braces((*labels, 'le'), (*values, bound))} {total}"
                yield f"haimaker_{name}_sum{_braces(labels, values)} {_number(histogram.sum)}"
                yield f"haimaker_{name}_count{_braces(labels, values)} {total}"

    def _add(self, name: str, values: Labels, amount: float = 1) -> None:
        series = self._counters[name]
        values = _bounded(series, values)
        series[values] = series.get(values, 0) + amount
        self._tell_soon()


def _to_label(value: object) -> str:
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value or ""))


def _bounded(series: Mapping[Labels, object], values: Labels) -> Labels:
    """The labels of a series, or OTHER for each of them while the metric has as many series as it may."""
    return values if values in series or len(series) < MAX_SERIES else (OTHER,) * len(values)


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    pairs = ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _number(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else repr(amount)
