"""What a client's own timeout leaves a provider."""

import pytest

from haimaker.http.values import Request
from haimaker.routing import deadlines


@pytest.mark.parametrize(
    ("said", "left_s"),
    [("600", 599), ("60", 59), ("10", 9), ("2", 1.8), ("0", 0.5), ("", float("inf")), ("soon", float("inf")), ("-1", float("inf"))],
)
@pytest.mark.parametrize("header", deadlines.CLIENT_TIMEOUTS)
def test_a_client_that_waits_ten_seconds_leaves_nine(header: str, said: str, left_s: float) -> None:
    assert deadlines.client_timeout_s(Request("r", {header: said}, b"")) == pytest.approx(left_s)


def test_the_shorter_of_two_counts() -> None:
    headers = dict(zip(deadlines.CLIENT_TIMEOUTS, ("30", "10"), strict=True))
    assert deadlines.client_timeout_s(Request("r", headers, b"")) == 9
