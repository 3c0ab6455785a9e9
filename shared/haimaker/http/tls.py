"""One TLS context for all connections, made when the first needs it: reading the system's certificates takes some 30 ms.

https://docs.python.org/3/library/ssl.html#ssl.create_default_context
"""

import ssl
from functools import cache


@cache
def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
