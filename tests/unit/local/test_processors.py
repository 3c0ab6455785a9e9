"""Threads that answer for models compute on one processor, the one that others leave to them; all others where they like."""

import os
import sys
import threading

import pytest

from haimaker.http.values import Response
from local import processors
from local.processors import OwnProcessor, Use, choose, read_use, used_by_others
from tests.unit.local.door import Gateway, connect, get, post, receive, serving

ALL = os.sched_getaffinity(0) if sys.platform == "linux" else set()
several = pytest.mark.skipif(len(ALL) < 2, reason="takes Linux and two processors")


@pytest.mark.parametrize(
    ("own", "used", "chosen"),
    [
        (0, {0: 0.1, 1: 0.0}, 0),
        (0, {0: 0.3, 1: 0.0}, 1),
        (0, {0: 1.0, 1: 0.9}, 0),
        (1, {0: 0.2, 1: 1.0, 2: 0.0}, 2),
        (1, {0: 0.2}, 0),  # it is no longer there
        (1, {}, 1),  # the system tells of none
    ],
)
def test_another_processor_is_worth_a_move_where_others_use_it_much_less(own, used, chosen):
    assert choose(own, used) == chosen


def test_what_this_process_used_is_not_others():
    before = Use(10.0, 1.0, {0: 5.0, 1: 7.0, 2: 0.0})
    now = Use(12.0, 2.5, {0: 7.0, 1: 8.0, 2: 1.0, 3: 9.0})
    assert used_by_others(0, before, now, frozenset({0, 1, 3})) == {0: 0.25, 1: 0.5, 3: 0.0}
    assert used_by_others(1, before, now, frozenset({0, 1})) == {0: 1.0, 1: 0.0}


@several
def test_the_system_tells_what_is_used():
    first, until = read_use(), threading.Event()
    assert not until.wait(0.02)
    second = read_use()
    assert set(first.busy_s) >= ALL
    assert second.moment_s > first.moment_s
    assert all(second.busy_s[number] >= busy_s for number, busy_s in first.busy_s.items())


@several
def test_models_answers_stay_on_one_processor_and_others_go_anywhere():
    seen = []
    gateway = Gateway()

    def answer(_operation, _request):
        seen.append(os.sched_getaffinity(0))
        return Response(200, {}, b"{}")

    gateway.answer = answer
    own = {sorted(ALL)[1]}
    with serving(gateway, processor=OwnProcessor(1)) as server, connect(server) as client, connect(server) as other:
        for connection, sent in ((client, post(b"{}")), (client, get("/spend/report")), (client, post(b"{}")), (other, get())):
            connection.sendall(sent)
            receive(connection)
    assert seen == [own, ALL, own, ALL]
    assert os.sched_getaffinity(0) == ALL


@several
def test_it_moves_where_others_leave_more_room(monkeypatch):
    monkeypatch.setattr(processors, "LOOKS_S", (0.0, 0.0))
    first, second, *_ = sorted(ALL)
    uses = iter([Use(0.0, 0.0, {first: 0.0, second: 0.0}), Use(1.0, 0.1, {first: 1.0, second: 0.2}), OSError(), ValueError()])

    def read():
        if isinstance(each := next(uses), Exception):
            raise each
        return each

    processor, found = OwnProcessor(0, read), []

    def ask():
        for _ in range(4):
            processor.stay()
            found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [{first}, {second}, {second}, {second}]
