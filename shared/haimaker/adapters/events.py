"""What the events of a stream hold, for every format that streams JSON. Pure."""

import re

from haimaker.http.errors import BadGatewayError
from haimaker.http.json import read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event


def json_object(event: Event) -> JSON:
    """An event without data holds nothing. Raises BadGatewayError for anything but an object."""
    body = read_or_none(event.data or b"{}")
    if isinstance(body, list) and body:
        body = body[0]  # Google's way to send an error
    if not isinstance(body, dict):
        raise BadGatewayError("The provider's stream holds an event that is not a JSON object.", code="stream_interrupted")
    return body


NAME = re.compile(r"[A-Za-z0-9_.-]+")


def as_it_came(event: Event, body: JSON) -> Event:
    """An event that is passed on, by the name in its body: what it holds was read as this object, on one line, and no name breaks
    the line that it stands on."""
    kind = body.get("type") or event.name
    is_plain = event.data.startswith(b"{") and b"\n" not in event.data
    return Event(event.data if is_plain else dumps(body), kind if isinstance(kind, str) and NAME.fullmatch(kind) else "")
