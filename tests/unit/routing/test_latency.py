from haimaker.routing.circuit_breaker import MAX_TARGETS
from haimaker.routing.latency import FORGET_AFTER_S, LatencyTracker

NOW_S = 1_000.0


def test_what_is_measured_follows_and_is_forgotten() -> None:
    latency = LatencyTracker()
    for took_ms in (100, 100, 200):
        latency.record_latency("a/b", NOW_S, took_ms=took_ms, streams=True)
    latency.record_throughput("a/b", 50, 2.0)
    latency.record_throughput("a/b", 0, 2.0)
    assert 100 < latency.first_byte_ms["a/b"] < 200
    assert (latency.whole_ms, latency.tokens_per_s) == ({}, {"a/b": 25.0})
    latency.record_latency("a/b", NOW_S + FORGET_AFTER_S + 1, took_ms=7, streams=False)
    assert (latency.first_byte_ms, latency.whole_ms, latency.tokens_per_s) == ({}, {"a/b": 7}, {})


def test_names_that_clients_make_up_do_not_pile_up() -> None:
    latency = LatencyTracker()
    for number in range(MAX_TARGETS + 10):
        latency.record_latency(f"a/{number}", NOW_S, took_ms=1, streams=True)
        latency.record_throughput(f"a/{number}", 1, 1.0)
    kept = (latency.first_byte_ms, latency.tokens_per_s, latency._measured_s)
    assert [len(each) for each in kept] == [MAX_TARGETS] * 3
