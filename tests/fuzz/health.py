"""Asks a gateway for its state again and again, in a process of its own, and prints how long that took: seconds, as JSON."""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

EVERY_S = 0.02
FAILED_S = 1.0


def main() -> None:
    address, seconds = urlsplit(sys.argv[1]), float(sys.argv[2])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    took_s: list[float] = []
    until_s = time.monotonic() + seconds
    while (began_s := time.monotonic()) < until_s:
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
            took_s.append(time.monotonic() - began_s)
        except (OSError, http.client.HTTPException):
            connection.close()
            took_s.append(FAILED_S)
        time.sleep(EVERY_S)
    print(json.dumps(took_s))


if __name__ == "__main__":
    main()
