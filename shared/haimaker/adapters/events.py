"""What the events of a stream hold, for every format that streams JSON. Pure."""

from haimaker.http.errors import BadGatewayError
from haimaker.http.json import read_or_none
from haimaker.http.values import JSON, Event


def json_object(event: Event) -> JSON:
    """An event without data holds nothing. Raises BadGatewayError for anything but an object."""
    body = read_or_none(event.data or b"{}")
    if isinstance(body, list) and body:
        body = body[0]  # Google's way to send an error
    if not isinstance(body, dict):
        raise BadGatewayError("The provider's stream holds an event that is not a JSON object.", code="stream_interrupted")
    return body
