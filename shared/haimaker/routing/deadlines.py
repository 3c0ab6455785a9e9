"""How long a request may take, as the platform, the route and the client have it. Pure."""

from haimaker.http.values import Request

MARGIN_S = 5.0
"""Before the platform gives up, so that settling always happens."""
MAX_CLIENT_MARGIN_S = 1.0
"""Before the client gives up: an answer only has to reach it. Of short waits it is a tenth."""
CLIENT_TIMEOUTS = ("x-stainless-read-timeout", "x-stainless-timeout")
"""In seconds, as the Python and the Node SDK say them, the latter rounded down: how long they wait for a byte, or for the whole of
an answer that is not a stream, but not for the end of a stream."""


def request_timeout_s(request: Request, timeout_s: float) -> float:
    """The shorter of what the platform and the route allow, in seconds."""
    return max(0.5, min(request.seconds_left() - MARGIN_S, timeout_s))


def client_timeout_s(request: Request) -> float:
    """How long the client waits for the first byte, less a margin, in seconds: an SDK that gives up would ask, and pay, again."""
    client_s = min(_seconds(request.headers.get(name, "")) for name in CLIENT_TIMEOUTS)
    return max(0.5, client_s - min(MAX_CLIENT_MARGIN_S, client_s / 10))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("inf")
    return value if value >= 0 else float("inf")
