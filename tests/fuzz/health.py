"""Asks servers for their state in turn, again and again, in a process of its own, and prints how long each took: seconds, as JSON.

`python -m tests.fuzz.health SECONDS URL…`
"""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

EVERY_S = 0.02
FAILED_S = 1.0


def main() -> None:
    seconds, addresses = float(sys.argv[1]), [urlsplit(url) for url in sys.argv[2:]]
    connections = [http.client.HTTPConnection(address.hostname or "", address.port, timeout=10) for address in addresses]
    took_s: list[list[float]] = [[] for _ in connections]
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for connection, own_s in zip(connections, took_s, strict=True):
            own_s.append(_ask(connection))
        time.sleep(EVERY_S)
    print(json.dumps(took_s))


def _ask(connection: http.client.HTTPConnection) -> float:
    began_s = time.monotonic()
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return FAILED_S
    return time.monotonic() - began_s


if __name__ == "__main__":
    main()
