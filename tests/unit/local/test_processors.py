"""Threads that answer for models compute on one processor where they are many, which others leave to them; else where they like."""

import os
import sys
import threading

import pytest

from haimaker.http.values import Response
from local import processors
from local.processors import OwnProcessor, Use, least_used, read_use, used_by_others
from tests.unit.local.door import WAIT_S, Gateway, connect, get, post, receive, serving

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
    assert least_used(own, used) == chosen


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


def uses(*seen):
    """What is read at one look after the other, an error among them."""
    looks = iter(seen)

    def read():
        if isinstance(each := next(looks), Exception):
            raise each
        return each

    return read


@several
def test_answers_of_models_stay_on_one_processor_where_they_are_many(monkeypatch):
    monkeypatch.setattr(processors, "LOOKS_S", (0.0, 0.0))
    seen, gateway, busy = [], Gateway(), threading.Event()

    def answer(_operation, request):
        if request.query:
            busy.set()
            assert leaving.wait(WAIT_S)
        else:
            seen.append(os.sched_getaffinity(0))
        return Response(200, {}, b"{}")

    gateway.answer, leaving = answer, threading.Event()
    own, chat = {sorted(ALL)[1]}, post(b"{}")
    read = uses(*(Use(float(number), number * 0.5, {}) for number in range(99)))
    with (
        serving(gateway, processor=OwnProcessor(1, read)) as server,
        connect(server) as client,
        connect(server) as other,
        connect(server) as slow,
    ):

        def ask(connection, sent):
            connection.sendall(sent)
            receive(connection)

        ask(client, chat)
        ask(client, chat)
        slow.sendall(post(b"{}", path="/v1/chat/completions?slow=1"))
        assert busy.wait(WAIT_S)
        ask(client, chat)
        ask(client, get("/spend/report"))
        ask(client, chat)
        ask(other, get())
        leaving.set()
        receive(slow)
    assert seen == [ALL, ALL, own, ALL, own, ALL]
    assert os.sched_getaffinity(0) == ALL


@several
def test_it_moves_where_others_leave_more_room_and_stays_where_it_is_not_told(monkeypatch):
    monkeypatch.setattr(processors, "LOOKS_S", (0.0, 0.0))
    first, second, *_ = sorted(ALL)
    idle = {first: 0.0, second: 0.0}
    looks = uses(
        *(Use(0.0, 0.0, idle), Use(1.0, 0.2, idle), Use(2.0, 0.6, idle), Use(3.0, 1.1, {first: 1.0, second: 0.2})),
        *(OSError(), ValueError(), Use(4.0, 1.2, {first: 1.0, second: 0.2})),
    )
    processor, found = OwnProcessor(0, looks), []

    def ask():
        for _ in range(7):
            processor.choose(anywhere=False, others=3)
            found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [ALL, ALL, {first}, {second}, {second}, {second}, ALL]
