"""Messages of the AWS event stream, as a provider sends them: the other direction of haimaker.http.eventstream.

https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

import json
from binascii import crc32
from collections.abc import Iterable, Mapping
from typing import Any


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message whose headers are all text, which is their type 7."""
    raw = b""
    for name, value in headers.items():
        text = value.encode()
        raw += bytes([len(name)]) + name.encode() + b"\x07" + len(text).to_bytes(2, "big") + text
    beginning = (16 + len(raw) + len(payload)).to_bytes(4, "big") + len(raw).to_bytes(4, "big")
    whole = beginning + crc32(beginning).to_bytes(4, "big") + raw + payload
    return whole + crc32(whole).to_bytes(4, "big")


def event(name: str, body: Any) -> bytes:
    """An event, or an exception where the name is that of one."""
    kind = "exception" if name.endswith("Exception") else "event"
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    return message(headers, json.dumps(body, ensure_ascii=False).encode())


def stream(events: Iterable[tuple[str, Any]]) -> bytes:
    return b"".join(event(name, body) for name, body in events)
