"""Bodies of requests that the client compressed, as OpenAI's Codex and others do with long conversations. Pure.

https://www.rfc-editor.org/rfc/rfc9110#section-8.4, …/rfc7694: who refuses a coding says which it takes.
"""

import zlib

from haimaker.http.errors import BadRequestError, RequestTooLargeError
from haimaker.http.values import Request
from haimaker.lean_dataclasses import replace

MAX_BYTES = 6 * 1024 * 1024
"""The most bytes of a body without its compression: as many as of one that never had any."""
GZIP = ("gzip", "x-gzip")
ZLIB_OF_GZIP = 16 + zlib.MAX_WBITS


def decode_body(request: Request) -> Request:
    """The request with its body as it was before it was compressed. Raises BadRequestError, RequestTooLargeError, and APIError 415
    for what is not gzip."""
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return request
    if coding not in GZIP:
        message = f"The body's content-encoding is {coding[:64]!r}; send it as gzip, or as it is."
        headers = {"accept-encoding": "gzip, identity"}
        raise BadRequestError(message, status=415, code="unsupported_content_encoding", headers=headers)
    reader = zlib.decompressobj(ZLIB_OF_GZIP)
    try:
        body = reader.decompress(request.body, MAX_BYTES + 1)
    except zlib.error:
        raise _not_gzip() from None
    if len(body) > MAX_BYTES:
        raise RequestTooLargeError(f"The request's body is over {MAX_BYTES} bytes without its compression.")
    if not reader.eof or reader.unused_data:
        raise _not_gzip()
    headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
    return replace(request, headers=headers, body=body)


def _not_gzip() -> BadRequestError:
    return BadRequestError("The body is not the gzip that its content-encoding says.", code="invalid_content_encoding")
