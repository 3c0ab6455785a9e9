"""Cross-origin requests: which pages may read an answer, the same for every door. Pure.

https://fetch.spec.whatwg.org/#http-cors-protocol. A key is sent in a header and never in a cookie, so credentials are not allowed.
"""

from collections.abc import Collection, Mapping

PREFLIGHT_S = 7_200


def cross_origin(headers: Mapping[str, str], allowed: Collection[str]) -> dict[str, str]:
    """The headers that let a page of an allowed origin read the answer; none for any other page."""
    origin = headers.get("origin", "")
    if not origin or not ("*" in allowed or origin in allowed):
        return {}
    return {"access-control-allow-origin": origin, "access-control-expose-headers": "*", "vary": "origin"}


def preflight(headers: Mapping[str, str]) -> dict[str, str]:
    """The answer to a browser's preflight request. Headers are named one by one, as `*` would not cover `authorization`."""
    return {
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": headers.get("access-control-request-headers", "authorization, content-type"),
        "access-control-max-age": str(PREFLIGHT_S),
        "content-type": "text/plain",
    }
