"""One call about a provider's batch: what it is answered, or why it is not."""

from collections.abc import Callable

from haimaker.http.client import TransportError, read_whole
from haimaker.http.values import UpstreamResponse

NOT_NOW = (408, 409, 425, 429)
MISSING = (404, 410)
SHOWN_ERROR = 500


class Refused(Exception):
    """The provider took nothing, and says why."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unsure(Exception):
    """It may do better another time; whether it took anything is not known."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def send(call: Callable[[], UpstreamResponse]) -> bytes:
    """The body of the answer to a call, which may raise APIError. Raises Refused, Unsure."""
    try:
        response = call()
        body = read_whole(response.pieces)
    except TransportError as error:
        raise Unsure(str(error)) from None
    if 200 <= response.status < 300:
        return body
    said = body[:SHOWN_ERROR].decode("utf-8", "replace")
    if 400 <= response.status < 500 and response.status not in NOT_NOW:
        raise Refused(f"{response.status}: {said}", response.status)
    raise Unsure(f"{response.status}: {said}", response.status)
