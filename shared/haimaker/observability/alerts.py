"""Sends a budget's alert to the deployer's webhook, as JSON in a POST. Imported where one is sent, which is rare."""

import json
import urllib.request

from haimaker.http.values import JSON

TIMEOUT_S = 10.0


def post(url: str, body: JSON) -> None:
    """Sends the alert. Raises OSError where the receiver cannot be reached or refuses."""
    headers = {"content-type": "application/json", "user-agent": "haimaker"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - the deployer's own
    with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
        answer.read(1_000)
