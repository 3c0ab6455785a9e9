"""Sends alerts to the deployer's webhook, as JSON in a POST. Imported where one is sent, which is rare.

The address is the deployer's own, who may mean one of an intranet; it leads to no other, since redirects are not followed.
"""

import json
import re
import time
from urllib.parse import urlsplit, urlunsplit

from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError, read_whole
from haimaker.http.proxies import Proxies
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents

TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=10.0, between_s=10.0)
PAUSES_S = (1.0, 5.0)
"""Before a second and a third try, where a receiver can't be reached, is busy or fails."""
BUSY = (408, 429)
MAX_ANSWER_BYTES = 100_000
CIRCUITS, CIRCUITS_NAME = "alerts", "circuits"
"""The document that says which targets were told of, and when."""
TOLD_AGAIN_S = 3_600.0
"""How long nothing is told of a target that was told of."""
EVERYBODY = re.compile(r"@(?=(?:everyone|here|channel|all)\b)")


class AlertError(Exception):
    """An alert that was not taken. The message names no address, which is a secret."""


def post(url: str, body: JSON, proxies: Proxies) -> None:
    """Sends an alert, again where another try may help. Raises AlertError."""
    reason = ""
    for pause_s in (0.0, *PAUSES_S):
        time.sleep(pause_s)
        try:
            status = _send(url, json.dumps(body).encode(), proxies)
        except TransportError as error:
            reason = "The receiver did not answer." if error.sent else "The receiver can't be reached."
            continue
        if 200 <= status < 300:
            return
        reason = f"The receiver answers with status {status}."
        if status < 500 and status not in BUSY:
            break
    raise AlertError(reason)


def to_text(sentence: str) -> str:
    """A sentence in which names, whoever chose them, are no markup and call for nobody.
    https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    escaped = sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return EVERYBODY.sub("@\N{ZERO WIDTH SPACE}", escaped)


def claim_circuit(documents: Documents, target: str, now_s: float) -> bool:
    """Whether this process is the one that tells of a target that fails: one of all that share the store does, once an hour."""
    try:
        found = documents.get(CIRCUITS, CIRCUITS_NAME) or Document(CIRCUITS_NAME, {}, 0)
        told = {name: told_s for name, told_s in found.body.items() if told_s + TOLD_AGAIN_S > now_s}
        return target not in told and documents.put(CIRCUITS, found._replace(body={**told, target: now_s}))
    except StoreUnavailable:
        return True


def _send(url: str, data: bytes, proxies: Proxies) -> int:
    """The status of the answer. Raises TransportError."""
    address = urlsplit(url)
    path = urlunsplit(("", "", address.path or "/", address.query, ""))
    headers = {"content-type": "application/json", "user-agent": "haimaker"}
    base_url = f"{address.scheme}://{address.netloc}"
    answer = HTTPClient(proxies).send(UpstreamRequest(path, data), base_url, headers, TIMEOUTS, CancelToken())
    read_whole(answer.pieces, MAX_ANSWER_BYTES)
    return answer.status
